"""SQLite answers every statement that runs often from an index, and never reads all recipients.

The table keeps a month of what has ended; what is open is a small part of it. The plans are those of a database
without statistics, as ours is: the planner goes by the form of the statement alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, event

from directmail_relay.database.engine import Database
from directmail_relay.mail.message import Kind, State
from directmail_relay.policy.verdict import Delivered, RetryAt
from directmail_relay.queue import outbox
from directmail_relay.queue.claim import beat, begin_life, bury, end_life, give_back, read_wanted
from directmail_relay.queue.due import claim_due, next_due_at, read_claimed, walk_destinations
from directmail_relay.queue.inspect import count_states, list_destinations, list_recipients, oldest_open, show_message
from directmail_relay.queue.orders import Order, carry_out
from directmail_relay.queue.purge import purge_messages
from directmail_relay.queue.put import put
from directmail_relay.queue.selection import Selection, read_keys
from directmail_relay.queue.settle import purge_contents, settle
from tests.queue.mail import ME, NOW, new_mail, settled

Explain = Callable[..., list[str]]


@pytest.fixture
def database(sqlite_url: str) -> Iterator[Database]:
    opened = Database(sqlite_url)
    opened.write_now(begin_life, ME.owner)
    opened.write_now(put, [new_mail(n, "a@x.test", "b@y.test", claimed={0}) for n in range(1, 5)])
    yield opened
    opened.close()


@pytest.fixture
def explain(database: Database) -> Explain:
    """Runs a function, then asks SQLite how it would run each of the statements it made."""

    def ask(fn: Callable[..., object], *args: object) -> list[str]:
        seen: list[tuple[str, Any]] = []

        def note(_connection: Connection, _cursor: object, statement: str, parameters: Any, *rest: object) -> None:
            many = rest[-1]
            seen.append((statement, parameters[0] if many else parameters))

        event.listen(database._writer, "before_cursor_execute", note)
        database.write_now(fn, *args)
        event.remove(database._writer, "before_cursor_execute", note)
        statements = [one for one in seen if not one[0].startswith("BEGIN")]
        assert statements
        return [step for one in statements for step in database.read_now(steps_of, *one)]

    return ask


def steps_of(connection: Connection, statement: str, parameters: Any) -> list[str]:
    rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
    return [str(row[3]) for row in rows]


OFTEN: list[tuple[Callable[..., object], tuple[object, ...]]] = [
    (walk_destinations, (Kind.TRIGGER, "", 9)),
    (next_due_at, ()),
    (claim_due, (ME, Kind.TRIGGER, {"y.test": 2}, NOW)),
    (read_claimed, (ME, [(1, 0)])),
    (put, ([new_mail(9)],)),
    (settle, ([settled(1, Delivered()), settled(2, RetryAt(NOW))],)),
    (give_back, (ME, [(1, 0)])),
    (beat, (ME, {"x.test": 1})),
    (read_wanted, (ME,)),
    (begin_life, (ME.owner,)),
    (end_life, (ME,)),
    (bury, (ME.owner, ME.epoch, 0)),
    (count_states, ()),
    (oldest_open, (NOW,)),
    (list_destinations, (NOW, 10)),
    (list_recipients, (Selection(), NOW, 10)),
    (show_message, (1,)),
    (carry_out, (Order.DROP, [(1, 0), (1, 1)], NOW)),
    (carry_out, (Order.HOLD, [(1, 0), (1, 1)], NOW)),
    (purge_messages, (NOW, 10)),
    (purge_contents, (10,)),
    (outbox.read, (0, 10)),
    *(
        (read_keys, (selection,))
        for selection in (
            Selection(),
            Selection(env_id=1),
            Selection(rcpt="a@x.test"),
            Selection(destination="x.test"),
            Selection(account="shop"),
            Selection(state=State.HELD),
        )
    ),
]


@pytest.mark.parametrize(("fn", "args"), OFTEN, ids=lambda one: getattr(one, "__name__", ""))
def test_nothing_reads_all_recipients_or_messages(
    explain: Explain, fn: Callable[..., object], args: tuple[object, ...]
) -> None:
    for step in explain(fn, *args):
        first, _, rest = step.partition(" ")
        table, _, how = rest.partition(" ")
        partial = any(name in how for name in ("ix_recipients_due", "ix_recipients_owner", "ix_recipients_held"))
        assert first != "SCAN" or table not in {"recipients", "messages", "attempts", "outbox"} or partial, step


@pytest.mark.parametrize(
    ("fn", "args", "step"),
    [
        (
            walk_destinations,
            (Kind.TRIGGER, "", 1),
            "SEARCH recipients USING COVERING INDEX ix_recipients_due (kind=? AND destination>?)",
        ),
        (
            claim_due,
            (ME, Kind.TRIGGER, {"y.test": 2}, NOW),
            "SEARCH recipients USING COVERING INDEX ix_recipients_due (kind=? AND destination=? AND due_at<?)",
        ),
        (next_due_at, (), "SCAN recipients USING COVERING INDEX ix_recipients_due_at"),
        (count_states, (), "SCAN recipients USING COVERING INDEX ix_recipients_due_at"),
        (count_states, (), "SEARCH recipients USING COVERING INDEX ix_recipients_owner (owner>?)"),
        (oldest_open, (NOW,), "SEARCH recipients USING COVERING INDEX ix_recipients_due_at"),
        (settle, ([settled(1, Delivered())],), "SEARCH recipients USING PRIMARY KEY (env_id=? AND idx=?)"),
        (read_keys, (Selection(env_id=1),), "SEARCH recipients USING PRIMARY KEY (env_id=?)"),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_the_hot_ones_use_the_index_that_was_made_for_them(
    explain: Explain, fn: Callable[..., object], args: tuple[object, ...], step: str
) -> None:
    assert step in explain(fn, *args)


def test_what_goes_to_one_destination_is_found_by_it(explain: Explain) -> None:
    steps = explain(read_keys, Selection(destination="x.test"))
    assert any("ix_recipients_due (kind=? AND destination=?" in step for step in steps)
    assert any("ix_recipients_held (destination=?" in step for step in steps)


def test_no_claim_sorts_what_it_finds(explain: Explain) -> None:
    """A sort would read the whole destination before the first row comes out."""
    steps = explain(claim_due, ME, Kind.TRIGGER, {"none.test": 2}, NOW)
    assert not [step for step in steps if "TEMP B-TREE" in step]
