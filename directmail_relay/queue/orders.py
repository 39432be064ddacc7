"""What an operator may do to recipients in the queue: retry, hold, release, drop.

A row that a worker holds is never touched, only marked with what is wanted; its owner obeys with its next beat. So
nothing is taken from under a delivery, and a drop that comes too late is a mail that was delivered.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, bindparam, null, select, update

from directmail_relay.database import schema
from directmail_relay.database.clock import from_ms, to_ms
from directmail_relay.mail import replies
from directmail_relay.mail.event import FinalEvent
from directmail_relay.mail.message import State
from directmail_relay.queue import outbox
from directmail_relay.queue.settle import drop_contents

r, m = schema.recipients, schema.messages

DROPPED_RULE = "dropped"  # the rule that a final event names when an operator gave the recipient up
BITE = 500  # rows in one transaction, so that a large order never holds up a 250


class Order(StrEnum):
    RETRY = "retry"
    HOLD = "hold"
    RELEASE = "release"
    DROP = "drop"


@dataclass(frozen=True, slots=True)
class Progress:
    """How many recipients were changed, and how many marked for the worker that holds them now."""

    changed: int
    marked: int


@dataclass(frozen=True, slots=True)
class _Rule:
    """What an order does: to which states, with which new values, and what it writes on a claimed row."""

    states: frozenset[State]
    values: Callable[[float], dict[str, Any]]
    mark: str | None = None
    unmark: bool = False


_RULES = {
    Order.RETRY: _Rule(frozenset({State.QUEUED}), lambda now: {"due_at": to_ms(now)}),
    Order.HOLD: _Rule(frozenset({State.QUEUED}), lambda _now: {"state": State.HELD.value}, mark="hold"),
    Order.RELEASE: _Rule(
        frozenset({State.HELD}), lambda now: {"state": State.QUEUED.value, "due_at": to_ms(now)}, unmark=True
    ),
    Order.DROP: _Rule(
        frozenset({State.QUEUED, State.HELD}),
        lambda now: {"state": State.FAILED.value, "status": 4, "ended_at": to_ms(now), "wanted": null()},
        mark="drop",
    ),
}


def carry_out(connection: Connection, order: Order, keys: Collection[tuple[int, int]], now: float) -> Progress:
    """Does it to these (env_id, idx), as `selection.read_keys` gave them: `BITE` at a time. `now` is POSIX seconds.

    Each is judged by the state it has now: what ended or changed since it was read is left alone.
    """
    rule = _RULES[order]
    rows = _lock(connection, keys)
    change = [row for row in rows if row.state in rule.states]
    claimed = [row for row in rows if row.state == State.DELIVERING.value]
    _update(connection, change, rule.values(now))
    if order is Order.DROP:
        outbox.append(connection, [dropped_event(row, now) for row in change])
        drop_contents(connection, {row.env_id for row in change})
    marked = claimed if rule.mark else [row for row in claimed if rule.unmark and row.wanted == "hold"]
    _update(connection, marked, {"wanted": rule.mark})
    return Progress(len(change), len(marked))


def _lock(connection: Connection, keys: Collection[tuple[int, int]]) -> Sequence[Row[Any]]:
    wanted = set(keys)
    rows = connection.execute(
        select(r, m.c.account, m.c.mail_from, m.c.message_id, m.c.recv_time, m.c.tag)
        .join(m, m.c.env_id == r.c.env_id)
        .where(r.c.env_id.in_(sorted({env_id for env_id, _ in wanted})))
        .order_by(r.c.env_id, r.c.idx)
        .with_for_update(of=r)
    )
    return [row for row in rows if (row.env_id, row.idx) in wanted]


def _update(connection: Connection, rows: Sequence[Row[Any]], values: dict[str, Any]) -> None:
    if rows:
        change = update(r).where(r.c.env_id == bindparam("of_env_id"), r.c.idx == bindparam("of_idx")).values(**values)
        connection.execute(change, [{"of_env_id": row.env_id, "of_idx": row.idx} for row in rows])


def dropped_event(row: Row[Any], now: float) -> FinalEvent:
    """The final event of a recipient that an operator dropped."""
    return FinalEvent(
        env_id=row.env_id,
        rcpt_index=row.idx,
        msg_id=row.message_id,
        account=row.account,
        mail_from=row.mail_from,
        rcpt=row.rcpt,
        recv_time=from_ms(row.recv_time),
        end_time=now,
        status=4,
        err_code=replies.DROPPED.code,
        err_msg=str(replies.DROPPED),
        category="other",
        rule=DROPPED_RULE,
        attempts=row.attempts,
        tag=row.tag,
    )
