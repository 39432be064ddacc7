"""Readers of the outbox: each event takes effect once, in whatever worker, whatever breaks off in between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import Connection
from structlog.testing import capture_logs

from directmail_relay.accounts.accounts import add_account
from directmail_relay.accounts.changes import Change
from directmail_relay.accounts.invalid_addresses import list_invalid
from directmail_relay.app import outbox_readers
from directmail_relay.app.outbox_readers import READERS, Reader, invalid_address_reader, read_on
from directmail_relay.database.cursors import CursorMovedError, move_cursor, read_cursor, read_slowest
from directmail_relay.database.engine import Database
from directmail_relay.delivery.life import Life
from directmail_relay.mail.event import FinalEvent
from directmail_relay.queue import outbox
from directmail_relay.queue.orders import Order, carry_out
from directmail_relay.queue.put import put
from tests.conftest import Clock
from tests.queue.mail import NOW, final_event, new_mail

READER = invalid_address_reader(lambda: False)


@pytest.fixture
async def life(database: Database, clock: Clock) -> Life:
    return await begun(database, clock, 32)


async def begun(database: Database, clock: Clock, owner: int) -> Life:
    made = Life(database, owner, clock.monotonic)
    await made.begin()
    return made


def settle(database: Database, *statuses: int) -> None:
    events = [
        replace(final_event(n), rcpt=f"n{n}@x.test", status=status, err_msg="550 5.1.1 no such user")
        for n, status in enumerate(statuses)
    ]
    database.write_now(outbox.append, events)


def failures() -> float:
    return REGISTRY.get_sample_value("directmail_failed_total", {"status": "4"}) or 0.0


def invalid(database: Database) -> set[str]:
    return {one["address"] for one in database.read_now(list_invalid, "shop")}


async def test_recipients_with_status_2_become_invalid_addresses_of_their_account(
    database: Database, life: Life
) -> None:
    database.write_now(add_account, Change("cli:root", NOW), "shop")
    settle(database, 0, 2, 3, 4, 2)
    assert await read_on(database, life, READER) == 5
    assert invalid(database) == {"n1@x.test", "n4@x.test"}
    assert await read_on(database, life, READER) == 0


async def test_an_account_that_is_gone_stops_nobody(database: Database, life: Life) -> None:
    settle(database, 2)
    assert await read_on(database, life, READER) == 1


async def test_what_operators_drop_is_told_and_counted_by_one_worker(
    database: Database, life: Life, clock: Clock
) -> None:
    other = await begun(database, clock, 33)
    database.write_now(put, [new_mail(1, "a@x.test"), new_mail(2, "b@x.test")])
    settle(database, 4)  # a failure that its own worker has told already
    assert await read_on(database, life, READER) == 1
    database.write_now(carry_out, Order.DROP, [(2, 0)], NOW)
    failed = failures()
    with capture_logs() as logs:
        settle(database, 4)
        assert await read_on(database, life, READER) == 2
        assert await read_on(database, life, READER) == 0
        assert await read_on(database, other, READER) == 0
    assert [(line["event"], line["env_id"], line["rcpt"]) for line in logs] == [("dropped", "2", "b@x.test")]
    assert (logs[0]["account"], logs[0]["attempts"]) == ("shop", 0)
    assert failures() == failed + 1


async def test_nothing_is_told_of_a_batch_that_was_not_taken_in(database: Database, life: Life) -> None:
    told: list[Sequence[FinalEvent]] = []

    def fail(_connection: Any, _events: Any) -> None:
        raise ValueError("no")

    settle(database, 4)
    with pytest.raises(ValueError, match="no"):
        await read_on(database, life, Reader(READERS[0], fail, told.append))
    assert told == []
    assert await read_on(database, life, Reader(READERS[0], lambda *_: None, told.append)) == 1
    assert [[event.rcpt for event in events] for events in told] == [["n0@x.test"]]


async def test_all_that_waits_is_read_in_batches(
    database: Database, life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_readers, "BATCH", 2)
    taken: list[int] = []

    def effect(_connection: Connection, events: Sequence[FinalEvent]) -> None:
        taken.append(len(events))

    settle(database, 0, 0, 0, 0, 0)
    assert await read_on(database, life, Reader(READERS[0], effect)) == 5
    assert taken == [2, 2, 1]


async def test_one_worker_has_the_duty_and_another_goes_on_where_it_stopped(
    database: Database, life: Life, clock: Clock
) -> None:
    settle(database, 0, 0)
    other = await begun(database, clock, 33)
    assert await read_on(database, life, READER) == 2
    settle(database, 0)
    assert await read_on(database, other, READER) == 0
    await life.end()
    assert await read_on(database, other, READER) == 1


async def test_an_effect_that_fails_leaves_the_cursor_where_it_was(database: Database, life: Life) -> None:
    def fail(_connection: Any, _events: Any) -> None:
        raise ValueError("no")

    settle(database, 2)
    with pytest.raises(ValueError, match="no"):
        await read_on(database, life, Reader(READERS[0], fail))
    assert database.read_now(read_cursor, READERS[0]) == 0
    assert await read_on(database, life, READER) == 1


async def test_of_two_that_read_the_same_batch_one_is_refused_with_its_effect(database: Database) -> None:
    database.write_now(move_cursor, "x", 0, 5)
    with pytest.raises(CursorMovedError):
        database.write_now(move_cursor, "x", 0, 5)
    with pytest.raises(CursorMovedError):
        database.write_now(move_cursor, "x", 4, 9)
    database.write_now(move_cursor, "x", 5, 9)
    assert database.read_now(read_cursor, "x") == 9


def test_events_are_kept_for_the_slowest_reader(database: Database) -> None:
    assert database.read_now(read_slowest, ["a", "b"]) == 0
    database.write_now(move_cursor, "a", 0, 7)
    assert database.read_now(read_slowest, ["a", "b"]) == 0
    database.write_now(move_cursor, "b", 0, 3)
    database.write_now(move_cursor, "gone", 0, 1)  # a reader of an older version holds nothing back
    assert database.read_now(read_slowest, ["a", "b"]) == 3


async def test_a_worker_in_doubt_about_its_life_reads_nothing(database: Database, life: Life, clock: Clock) -> None:
    settle(database, 2)
    clock.advance(60)
    assert await read_on(database, life, READER) == 0
