"""The outbox: the final events, in the order in which they were settled. Whatever reports or notifies reads here.

On PostgreSQL numbers are given before the commit, so number 7 can become visible when 8 has been read already. Each
row therefore names its transaction, and readers stay below the oldest one that still runs: nobody skips an event.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import fields

from sqlalchemy import Connection, delete, func, select, text

from directmail_relay.database.schema import outbox
from directmail_relay.mail.event import FinalEvent
from directmail_relay.queue.clock import to_ms

_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_THIS_TRANSACTION = text("CAST(CAST(pg_current_xact_id() AS text) AS bigint)")
_OLDEST_RUNNING = text("CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint)")
# Not asdict(): it copies every value deeply, which costs more than storing the row.
_FIELDS = [field.name for field in fields(FinalEvent)]


def append(connection: Connection, events: Iterable[FinalEvent]) -> None:
    """Adds the events, in the transaction that settles their recipients."""
    rows = [{"created": to_ms(event.end_time), "event": to_json(event)} for event in events]
    if rows:
        xact = text("0") if connection.dialect.name == "sqlite" else _THIS_TRANSACTION
        connection.execute(outbox.insert().values(xact=xact), rows)


def read(connection: Connection, after: int, limit: int) -> list[tuple[int, FinalEvent]]:
    """Up to `limit` events behind the one numbered `after`, with their numbers.

    On PostgreSQL an event waits until no transaction runs that could still come before it.
    """
    settled = [] if connection.dialect.name == "sqlite" else [outbox.c.xact < _OLDEST_RUNNING]
    rows = connection.execute(
        select(outbox.c.id, outbox.c.event).where(outbox.c.id > after, *settled).order_by(outbox.c.id).limit(limit)
    )
    return [(row.id, from_json(row.event)) for row in rows]


def read_dropped(connection: Connection, after: int) -> tuple[list[FinalEvent], int]:
    """The recipients that operators dropped behind the event numbered `after`, and the number of the last event."""
    last = max(read_last(connection), after)
    dropped = outbox.c.event.like('%"rule":"dropped"%')
    rows = connection.execute(
        select(outbox.c.event).where(outbox.c.id > after, outbox.c.id <= last, dropped).order_by(outbox.c.id)
    )
    return [from_json(row.event) for row in rows], last


def read_last(connection: Connection) -> int:
    """The number of the last event; 0 when there is none."""
    last: int | None = connection.execute(select(func.max(outbox.c.id))).scalar_one()
    return last or 0


def purge(connection: Connection, before: float, limit: int) -> int:
    """Forgets up to `limit` events settled before that time (POSIX seconds). Returns how many."""
    # Numbered in the order of time, near enough: the oldest end is looked at, not the whole table.
    oldest = select(outbox.c.id, outbox.c.created).order_by(outbox.c.id).limit(limit).subquery()
    old = select(oldest.c.id).where(oldest.c.created < to_ms(before))
    return connection.execute(delete(outbox).where(outbox.c.id.in_(old))).rowcount


def to_json(event: FinalEvent) -> str:
    """env_id as a string, since JSON readers lose digits beyond 2^53."""
    return _JSON.encode({**{name: getattr(event, name) for name in _FIELDS}, "env_id": str(event.env_id)})


def from_json(text: str) -> FinalEvent:
    found = json.loads(text)
    return FinalEvent(**{**found, "env_id": int(found["env_id"])})
