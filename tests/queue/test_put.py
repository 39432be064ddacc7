"""Accepted mail is stored whole or not at all, and never beyond a quota."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection, event, select, text
from sqlalchemy.exc import IntegrityError

from directmail_relay.database import schema
from directmail_relay.database.engine import Database
from directmail_relay.database.group_commit import GroupCommit
from directmail_relay.mail.address import Address, parse_address
from directmail_relay.mail.message import Kind
from directmail_relay.policy.quota import Limits, Periods, Used, period_keys
from directmail_relay.policy.verdict import Refuse
from directmail_relay.queue.due import claim_due, parse_stored, read_content
from directmail_relay.queue.put import NewMessage, put
from directmail_relay.queue.usage import lock_used, read_used
from tests.queue.mail import DAY, ME, NOW, count, new_mail, row


def used(database: Database, account: str = "shop", periods: Periods = DAY) -> Used:
    return database.read_now(read_used, account, periods)


def test_a_message_is_stored_as_it_was_accepted(database: Database) -> None:
    mail = new_mail(
        (1 << 62) + 3,
        "user@example.net",
        tag="spring",
        client_ip="192.0.2.7",
        body_8bit=True,
        smtputf8=True,
        ret="HDRS",
        envid="x+2B",
        kind=Kind.BATCH,
    )
    assert database.write_now(put, [mail]) == [None]
    stored = database.read_now(lambda connection: connection.execute(select(schema.messages)).one()._asdict())
    assert stored == {
        "env_id": (1 << 62) + 3,
        "account": "shop",
        "mail_from": "notice@example.com",
        "message_id": "<1@example.com>",
        "recv_time": 1_795_000_000_000,
        "size": 11,
        "kind": "batch",
        "tag": "spring",
        "client_ip": "192.0.2.7",
        "body_8bit": True,
        "smtputf8": True,
        "ret": "HDRS",
        "envid": "x+2B",
    }
    assert database.read_now(read_content, (1 << 62) + 3) == b"Subject: x\r\n"


def test_recipients_are_born_due_or_claimed(database: Database) -> None:
    database.write_now(put, [new_mail(5, "a@one.test", "b@two.test", claimed={1}, due_at=NOW + 0.5)])
    waiting = {
        "env_id": 5,
        "idx": 0,
        "rcpt": "a@one.test",
        "destination": "one.test",
        "kind": "trigger",
        "state": "queued",
        "attempts": 0,
        "due_at": 1_795_000_000_500,
        "owner": None,
        "epoch": None,
        "wanted": None,
        "status": None,
        "ended_at": None,
        "notify": None,
        "orcpt": None,
    }
    claimed = {"idx": 1, "rcpt": "b@two.test", "destination": "two.test"}
    claimed_by = {"state": "delivering", "owner": ME.owner, "epoch": ME.epoch}
    assert database.read_now(row, 5, 0) == waiting
    assert database.read_now(row, 5, 1) == {**waiting, **claimed, **claimed_by}


ODD = [
    Address('"a@b"', "example.net"),
    Address('"a b\\"@\\@"', "example.net"),
    Address("o'brien+x=y", "xn--bcher-kva.example"),
    Address("用户", "xn--fsqu00a.example"),
]


@pytest.mark.parametrize("address", ODD, ids=str)
def test_every_address_comes_back_as_it_went_in(database: Database, address: Address) -> None:
    assert parse_stored(str(address)) == address == parse_address(str(address), smtputf8=True)
    database.write_now(put, [new_mail(1, str(address), mail_from=address)])
    (due,) = database.write_now(claim_due, ME, Kind.TRIGGER, {address.domain: 1}, NOW)
    assert (due.recipient.rcpt, due.message.mail_from) == (address, address)


def test_the_null_reverse_path_stays_null(database: Database) -> None:
    database.write_now(put, [new_mail(1, mail_from=None)])
    (due,) = database.write_now(claim_due, ME, Kind.TRIGGER, {"example.net": 1}, NOW)
    assert due.message.mail_from is None


@pytest.mark.parametrize("content", [b"", b"\x00\xff\r\n" * 1000, b"x" * 3_000_000], ids=["none", "octets", "large"])
def test_content_is_any_octets(database: Database, content: bytes) -> None:
    mail = new_mail(1)
    database.write_now(put, [NewMessage(mail.message, mail.recipients, content, mail.limits, mail.periods, mail.claim)])
    assert database.read_now(read_content, 1) == content


def test_every_span_counts_recipients(database: Database) -> None:
    database.write_now(put, [new_mail(1, "a@x.test", "b@x.test"), new_mail(2), new_mail(3, account="other")])
    assert used(database) == Used(3, 3, 3)
    assert used(database, "other") == Used(1, 1, 1)


@pytest.mark.parametrize(
    ("limits", "why"),
    [
        (Limits(daily=3), "daily_quota"),
        (Limits(monthly=3), "monthly_quota"),
        (Limits(total=3), "total_quota"),
    ],
)
def test_a_message_beyond_the_quota_is_refused_whole_and_the_next_that_fits_is_not(
    database: Database, limits: Limits, why: str
) -> None:
    two = ("a@x.test", "b@x.test")
    group = [new_mail(1, *two, limits=limits), new_mail(2, *two, limits=limits), new_mail(3, limits=limits)]
    first, second, third = database.write_now(put, group)
    assert (first, third) == (None, None)
    assert isinstance(second, Refuse)
    assert second.why == why
    assert used(database) == Used(3, 3, 3)
    assert database.read_now(lambda connection: [count(connection, name) for name in ("messages", "contents")]) == [
        2,
        2,
    ]


async def test_200_senders_at_once_get_exactly_what_the_quota_allows(database: Database) -> None:
    limits = Limits(daily=120, monthly=1000, total=1000)
    commit: GroupCommit[NewMessage, Refuse | None] = GroupCommit(database, put, max_items=7)
    answers = await asyncio.gather(*(commit.submit(new_mail(n, limits=limits)) for n in range(1, 201)))
    assert sum(answer is None for answer in answers) == 120
    assert {answer.why for answer in answers if answer} == {"daily_quota"}
    assert used(database) == Used(120, 120, 120)
    assert database.read_now(count, "messages") == 120


def test_threads_of_their_own_get_exactly_what_the_quota_allows(database: Database) -> None:
    """As several processes would: each a transaction of its own, with two accounts in each group."""
    answers: list[tuple[str, Refuse | None]] = []

    def send(sender: int) -> None:
        for n in range(10):
            names = ["shop", "other"] if sender % 2 else ["other", "shop"]
            group = [
                new_mail(1000 * sender + 2 * n + index, account=name, limits=Limits(total=30))
                for index, name in enumerate(names)
            ]
            answers.extend(zip(names, database.write_now(put, group), strict=True))

    threads = [threading.Thread(target=send, args=(sender,)) for sender in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 160
    assert Counter(name for name, answer in answers if answer is None) == {"shop": 30, "other": 30}
    assert used(database) == used(database, "other") == Used(30, 30, 30)


ZONE = ZoneInfo("Asia/Shanghai")
MIDNIGHT = datetime(2026, 12, 1, tzinfo=ZONE).timestamp()


def test_around_midnight_one_group_counts_in_two_days_and_two_months(database: Database) -> None:
    before, after = period_keys(MIDNIGHT - 0.001, ZONE), period_keys(MIDNIGHT, ZONE)
    limits = Limits(daily=2, monthly=2, total=3)
    group = [
        new_mail(n, limits=limits, periods=periods)
        for n, periods in enumerate([before, after, before, before, after, after], start=1)
    ]
    whys = [answer.why if answer else None for answer in database.write_now(put, group)]
    assert whys == [None, None, None, "monthly_quota", "total_quota", "total_quota"]
    assert used(database, periods=before) == Used(2, 2, 3)
    assert used(database, periods=after) == Used(1, 1, 3)


@pytest.mark.parametrize("used_before", [False, True], ids=["first mail", "later mail"])
def test_whoever_has_an_account_has_it_in_every_period(postgres_url: str, used_before: bool) -> None:  # noqa: FBT001
    """At the turn of a month one group locks both, another only the new one: they must not wait in a circle."""
    before, after = period_keys(MIDNIGHT - 1, ZONE), period_keys(MIDNIGHT, ZONE)
    database = Database(postgres_url)
    if used_before:
        database.write_now(put, [new_mail(1, periods=before), new_mail(2, periods=after)])
    other = threading.Thread(target=database._write_once, args=(lock_used, ["shop"], after))

    def lock_both(connection: Connection) -> None:
        lock_used(connection, ["shop"], before)
        other.start()
        while not database.read_now(waiting):
            pass
        lock_used(connection, ["shop"], after)

    database._write_once(lock_both)
    other.join()
    database.close()


def waiting(connection: Connection) -> int:
    ask = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
    found: int = connection.execute(ask).scalar_one()
    return found


def test_accounts_are_locked_in_one_order_whatever_the_order_of_the_group(database: Database) -> None:
    before, after = period_keys(MIDNIGHT - 1, ZONE), period_keys(MIDNIGHT, ZONE)
    group = [("b", after), ("a", after), ("b", before), ("a", before), ("b", after)]
    asked: list[str] = []

    def note(_connection: object, statement: object, many: list[Any], one: dict[str, Any], _options: object) -> None:
        values = one or (many[0] if many else {})
        if "usage" in str(statement) and "of_account" in values:
            asked.append(values["of_account"])

    event.listen(database._writer, "before_execute", note)
    database.write_now(put, [new_mail(n, account=name, periods=day) for n, (name, day) in enumerate(group, start=1)])
    event.remove(database._writer, "before_execute", note)
    assert len(asked) >= 4
    assert asked == sorted(asked)


def test_an_env_id_that_exists_stores_nothing_of_its_group(database: Database) -> None:
    database.write_now(put, [new_mail(1)])
    with pytest.raises(IntegrityError):
        database.write_now(put, [new_mail(2), new_mail(1)])
    assert database.read_now(count, "messages") == 1
    assert used(database) == Used(1, 1, 1)


async def test_an_env_id_that_exists_does_not_take_its_neighbours_with_it(database: Database) -> None:
    commit: GroupCommit[NewMessage, Refuse | None] = GroupCommit(database, put)
    await commit.submit(new_mail(1))
    answers = await asyncio.gather(*(commit.submit(new_mail(n)) for n in (2, 1, 3)), return_exceptions=True)
    assert isinstance(answers[1], IntegrityError)
    assert [answers[0], answers[2]] == [None, None]
    assert database.read_now(count, "messages") == 3
    assert used(database) == Used(3, 3, 3)


async def test_a_message_that_the_database_cannot_hold_fails_alone(database: Database) -> None:
    """A lone surrogate is no text to either database; the driver finds out, after the group was formed."""
    commit: GroupCommit[NewMessage, Refuse | None] = GroupCommit(database, put)
    group = [new_mail(1), new_mail(2, tag="\udcff"), new_mail(3)]
    answers = await asyncio.gather(*(commit.submit(mail) for mail in group), return_exceptions=True)
    assert isinstance(answers[1], Exception)
    assert [answers[0], answers[2]] == [None, None]
    assert used(database) == Used(2, 2, 2)
