"""Accounts: who owns domains, addresses and quotas. Every other thing that is registered belongs to one.

Counts nothing: what an account has used stands with the queue, under the account's name, and outlives the account.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, Table, select, update

from directmail_relay.accounts.changes import Change, RefusedError
from directmail_relay.accounts.turns import take_turn
from directmail_relay.database.accounts_schema import (
    accounts,
    addresses,
    allow_entries,
    domains,
    invalid_addresses,
    suppressions,
    tags,
)
from directmail_relay.database.clock import iso
from directmail_relay.mail.message import Status

QUOTAS = ("daily_quota", "monthly_quota", "total_quota")
MAX_QUOTA = 10**15  # as good as none, and far from what a column holds
DECLARED = "is declared in the configuration: change it there and reload"

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")
# What goes with its account; domains take their DKIM keys along.
_OWNED: tuple[Table, ...] = (addresses, domains, tags, allow_entries, invalid_addresses, suppressions)


def parse_account_name(text: str) -> str:
    """The name itself. ValueError, with what to write, when it cannot be one."""
    if not _NAME.fullmatch(text):
        raise ValueError("is not an account name: use up to 64 letters, digits, dots, hyphens and underscores")
    return text


def add_account(
    connection: Connection, change: Change, name: str, quotas: Mapping[str, int | None] | None = None
) -> dict[str, Any]:
    """A new account, `normal`; a quota that is not given is no limit. The name of a deleted one may be taken again."""
    try:
        parse_account_name(name)
    except ValueError as error:
        raise RefusedError("bad_name", f"{name!r} {error}") from None
    given = dict(quotas or {})
    _check_quotas(given)
    take_turn(connection)
    old = _fetch(connection, name)
    if old is not None and old.status != Status.DELETED:
        raise RefusedError("account_exists", f"there is an account {name} already: choose another name")
    values = {
        **dict.fromkeys(QUOTAS),
        **given,
        "status": Status.NORMAL,
        "ip_protection": False,
        "declared": False,
        "created_at": change.at,
    }
    if old is None:
        connection.execute(accounts.insert().values(name=name, **values))
    else:
        clear_account(connection, name)
        connection.execute(update(accounts).where(accounts.c.name == name).values(**values))
    change.record(connection, "account.add", name, account=name, **given)
    return show_account(connection, name)


def list_accounts(connection: Connection) -> list[dict[str, Any]]:
    """Every account but the deleted ones, by name."""
    rows = select(accounts).where(accounts.c.status != Status.DELETED).order_by(accounts.c.name)
    return [_describe(row) for row in connection.execute(rows)]


def show_account(connection: Connection, name: str) -> dict[str, Any]:
    """One account, also a deleted one: `name`, `status`, three quotas, `ip_protection`, `declared`, `created_at`."""
    row = _fetch(connection, name)
    if row is None:
        raise _not_found(name)
    return _describe(row)


def set_account(
    connection: Connection,
    change: Change,
    name: str,
    *,
    status: Status | None = None,
    quotas: Mapping[str, int | None] | None = None,
) -> dict[str, Any]:
    """Changes what is given; a quota None takes the limit away. What is as it should be is no change."""
    if status is Status.DELETED:
        raise RefusedError("bad_value", f"an account is not set to deleted: use account delete {name}")
    _check_quotas(quotas or {})
    take_turn(connection)
    row = find_own_account(connection, name)
    wanted: dict[str, Any] = {**({} if status is None else {"status": status}), **(quotas or {})}
    changed = {key: value for key, value in wanted.items() if getattr(row, key) != value}
    if changed:
        connection.execute(update(accounts).where(accounts.c.name == name).values(**changed))
        change.record(connection, "account.set", name, account=name, **changed)
    return show_account(connection, name)


def delete_account(connection: Connection, change: Change, name: str) -> None:
    """The account is `deleted`, and all that it registered is gone; what it has used stays counted under its name."""
    take_turn(connection)
    find_own_account(connection, name)
    clear_account(connection, name)
    gone = update(accounts).where(accounts.c.name == name).values(status=Status.DELETED, ip_protection=False)
    connection.execute(gone)
    change.record(connection, "account.delete", name, account=name)


def find_account(connection: Connection, name: str) -> Row[Any]:
    """The row of an account that has not been deleted. RefusedError `account_not_found`."""
    row = _fetch(connection, name)
    if row is None or row.status == Status.DELETED:
        raise _not_found(name)
    return row


def find_own_account(connection: Connection, name: str) -> Row[Any]:
    """The same, of one that may be changed here: a declared one is RefusedError `declared`."""
    row = find_account(connection, name)
    if row.declared:
        raise RefusedError("declared", f"the account {name} {DECLARED}")
    return row


def clear_account(connection: Connection, name: str) -> None:
    """Removes everything that belongs to the account; its own row stays."""
    for table in _OWNED:
        connection.execute(table.delete().where(table.c.account == name))


def _check_quotas(quotas: Mapping[str, int | None]) -> None:
    for key, value in quotas.items():
        if key not in QUOTAS:
            raise TypeError(f"{key} is no quota")
        if value is not None and not 0 <= value <= MAX_QUOTA:
            raise RefusedError("bad_value", f"{key} is a number of recipients from 0 to {MAX_QUOTA}, or none")


def _fetch(connection: Connection, name: str) -> Row[Any] | None:
    return connection.execute(select(accounts).where(accounts.c.name == name)).one_or_none()


def _not_found(name: str) -> RefusedError:
    return RefusedError("account_not_found", f"there is no account {name}: account list shows those that there are")


def _describe(row: Row[Any]) -> dict[str, Any]:
    return {
        "name": row.name,
        "status": row.status,
        **{key: getattr(row, key) for key in QUOTAS},
        "ip_protection": row.ip_protection,
        "declared": row.declared,
        "created_at": iso(row.created_at),
    }
