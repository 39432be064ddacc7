"""Retry, hold, release, drop: on what waits at once; on what a worker holds as a mark, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection, update

from directmail_relay.database import schema
from directmail_relay.database.engine import Database
from directmail_relay.mail.message import Kind, State
from directmail_relay.policy.verdict import Delivered
from directmail_relay.queue import outbox
from directmail_relay.queue.due import read_content
from directmail_relay.queue.orders import Order, Progress, carry_out
from directmail_relay.queue.put import put
from directmail_relay.queue.selection import Selection, read_keys
from directmail_relay.queue.settle import settle
from tests.queue.mail import ME, NOW, new_mail, row, settled

LATER = NOW + 100
STATES = ("queued", "delivering", "held", "delivered")


def change(connection: Connection, env_id: int, index: int, values: dict[str, Any]) -> None:
    r = schema.recipients
    connection.execute(update(r).where(r.c.env_id == env_id, r.c.idx == index).values(**values))


@pytest.fixture
def four(database: Database) -> Database:
    """One message with a recipient in each state, in the order of STATES."""
    database.write_now(
        put, [new_mail(1, *(f"{state}@x.test" for state in STATES), claimed={1, 3}, due_at=NOW + 3600, tag="t")]
    )
    database.write_now(change, 1, 2, {"state": "held"})
    database.write_now(settle, [settled(1, Delivered(), index=3)])
    return database


def obey(database: Database, order: Order, selection: Selection, now: float = LATER) -> Progress:
    return database.write_now(carry_out, order, database.read_now(read_keys, selection), now)


def stand(database: Database) -> list[tuple[str, str | None]]:
    rows = [database.read_now(row, 1, index) for index in range(4)]
    return [(one["state"], one["wanted"]) for one in rows]


BEFORE = [("queued", None), ("delivering", None), ("held", None), ("delivered", None)]


@pytest.mark.parametrize(
    ("order", "after", "progress"),
    [
        (Order.RETRY, BEFORE, Progress(1, 0)),
        (Order.HOLD, [("held", None), ("delivering", "hold"), *BEFORE[2:]], Progress(1, 1)),
        (Order.RELEASE, [*BEFORE[:2], ("queued", None), BEFORE[3]], Progress(1, 0)),
        (Order.DROP, [("failed", None), ("delivering", "drop"), ("failed", None), BEFORE[3]], Progress(2, 1)),
    ],
)
def test_each_order_does_its_own_to_each_state(
    four: Database, order: Order, after: list[tuple[str, str | None]], progress: Progress
) -> None:
    claimed, ended = four.read_now(row, 1, 1), four.read_now(row, 1, 3)
    assert obey(four, order, Selection()) == progress
    assert stand(four) == after
    assert four.read_now(row, 1, 1) == {**claimed, "wanted": after[1][1]}  # marked at most
    assert four.read_now(row, 1, 3) == ended


def test_a_retry_makes_it_due_now(four: Database) -> None:
    obey(four, Order.RETRY, Selection())
    assert [four.read_now(row, 1, index)["due_at"] for index in (0, 2)] == [LATER * 1000, (NOW + 3600) * 1000]


def test_what_is_released_is_due_now(four: Database) -> None:
    obey(four, Order.RELEASE, Selection())
    assert [four.read_now(row, 1, index)["due_at"] for index in (0, 2)] == [(NOW + 3600) * 1000, LATER * 1000]


def test_a_release_takes_back_the_hold_that_a_worker_has_not_heard_yet(four: Database) -> None:
    obey(four, Order.HOLD, Selection())
    assert obey(four, Order.RELEASE, Selection()) == Progress(2, 1)
    assert stand(four)[1] == ("delivering", None)


def test_a_release_does_not_take_back_a_drop(four: Database) -> None:
    obey(four, Order.DROP, Selection())
    assert obey(four, Order.RELEASE, Selection()) == Progress(0, 0)
    assert stand(four)[1] == ("delivering", "drop")


def test_a_drop_ends_in_an_event_each(four: Database) -> None:
    obey(four, Order.DROP, Selection())
    events = [event for _, event in four.read_now(outbox.read, 0, 9)][1:]
    assert [(event.rcpt, event.rcpt_index) for event in events] == [("queued@x.test", 0), ("held@x.test", 2)]
    event = events[0]
    assert (event.status, event.err_code, event.err_msg) == (4, 554, "554 Dropped by the operator")
    assert (event.account, event.mail_from, event.msg_id) == ("shop", "notice@example.com", "<1@example.com>")
    assert (event.recv_time, event.end_time, event.attempts, event.tag) == (NOW, LATER, 0, "t")
    ended = four.read_now(row, 1, 0)
    assert (ended["status"], ended["ended_at"]) == (4, LATER * 1000)


def test_a_drop_of_the_last_takes_the_content(four: Database) -> None:
    obey(four, Order.DROP, Selection())
    assert four.read_now(read_content, 1)  # one is being delivered
    four.write_now(settle, [settled(1, Delivered(), index=1)])
    four.write_now(put, [new_mail(2)])
    obey(four, Order.DROP, Selection())
    assert four.read_now(read_content, 1) is None
    assert four.read_now(read_content, 2) is None


def test_what_changed_since_it_was_selected_is_judged_anew(four: Database) -> None:
    keys = four.read_now(read_keys, Selection())
    assert keys == [(1, 0), (1, 1), (1, 2)]
    four.write_now(settle, [settled(1, Delivered(), index=1)])
    four.write_now(change, 1, 0, {"state": "delivering", "owner": ME.owner, "epoch": ME.epoch})
    assert four.write_now(carry_out, Order.DROP, keys, LATER) == Progress(1, 1)
    assert stand(four)[:2] == [("delivering", "drop"), ("delivered", None)]


def test_an_order_to_some_leaves_their_neighbours_alone(four: Database) -> None:
    assert four.write_now(carry_out, Order.DROP, [(1, 2), (9, 9)], LATER) == Progress(1, 0)
    assert four.write_now(carry_out, Order.DROP, [], LATER) == Progress(0, 0)
    assert stand(four) == [*BEFORE[:2], ("failed", None), BEFORE[3]]


@pytest.mark.parametrize(
    ("selection", "keys"),
    [
        (Selection(), [(1, 0), (1, 1), (2, 0), (3, 0)]),
        (Selection(env_id=1), [(1, 0), (1, 1)]),
        (Selection(env_id=99), []),
        (Selection(rcpt="ANNA@One.Test"), [(1, 0), (3, 0)]),
        (Selection(rcpt="Änne@two.test"), [(1, 1)]),
        (Selection(rcpt="anna@two.test"), []),
        (Selection(destination="Two.Test"), [(1, 1), (2, 0)]),
        (Selection(account="other"), [(2, 0)]),
        (Selection(state=State.HELD), [(2, 0)]),
        (Selection(state=State.DELIVERING), [(3, 0)]),
        (Selection(state=State.QUEUED), [(1, 0), (1, 1)]),
        (Selection(rcpt="anna@one.test", state=State.QUEUED, account="shop", env_id=1), [(1, 0)]),
        (Selection(rcpt="anna@one.test", account="other"), []),
    ],
)
def test_a_selection_means_what_it_says(database: Database, selection: Selection, keys: list[tuple[int, int]]) -> None:
    database.write_now(
        put,
        [
            new_mail(1, "Anna@one.test", "Änne@two.test"),
            new_mail(2, "bert@two.test", account="other", kind=Kind.BATCH),
            new_mail(3, "anna@one.test", claimed={0}),
            new_mail(4, "ended@two.test", claimed={0}),
        ],
    )
    database.write_now(change, 2, 0, {"state": "held"})
    database.write_now(settle, [settled(4, Delivered())])
    assert database.read_now(read_keys, selection) == keys
    assert selection.is_everything == (selection == Selection())
