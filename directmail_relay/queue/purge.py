"""Forgets what is old: messages whose details were kept long enough, events that everybody has read.

Runs in small bites, so that no transaction holds up a 250; one worker at a time, by lease.
"""

from __future__ import annotations

from sqlalchemy import Connection, delete, exists, select

from directmail_relay.database import schema
from directmail_relay.mail.message import State
from directmail_relay.queue.env_id import first_env_id

r = schema.recipients
_ENDED = [State.DELIVERED.value, State.FAILED.value]


def purge_messages(connection: Connection, accepted_before: float, limit: int) -> int:
    """Removes up to `limit` messages accepted before that time (POSIX seconds), none with an open recipient.

    env_ids are ordered by time, so this reads the oldest end of the table alone. Returns how many went.
    """
    open_recipient = exists(select(r.c.env_id).where(r.c.env_id == schema.messages.c.env_id, r.c.state.not_in(_ENDED)))
    old = (
        select(schema.messages.c.env_id)
        .where(schema.messages.c.env_id < first_env_id(accepted_before), ~open_recipient)
        .order_by(schema.messages.c.env_id)
        .limit(limit)
    )
    return connection.execute(delete(schema.messages).where(schema.messages.c.env_id.in_(old))).rowcount


def purge_usage(connection: Connection, months: int, today: str) -> int:
    """Removes day and month counts older than so many months before `today` (`2026-11-23`). Returns how many rows."""
    year, month = int(today[:4]), int(today[5:7])
    total = year * 12 + month - 1 - months
    oldest = f"{total // 12:04d}-{total % 12 + 1:02d}"
    used = schema.usage
    return connection.execute(delete(used).where(used.c.period < oldest, used.c.period != "total")).rowcount
