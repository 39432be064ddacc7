"""One change at a time: whoever takes the turn decides on what nobody else changes until the transaction ends.

So "at most ten", "unique over all accounts" and the like hold without a trick of their own on PostgreSQL too (SQLite
has one writer anyway). The row is the one that every change raises in the end; nothing else is locked before it.
"""

from __future__ import annotations

from sqlalchemy import Connection, select

from directmail_relay.database.accounts_schema import registry_version

_lock = select(registry_version.c.version).where(registry_version.c.id == 1).with_for_update()


def take_turn(connection: Connection) -> None:
    """Waits until other changes are committed. The first statement of whatever changes what is registered."""
    connection.execute(_lock)
