"""What became of an attempt is written down once, by who holds the claim."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, select, update

from directmail_relay.database import schema
from directmail_relay.database.engine import Database
from directmail_relay.policy.verdict import Delivered, GiveUp, NextStep, RetryAt
from directmail_relay.queue import outbox
from directmail_relay.queue.claim import Claim
from directmail_relay.queue.due import next_due_at, read_content
from directmail_relay.queue.put import put
from directmail_relay.queue.settle import purge_contents, settle
from tests.queue.mail import ME, NOW, OTHER, count, final_event, new_mail, row, settled


def want(database: Database, wish: str, env_id: int, index: int = 0) -> None:
    r = schema.recipients
    change = update(r).where(r.c.env_id == env_id, r.c.idx == index).values(wanted=wish)
    database.write_now(lambda connection: connection.execute(change))


def attempts(connection: Connection) -> list[dict[str, Any]]:
    a = schema.attempts
    return [dict(one._mapping) for one in connection.execute(select(a).order_by(a.c.env_id, a.c.idx, a.c.n))]


@pytest.mark.parametrize(
    ("step", "state", "status"), [(Delivered(), "delivered", 0), (GiveUp(2), "failed", 2), (GiveUp(4), "failed", 4)]
)
def test_the_end_is_written_down(database: Database, step: NextStep, state: str, status: int) -> None:
    database.write_now(put, [new_mail(1, claimed={0})])
    assert database.write_now(settle, [settled(1, step)]) == [True]
    stands = database.read_now(row, 1)
    assert (stands["state"], stands["status"], stands["attempts"]) == (state, status, 1)
    assert stands["ended_at"] == round((NOW + 0.25) * 1000)
    assert (stands["owner"], stands["epoch"], stands["wanted"]) == (None, None, None)
    assert [event for _, event in database.read_now(outbox.read, 0, 9)] == [final_event(1)]


def test_a_retry_goes_back_to_the_queue_and_is_no_event(database: Database) -> None:
    database.write_now(put, [new_mail(1, claimed={0})])
    assert database.write_now(settle, [settled(1, RetryAt(NOW + 60))]) == [True]
    stands = database.read_now(row, 1)
    assert (stands["state"], stands["attempts"], stands["due_at"]) == ("queued", 1, round((NOW + 60) * 1000))
    assert (stands["status"], stands["ended_at"], stands["owner"], stands["epoch"]) == (None, None, None, None)
    assert database.read_now(outbox.read, 0, 9) == []
    assert database.read_now(read_content, 1)


@pytest.mark.parametrize(
    ("wish", "step", "state", "left"),
    [
        ("hold", RetryAt(NOW), "held", None),
        ("drop", RetryAt(NOW), "queued", "drop"),  # whoever claims it next obeys
        ("hold", Delivered(), "delivered", None),  # too late: it was delivered
        ("drop", GiveUp(2), "failed", None),
    ],
)
def test_what_an_operator_wanted_meanwhile_is_heeded(
    database: Database, wish: str, step: NextStep, state: str, left: str | None
) -> None:
    database.write_now(put, [new_mail(1, claimed={0})])
    want(database, wish, 1)
    database.write_now(settle, [settled(1, step)])
    stands = database.read_now(row, 1)
    assert (stands["state"], stands["wanted"]) == (state, left)


@pytest.mark.parametrize("claim", [OTHER, Claim(ME.owner, ME.epoch + 1), Claim(ME.owner, ME.epoch - 1)])
def test_who_lost_the_claim_stores_nothing(database: Database, claim: Claim) -> None:
    database.write_now(put, [new_mail(1, claimed={0})])
    before = database.read_now(row, 1)
    assert database.write_now(settle, [settled(1, Delivered(), claim=claim)]) == [False]
    assert database.read_now(row, 1) == before
    assert database.read_now(attempts) == []
    assert database.read_now(outbox.read, 0, 9) == []
    assert database.read_now(read_content, 1)


def test_a_second_settle_of_the_same_changes_nothing(database: Database) -> None:
    database.write_now(put, [new_mail(1, claimed={0})])
    assert database.write_now(settle, [settled(1, Delivered()), settled(1, GiveUp(4))]) == [True, False]
    assert database.read_now(row, 1)["state"] == "delivered"
    assert len(database.read_now(outbox.read, 0, 9)) == 1


def test_answers_stand_in_the_order_of_the_group(database: Database) -> None:
    database.write_now(put, [new_mail(n, claimed={0}) for n in (1, 2, 3)])
    group = [
        settled(3, Delivered()),
        settled(2, Delivered(), claim=OTHER),
        settled(1, RetryAt(NOW)),
        settled(9, Delivered()),
    ]
    assert database.write_now(settle, group) == [True, False, True, False]


def test_the_content_goes_with_the_last_open_recipient(database: Database) -> None:
    database.write_now(put, [new_mail(1, "a@x.test", "b@x.test", "c@x.test", claimed={0, 1, 2}), new_mail(2)])
    database.write_now(settle, [settled(1, Delivered(), index=0), settled(1, RetryAt(NOW), index=1)])
    assert database.read_now(read_content, 1)
    database.write_now(settle, [settled(1, GiveUp(2), index=2)])
    assert database.read_now(read_content, 1)
    r = schema.recipients
    again = update(r).where(r.c.env_id == 1, r.c.idx == 1).values(state="delivering", owner=ME.owner, epoch=ME.epoch)
    database.write_now(lambda connection: connection.execute(again))
    database.write_now(settle, [settled(1, Delivered(), index=1, attempts=2)])
    assert database.read_now(read_content, 1) is None
    assert database.read_now(read_content, 2)


def test_all_recipients_of_a_message_in_one_group_take_its_content_with_them(database: Database) -> None:
    database.write_now(put, [new_mail(1, "a@x.test", "b@x.test", claimed={0, 1})])
    database.write_now(settle, [settled(1, Delivered(), index=0), settled(1, GiveUp(4), index=1)])
    assert database.read_now(read_content, 1) is None


def test_a_held_recipient_keeps_the_content(database: Database) -> None:
    database.write_now(put, [new_mail(1, "a@x.test", "b@x.test", claimed={0, 1})])
    want(database, "hold", 1, 1)
    database.write_now(settle, [settled(1, Delivered(), index=0), settled(1, RetryAt(NOW), index=1)])
    assert database.read_now(row, 1, 1)["state"] == "held"
    assert database.read_now(read_content, 1)
    assert database.write_now(purge_contents, 10) == 0


def test_every_attempt_is_kept(database: Database) -> None:
    database.write_now(put, [new_mail(1, claimed={0})])
    database.write_now(settle, [settled(1, RetryAt(NOW))])
    r = schema.recipients
    again = update(r).values(state="delivering", owner=ME.owner, epoch=ME.epoch)
    database.write_now(lambda connection: connection.execute(again))
    database.write_now(settle, [settled(1, Delivered(), attempts=2, at=NOW + 60)])
    first, second = database.read_now(attempts)
    assert first == {
        "env_id": 1,
        "idx": 0,
        "n": 1,
        "at": round(NOW * 1000),
        "duration": 250,
        "mx_host": "mx.example.net",
        "mx_ip": "192.0.2.1",
        "stage": "DATA",
        "code": 450,
        "enhanced": "2.0.0",
        "text": "said the host",
        "category": "ok",
        "rule": "r1",
        "tls": "TLSv1.3",
    }
    assert (second["n"], second["at"], second["code"]) == (2, round((NOW + 60) * 1000), 250)


def test_a_drop_is_no_attempt_but_an_event(database: Database) -> None:
    database.write_now(put, [new_mail(1, claimed={0})])
    dropped = replace(settled(1, GiveUp(4)), attempt=None, attempts=0)
    assert database.write_now(settle, [dropped]) == [True]
    assert database.read_now(attempts) == []
    assert database.read_now(row, 1)["attempts"] == 0
    assert len(database.read_now(outbox.read, 0, 9)) == 1


def test_a_clock_that_stepped_back_during_an_attempt_gives_no_negative_time(database: Database) -> None:
    database.write_now(put, [new_mail(1, claimed={0})])
    one = settled(1, Delivered())
    assert one.attempt
    database.write_now(settle, [replace(one, attempt=replace(one.attempt, ended_at=NOW - 5))])
    assert database.read_now(attempts)[0]["duration"] == 0


def test_contents_that_two_transactions_left_behind_are_purged(database: Database) -> None:
    """On PostgreSQL each of them saw the other's recipient as open still."""
    database.write_now(put, [new_mail(n, claimed={0}) for n in (1, 2, 3, 4)])
    r = schema.recipients
    end = update(r).where(r.c.env_id.in_([1, 2, 3])).values(state="delivered", owner=None, epoch=None)
    database.write_now(lambda connection: connection.execute(end))
    assert database.write_now(purge_contents, 2) == 2
    assert database.write_now(purge_contents, 2) == 1
    assert database.write_now(purge_contents, 2) == 0
    assert database.read_now(count, "contents") == 1
    assert database.read_now(read_content, 4)


def test_two_settles_of_the_same_rows_in_opposite_order_do_not_wait_in_a_circle(database: Database) -> None:
    errors: list[BaseException] = []
    answers: list[bool] = []
    numbers = range(1, 101)
    database.write_now(put, [new_mail(n, claimed={0}) for n in numbers])

    def work(order: list[int]) -> None:
        try:
            group = [settled(n, RetryAt(NOW)) for n in order]
            answers.extend(database._write_once(settle, group))
        except BaseException as error:  # noqa: BLE001 - shown by the assertion
            errors.append(error)

    threads = [threading.Thread(target=work, args=(order,)) for order in ([*numbers], [*reversed(numbers)])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted(answers) == [False] * 100 + [True] * 100


def test_a_wish_to_drop_makes_a_retry_due_at_once(database: Database) -> None:
    database.write_now(put, [new_mail(1, claimed={0})])
    want(database, "drop", 1)
    assert database.write_now(settle, [settled(1, RetryAt(NOW + 3600))]) == [True]
    assert database.read_now(next_due_at) == 0
