"""The outbox: the final events, in the order in which they were settled. Whatever reports or notifies reads here.

On PostgreSQL numbers are given before the commit, so number 7 can become visible when 8 has been read already. Whoever
adds events therefore shares a lock until its commit, and whoever reads has it alone for the moment in which it looks
how far the numbers are complete: nobody skips an event. (Transaction ids would not do: their order is not that of the
numbers, and a restored database begins them anew.)
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import fields

from sqlalchemy import Connection, delete, func, select, text
from sqlalchemy.exc import OperationalError

from directmail_relay.database.clock import to_ms
from directmail_relay.database.schema import outbox
from directmail_relay.mail.event import FinalEvent

_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
# Not asdict(): it copies every value deeply, which costs more than storing the row.
_FIELDS = [field.name for field in fields(FinalEvent)]

_LOCK = 0x6F7574626F78  # "outbox"
_ADDING = text(f"SELECT pg_advisory_xact_lock_shared({_LOCK})")
_ALONE = text(f"SELECT pg_advisory_xact_lock({_LOCK})")
# While a reader waits for the lock those who settle wait behind it: not for long, then it comes again.
_NOT_LONG = text("SET LOCAL lock_timeout = '200ms'")
_highest = select(func.max(outbox.c.id))


def append(connection: Connection, events: Iterable[FinalEvent]) -> None:
    """Adds the events, in the transaction that settles their recipients."""
    rows = [{"created": to_ms(event.end_time), "event": to_json(event)} for event in events]
    if rows:
        if connection.dialect.name != "sqlite":
            connection.execute(_ADDING)
        connection.execute(outbox.insert(), rows)


def read(connection: Connection, after: int, limit: int) -> list[tuple[int, FinalEvent]]:
    """Up to `limit` events behind the one numbered `after`, with their numbers.

    Nothing, for now, while somebody takes long to add theirs.
    """
    complete = _read_complete(connection, after)
    if complete <= after:
        return []
    rows = connection.execute(
        select(outbox.c.id, outbox.c.event)
        .where(outbox.c.id > after, outbox.c.id <= complete)
        .order_by(outbox.c.id)
        .limit(limit)
    )
    return [(row.id, from_json(row.event)) for row in rows]


def purge(connection: Connection, up_to: int, limit: int) -> int:
    """Forgets up to `limit` events numbered up to `up_to`, the oldest first. Returns how many."""
    oldest = select(outbox.c.id).where(outbox.c.id <= up_to).order_by(outbox.c.id).limit(limit)
    return connection.execute(delete(outbox).where(outbox.c.id.in_(oldest))).rowcount


def to_json(event: FinalEvent) -> str:
    """env_id as a string, since JSON readers lose digits beyond 2^53."""
    return _JSON.encode({**{name: getattr(event, name) for name in _FIELDS}, "env_id": str(event.env_id)})


def from_json(text: str) -> FinalEvent:
    found = json.loads(text)
    return FinalEvent(**{**found, "env_id": int(found["env_id"])})


def _read_complete(connection: Connection, after: int) -> int:
    """The highest number below which none can appear any more; 0 when that cannot be told just now."""
    highest = connection.execute(_highest).scalar_one() or 0
    if connection.dialect.name == "sqlite" or highest <= after:
        return highest
    savepoint = connection.begin_nested()
    try:
        connection.execute(_NOT_LONG)
        connection.execute(_ALONE)
        return connection.execute(_highest).scalar_one() or 0
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != "55P03":  # lock_not_available
            raise
        return 0
    finally:
        savepoint.rollback()  # which lets the lock go
