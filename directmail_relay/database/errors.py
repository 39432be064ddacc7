"""What a database can do to its callers, by what it means for them: the names of SQLAlchemy end here."""

from __future__ import annotations

import errno
import sqlite3

from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError, SQLAlchemyError

# For `except TROUBLE`: the database, its disk or the way to it; log, and come again. SQLite's own errors come from
# the checkpoints, which run beside SQLAlchemy.
TROUBLE = (SQLAlchemyError, sqlite3.Error, OSError)

AlreadyThere = IntegrityError
"""A row with this key exists."""


def is_about_the_database(error: BaseException) -> bool:
    """Whether the database itself is in trouble (gone, full, locked), so that trying items one by one is no use."""
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    return isinstance(error, (OperationalError, InterfaceError, OSError))


def is_out_of_room(error: BaseException) -> bool:
    """Whether the database said that its disk is full."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    name = getattr(cause, "sqlite_errorname", "") or getattr(cause, "sqlstate", "") or ""
    return name in {"SQLITE_FULL", "53100"} or (isinstance(cause, OSError) and cause.errno == errno.ENOSPC)


def reason_of(error: BaseException) -> str:
    """The driver's own first line, for an operator: no statement, no values, nothing for a peer."""
    cause = getattr(error, "orig", None) or error
    return str(cause).strip().partition("\n")[0] or type(cause).__name__
