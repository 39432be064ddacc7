"""Recipients that an account's RCPT refuses: its invalid addresses and its do-not-send list, as RCPT asks for them.

Each row of the two tables has a number from one series, given under a lock that is held until the commit: whoever
has read up to a number has missed nothing below it, on PostgreSQL too.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Insert, Table, bindparam, func, literal, select, union_all
from sqlalchemy.dialects import postgresql, sqlite

from directmail_relay.database.accounts_schema import invalid_addresses, registry_version, suppressions
from directmail_relay.mail.address import parse_address, unquote_local

_SERIES = 2  # the row of registry_version


class Listed(StrEnum):
    """In which list a recipient stands; the value is the reason of the refusal."""

    INVALID = "invalid_rcpt"
    SUPPRESSED = "suppressed"


_TABLES = {Listed.SUPPRESSED: suppressions, Listed.INVALID: invalid_addresses}
_find = union_all(
    *(
        select(literal(name.value)).where(
            table.c.account == bindparam("of_account"), table.c.address == bindparam("of_address")
        )
        for name, table in _TABLES.items()
    )
)


def recipient_key(address: str) -> str:
    """The one form in which an address is listed: in lower case, but for a local part that is not ASCII."""
    local, at, domain = address.rpartition("@")
    local = unquote_local(local)
    # As at the login: other letters stay as they are, lest the Kelvin sign pass for a K.
    return (local.lower() if local.isascii() else local) + at + domain.lower()


def parse_recipient(text: str) -> str:
    """An address that somebody typed → the form in which it is listed; ValueError when it is none."""
    return recipient_key(str(parse_address(text, smtputf8=True)))


def take_numbers(connection: Connection, count: int) -> int:
    """The first of `count` new numbers. Until this transaction ends nobody else gets any."""
    row = registry_version.c
    insert = upsert(connection, registry_version).values(id=_SERIES, version=count)
    taken = insert.on_conflict_do_update(index_elements=[row.id], set_={"version": row.version + count})
    last: int = connection.execute(taken.returning(row.version)).scalar_one()
    return last - count + 1


def upsert(connection: Connection, table: Table) -> Any:
    """The engine's own INSERT, which knows ON CONFLICT."""
    insert: Insert = (sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert)(table)
    return insert


def find_listed(connection: Connection, account: str, address: str) -> Listed | None:
    """Whether the account lists this address, which is in its one form. Its own list comes first."""
    names = set(connection.execute(_find, {"of_account": account, "of_address": address}).scalars())
    return next((name for name in _TABLES if name.value in names), None)


def read_last_number(connection: Connection) -> int:
    """The last number of the series that is committed; 0 before the first."""
    version = select(registry_version.c.version).where(registry_version.c.id == _SERIES)
    return connection.execute(version).scalar_one_or_none() or 0


def count_listed(connection: Connection) -> int:
    """How many there are, over all accounts and both lists."""
    return sum(connection.execute(select(func.count()).select_from(table)).scalar_one() for table in _TABLES.values())


def read_listed(connection: Connection, after: int, up_to: int, limit: int) -> list[tuple[int, str, str]]:
    """Up to `limit` (number, account, address) with numbers in (after, up_to], in their order."""
    pages = [
        select(table.c.number, table.c.account, table.c.address)
        .where(table.c.number > after, table.c.number <= up_to)
        .order_by(table.c.number)
        .limit(limit)
        for table in _TABLES.values()
    ]
    rows = [(row.number, row.account, row.address) for page in pages for row in connection.execute(page)]
    return sorted(rows)[:limit]
