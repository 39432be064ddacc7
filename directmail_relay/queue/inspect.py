"""What is in the queue, in the shapes that `queue list|show|stats` print (interface.md). Reads only."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Subquery, case, func, select

from directmail_relay.database import schema
from directmail_relay.database.clock import iso
from directmail_relay.mail.message import State
from directmail_relay.queue.env_id import seconds_of
from directmail_relay.queue.selection import OPEN_STATES, Selection

r, m, a, s = schema.recipients, schema.messages, schema.attempts, schema.sessions


def list_recipients(
    connection: Connection, selection: Selection, now: float, limit: int | None = None
) -> list[dict[str, Any]]:
    """Up to `limit` open recipients, the oldest message first. `now` is POSIX seconds."""
    o = selection.open_recipients()
    rows = connection.execute(
        select(o.c.env_id, o.c.rcpt, o.c.destination, m.c.account, o.c.state, o.c.attempts, o.c.due_at, m.c.recv_time)
        .join(m, m.c.env_id == o.c.env_id)
        .order_by(o.c.env_id, o.c.idx)
        .limit(limit)
    )
    return [
        {
            "env_id": str(row.env_id),
            "rcpt": row.rcpt,
            "destination": row.destination,
            "account": row.account,
            "state": row.state,
            "attempts": row.attempts,
            "due_at": iso(row.due_at),
            "age_seconds": round(max(0.0, now - row.recv_time / 1000), 1),
        }
        for row in rows
    ]


def show_message(connection: Connection, env_id: int) -> dict[str, Any] | None:
    """The message with every recipient and every attempt; None when there is none of that number (any more)."""
    message = connection.execute(select(m).where(m.c.env_id == env_id)).one_or_none()
    if message is None:
        return None
    attempts: dict[int, list[dict[str, Any]]] = {}
    for row in connection.execute(select(a).where(a.c.env_id == env_id).order_by(a.c.idx, a.c.n)):
        attempts.setdefault(row.idx, []).append(_attempt(row))
    recipients = connection.execute(select(r).where(r.c.env_id == env_id).order_by(r.c.idx))
    return {
        "env_id": str(env_id),
        "account": message.account,
        "mail_from": message.mail_from,
        "message_id": message.message_id,
        "size": message.size,
        "recv_time": iso(message.recv_time),
        "tag": message.tag,
        "recipients": [_recipient(row, attempts.get(row.idx, [])) for row in recipients],
    }


def _recipient(row: Row[Any], attempts: list[dict[str, Any]]) -> dict[str, Any]:
    ended = row.state in {State.DELIVERED.value, State.FAILED.value}
    return {
        "rcpt": row.rcpt,
        "destination": row.destination,
        "state": row.state,
        "status": row.status,
        "due_at": None if ended else iso(row.due_at),
        "ended_at": iso(row.ended_at),
        "attempts": attempts,
    }


def _attempt(row: Row[Any]) -> dict[str, Any]:
    return {
        "at": iso(row.at),
        "seconds": row.duration / 1000,
        "mx_host": row.mx_host,
        "mx_ip": row.mx_ip,
        "stage": row.stage,
        "code": row.code,
        "enhanced": row.enhanced,
        "text": row.text,
        "category": row.category,
        "rule": row.rule,
        "tls": row.tls,
    }


def count_states(connection: Connection) -> dict[str, int]:
    """How many open recipients are in each state; every open state is named. Reads each state's own small index."""
    return {
        state.value: connection.execute(select(func.count()).select_from(r).where(condition)).scalar_one()
        for state, condition in OPEN_STATES.items()
    }


def list_destinations(connection: Connection, now: float, limit: int | None = None) -> list[dict[str, Any]]:
    """Open recipients by destination, the fullest first; how long the oldest waits, and the sessions open to it."""
    o = Selection().open_recipients()
    rows = connection.execute(
        select(
            o.c.destination,
            _how_many(o, State.QUEUED),
            _how_many(o, State.DELIVERING),
            _how_many(o, State.HELD),
            func.min(o.c.env_id).label("oldest"),
        )
        .group_by(o.c.destination)
        .order_by(func.count().desc(), o.c.destination)
        .limit(limit)
    ).all()
    open_sessions = {row.destination: row.open for row in connection.execute(_sessions)}
    return [
        {
            "destination": row.destination,
            "queued": row.queued,
            "delivering": row.delivering,
            "held": row.held,
            "oldest_seconds": round(max(0.0, now - seconds_of(row.oldest)), 1),
            "sessions": int(open_sessions.get(row.destination, 0)),
            "paused_until": None,
        }
        for row in rows
    ]


def _how_many(rows: Subquery, state: State) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((rows.c.state == state.value, 1), else_=0)), 0).label(state.value)


_sessions = select(s.c.destination, func.sum(s.c.open).label("open")).group_by(s.c.destination)


def oldest_open(connection: Connection, now: float) -> float:
    """Seconds that the longest waiting queued recipient has been here; 0.0 when nothing waits."""
    # env_id + 0: else SQLite walks the primary key, through a month of ended recipients, to the first queued one.
    oldest = connection.execute(select(func.min(r.c.env_id + 0)).where(OPEN_STATES[State.QUEUED])).scalar_one()
    return 0.0 if oldest is None else max(0.0, now - seconds_of(oldest))


def sample(connection: Connection, now: float) -> tuple[dict[str, int], float]:
    """For the gauges: how many recipients in each open state, and `oldest_open`."""
    return count_states(connection), oldest_open(connection, now)
