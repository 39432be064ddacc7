"""How far each reader of the outbox has come. A reader moves its cursor in the transaction of its own effect.

Only forwards, and only from where the reader believed to be: of two that do the same work by mistake one finds its
transaction refused, and nothing takes effect twice.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects import postgresql, sqlite

from directmail_relay.database.accounts_schema import outbox_cursors as c


class CursorMovedError(RuntimeError):
    """Somebody else has read on from here: the effect of this transaction is there already."""


def read_cursor(connection: Connection, reader: str) -> int:
    """The number of the last event that the reader has dealt with; 0 before the first."""
    return connection.execute(select(c.c.position).where(c.c.reader == reader)).scalar_one_or_none() or 0


def move_cursor(connection: Connection, reader: str, before: int, after: int) -> None:
    """From `before` to `after`. CursorMovedError when it does not stand at `before` any more."""
    if before == 0:
        insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
        connection.execute(insert(c).values(reader=reader, position=0).on_conflict_do_nothing())
    moved = connection.execute(update(c).where(c.c.reader == reader, c.c.position == before).values(position=after))
    if moved.rowcount != 1:
        raise CursorMovedError(reader)


def read_slowest(connection: Connection, readers: Sequence[str]) -> int:
    """How far all of these have come. One that has never read holds everything back."""
    rows = connection.execute(select(c.c.reader, c.c.position).where(c.c.reader.in_(readers)))
    found = {row.reader: row.position for row in rows}
    return min((found.get(reader, 0) for reader in readers), default=0)
