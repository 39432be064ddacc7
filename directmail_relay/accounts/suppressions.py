"""An account's own do-not-send list, over what delivery finds invalid: people who asked not to get its mail any more.

Nothing but the account's wish puts an address here or takes it away, and nothing expires.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, delete, select

from directmail_relay.accounts.accounts import find_account
from directmail_relay.accounts.changes import Change, RefusedError
from directmail_relay.accounts.listed import parse_recipient, take_numbers, upsert
from directmail_relay.database.accounts_schema import suppressions
from directmail_relay.database.clock import iso

c = suppressions.c


def add_suppression(connection: Connection, change: Change, account: str, address: str) -> dict[str, Any]:
    """Lists one address: `address`, `since`. One that is listed already stays as it is."""
    find_account(connection, account)
    key = _parse(address)
    if add_suppressions(connection, change, account, [key]):
        change.record(connection, "suppress.add", key, account=account)
    row = connection.execute(select(suppressions).where(c.account == account, c.address == key)).one()
    return {"address": row.address, "since": iso(row.since)}


def add_suppressions(connection: Connection, change: Change, account: str, keys: Sequence[str]) -> int:
    """Lists these, which are in their one form (`parse_recipient`). Returns how many were new. Records nothing."""
    if not keys:
        return 0
    first = take_numbers(connection, len(keys))
    rows = [
        {"account": account, "address": key, "since": change.at, "number": first + n}
        for n, key in enumerate(sorted(keys))
    ]
    insert = upsert(connection, suppressions).on_conflict_do_nothing().returning(c.address)
    return len(connection.execute(insert, rows).all())


def record_import(
    connection: Connection, change: Change, account: str, name: str, counts: Mapping[str, int] | None = None
) -> None:
    """The audit row of an import, which is many transactions: one as it begins (no counts), one as it ends."""
    find_account(connection, account)
    what = "suppress.import" if counts is None else "suppress.imported"
    change.record(connection, what, name, account=account, **(counts or {}))


def list_suppressions(connection: Connection, account: str, after: str = "", limit: int = 1000) -> list[dict[str, Any]]:
    """Up to `limit` behind the address `after`, in the order of addresses: `address`, `since`."""
    find_account(connection, account)
    rows = select(suppressions).where(c.account == account, c.address > after).order_by(c.address).limit(limit)
    return [{"address": row.address, "since": iso(row.since)} for row in connection.execute(rows)]


def delete_suppression(connection: Connection, change: Change, account: str, address: str) -> None:
    """Mail to the address goes out again."""
    find_account(connection, account)
    key = _parse(address)
    if not connection.execute(delete(suppressions).where(c.account == account, c.address == key)).rowcount:
        raise RefusedError(
            "suppression_not_found",
            f"{key} is not in the do-not-send list of {account}: suppress list shows what is",
        )
    change.record(connection, "suppress.delete", key, account=account)


def _parse(address: str) -> str:
    try:
        return parse_recipient(address)
    except ValueError as error:
        raise RefusedError("bad_address", f"{address} is no address: {error}") from None
