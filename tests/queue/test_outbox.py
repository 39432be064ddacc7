"""The outbox: what goes in comes out once, in an order that nobody can miss anything by."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from sqlalchemy import Connection, text

from directmail_relay.database import schema
from directmail_relay.database.engine import Database
from directmail_relay.mail.event import FinalEvent
from directmail_relay.queue import outbox
from tests.queue.mail import NOW, final_event

TAKE_ID = text("SELECT pg_current_xact_id()")

ODD_EVENT = replace(
    final_event((1 << 62) + 1, 7),
    tag='a "tag"\\',
    mail_from='"a b"@example.com',
    rcpt="用户@xn--fsqu00a.example",
    err_msg="550 5.1.1 \u2028 没有此用户 \x7f \\x00",
    end_time=NOW + 0.123456,
)


@pytest.mark.parametrize("event", [final_event(1), ODD_EVENT])
def test_an_event_comes_out_of_the_outbox_as_it_went_in(database: Database, event: FinalEvent) -> None:
    database.write_now(outbox.append, [event])
    assert [found for _, found in database.read_now(outbox.read, 0, 9)] == [event]


def test_the_outbox_is_read_onwards_from_a_number(database: Database) -> None:
    database.write_now(outbox.append, [])
    for first in (1, 3):
        database.write_now(outbox.append, [final_event(first), final_event(first + 1)])
    two = database.read_now(outbox.read, 0, 2)
    rest = database.read_now(outbox.read, two[-1][0], 9)
    assert [event.env_id for _, event in two + rest] == [1, 2, 3, 4]
    assert database.read_now(outbox.read, rest[-1][0], 9) == []


def test_what_everybody_has_read_is_forgotten_and_its_numbers_are_never_used_again(database: Database) -> None:
    database.write_now(outbox.append, [final_event(n) for n in range(5)])
    numbers = [number for number, _ in database.read_now(outbox.read, 0, 9)]
    assert database.write_now(outbox.purge, numbers[2], 2) == 2
    assert database.write_now(outbox.purge, numbers[2], 9) == 1
    assert [event.env_id for _, event in database.read_now(outbox.read, 0, 9)] == [3, 4]
    assert database.write_now(outbox.purge, numbers[4], 9) == 2
    database.write_now(outbox.append, [final_event(9)])
    ((number, _),) = database.read_now(outbox.read, 0, 9)
    assert number > numbers[4]


def test_no_reader_skips_an_event_whose_transaction_ends_later(postgres_url: str) -> None:
    late, early = Database(postgres_url), Database(postgres_url)
    try:
        engine, _ = late.engine_for_migrations()
        with engine.connect() as slow, slow.begin():
            outbox.append(slow, [final_event(1)])
            early.write_now(outbox.append, [final_event(2)])
            assert early.read_now(outbox.read, 0, 9) == []
        assert [event.env_id for _, event in early.read_now(outbox.read, 0, 9)] == [1, 2]
    finally:
        late.close()
        early.close()


def test_no_reader_skips_an_event_whose_transaction_began_later_and_numbered_it_earlier(postgres_url: str) -> None:
    """Numbers and transaction ids need not have the same order: what waits for old transactions alone misses one."""
    database = Database(postgres_url)
    try:
        engine, _ = database.engine_for_migrations()
        with engine.connect() as first, engine.connect() as second:
            with second.begin():
                with first.begin():
                    first.execute(TAKE_ID)  # the lower transaction id, and the higher number
                    second.execute(TAKE_ID)
                    outbox.append(second, [final_event(1)])
                    outbox.append(first, [final_event(2)])
                assert database.read_now(outbox.read, 0, 9) == []
            assert [event.env_id for _, event in database.read_now(outbox.read, 0, 9)] == [1, 2]
    finally:
        database.close()


def test_a_reader_that_waits_in_vain_lets_those_who_add_go_on(postgres_url: str) -> None:
    database = Database(postgres_url)
    added = threading.Event()

    def add() -> None:
        database.write_now(outbox.append, [final_event(3)])
        added.set()

    try:
        engine, _ = database.engine_for_migrations()
        with engine.connect() as slow, slow.begin():
            outbox.append(slow, [final_event(1)])
            database.write_now(outbox.append, [final_event(2)])
            adding = threading.Thread(target=add)
            adding.start()
            assert database.read_now(outbox.read, 0, 9) == []
            assert added.wait(10)
            adding.join()
        assert len(database.read_now(outbox.read, 0, 9)) == 3
    finally:
        database.close()


def test_an_event_of_an_older_version_is_read(database: Database) -> None:
    old = outbox.to_json(final_event(1)).replace(',"suppress":"no"', "")
    assert "suppress" not in old

    def insert(connection: Connection) -> None:
        connection.execute(schema.outbox.insert().values(created=1, event=old))

    database.write_now(insert)
    assert [event for _, event in database.read_now(outbox.read, 0, 9)] == [final_event(1)]
