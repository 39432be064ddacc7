"""What is due is claimed once, by one worker, and no destination keeps another waiting."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import Connection

from directmail_relay.database.engine import Database
from directmail_relay.mail.message import Kind
from directmail_relay.policy.verdict import Delivered
from directmail_relay.queue.claim import Claim
from directmail_relay.queue.due import claim_due, next_due_at, read_claimed, read_content, walk_destinations
from directmail_relay.queue.put import put
from directmail_relay.queue.settle import settle
from tests.queue.mail import ME, NOW, OTHER, new_mail, settled

T = Kind.TRIGGER


def claimed_keys(database: Database, claim: Claim, room: dict[str, int], now: float = NOW) -> list[tuple[int, int]]:
    found = database.write_now(claim_due, claim, T, room, now)
    return [(due.recipient.env_id, due.recipient.index) for due in found]


def test_nothing_is_due_in_an_empty_queue(database: Database) -> None:
    assert database.read_now(next_due_at) is None
    assert database.read_now(walk_destinations, T, "", 9) == []
    assert claimed_keys(database, ME, {"x.test": 5}) == []


def test_the_earliest_is_known(database: Database) -> None:
    database.write_now(put, [new_mail(1, due_at=NOW + 60), new_mail(2, due_at=NOW + 0.25)])
    database.write_now(put, [new_mail(3, due_at=NOW, claimed={0})])  # being delivered is not waiting
    assert database.read_now(next_due_at) == NOW + 0.25


def test_a_walk_finds_each_destination_once_and_goes_on_where_it_ended(database: Database) -> None:
    names = ["a.test", "b.test", "c.test", "d.test"]
    database.write_now(put, [new_mail(n, *(f"u{k}@{names[n % 4]}" for k in range(5))) for n in range(1, 13)])
    database.write_now(
        put, [new_mail(50, "x@claimed.test", claimed={0}), new_mail(51, "x@batch.test", kind=Kind.BATCH)]
    )
    assert database.read_now(walk_destinations, T, "", 9) == names
    first = database.read_now(walk_destinations, T, "", 3)
    assert first + database.read_now(walk_destinations, T, first[-1], 3) == names
    assert database.read_now(walk_destinations, Kind.BATCH, "", 9) == ["batch.test"]


def test_the_longest_waiting_come_first_up_to_the_room(database: Database) -> None:
    database.write_now(put, [new_mail(n, "u@x.test", due_at=NOW - n) for n in range(1, 6)])
    database.write_now(put, [new_mail(9, "u@x.test", due_at=NOW + 1)])
    assert claimed_keys(database, ME, {"x.test": 2}) == [(5, 0), (4, 0)]
    assert claimed_keys(database, ME, {"x.test": 9}) == [(3, 0), (2, 0), (1, 0)]
    assert claimed_keys(database, ME, {"x.test": 9}) == []
    assert claimed_keys(database, ME, {"x.test": 9}, NOW + 1) == [(9, 0)]


def test_what_comes_out_is_what_was_put_in(database: Database) -> None:
    mail = new_mail(7, "a@x.test", "b@x.test", tag="t", due_at=NOW - 0.5)
    database.write_now(put, [mail])
    found = database.write_now(claim_due, ME, T, {"x.test": 9}, NOW)
    assert [due.recipient for due in found] == list(mail.recipients)
    assert {due.message for due in found} == {mail.message}


def test_a_claim_gives_only_what_it_took_just_now(database: Database) -> None:
    database.write_now(put, [new_mail(1, "a@x.test", "b@x.test", "c@y.test", claimed={0})])
    assert claimed_keys(database, ME, {"x.test": 9}) == [(1, 1)]


def test_a_claim_is_of_one_kind(database: Database) -> None:
    database.write_now(put, [new_mail(1, "a@x.test", kind=Kind.BATCH)])
    assert claimed_keys(database, ME, {"x.test": 9}) == []
    assert len(database.write_now(claim_due, ME, Kind.BATCH, {"x.test": 9}, NOW)) == 1


def test_ten_thousand_for_one_destination_keep_no_other_waiting(database: Database) -> None:
    for start in range(1, 10_001, 1000):
        database.write_now(put, [new_mail(n, "u@tarpit.test", due_at=NOW - 1000) for n in range(start, start + 1000)])
    database.write_now(put, [new_mail(20_000, "u@fine.test"), new_mail(20_001, "u@zeta.test")])
    walked = database.read_now(walk_destinations, T, "", 10)
    assert walked == ["fine.test", "tarpit.test", "zeta.test"]
    found = claimed_keys(database, ME, dict.fromkeys(walked, 3))
    assert len(found) == 5
    assert {(20_000, 0), (20_001, 0)} < set(found)


@pytest.mark.parametrize("workers", [4])
def test_workers_never_claim_the_same(database: Database, workers: int) -> None:
    database.write_now(put, [new_mail(n, "u@x.test", "v@y.test") for n in range(1, 151)])
    claimed: list[list[tuple[int, int]]] = [[] for _ in range(workers)]

    def work(number: int) -> None:
        while found := claimed_keys(database, Claim(number, 1), {"x.test": 7, "y.test": 3}):
            claimed[number] += found

    threads = [threading.Thread(target=work, args=(number,)) for number in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    everything = [key for found in claimed for key in found]
    assert len(everything) == len(set(everything)) == 300


def test_on_postgresql_a_claim_under_way_holds_no_other_up(postgres_url: str) -> None:
    database = Database(postgres_url)
    database.write_now(put, [new_mail(n, "u@x.test") for n in range(1, 5)])

    def claim_and_let_the_other_claim(connection: Connection) -> tuple[int, int]:
        mine = claim_due(connection, ME, T, {"x.test": 2}, NOW)
        return len(mine), len(database.write_now(claim_due, OTHER, T, {"x.test": 9}, NOW))

    assert database.write_now(claim_and_let_the_other_claim) == (2, 2)
    database.close()


def test_a_worker_reads_again_what_it_holds_still(database: Database) -> None:
    database.write_now(put, [new_mail(1, "a@x.test", "b@x.test", claimed={0, 1}), new_mail(2, "c@x.test")])
    database.write_now(put, [new_mail(3, "d@x.test", claimed={0}, claim=OTHER)])
    found = database.read_now(read_claimed, ME, [(1, 1), (2, 0), (3, 0)])
    assert [(due.recipient.env_id, due.recipient.index) for due in found] == [(1, 1)]


def test_content_that_is_gone_is_none(database: Database) -> None:
    database.write_now(put, [new_mail(1, claimed={0})])
    assert database.read_now(read_content, 1)
    database.write_now(settle, [settled(1, Delivered())])
    assert database.read_now(read_content, 1) is None
    assert database.read_now(read_content, 2) is None
