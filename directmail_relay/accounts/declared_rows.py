"""Brings the declared rows of one table to what the file says: which are new, which differ, which have to go.

Touches declared rows alone, and of those only what differs. An account never leaves the table: it becomes `deleted`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, RowMapping, Table, bindparam, select, update

from directmail_relay.accounts.changes import Change
from directmail_relay.accounts.domain_names import main_domain_of, new_token
from directmail_relay.database.accounts_schema import accounts, addresses, allow_entries, domains
from directmail_relay.mail.message import Status

Rows = Mapping[str, dict[str, Any]]
"""Key → the columns that the file decides."""


@dataclass(frozen=True, slots=True)
class Kept:
    """How one kind of thing is kept: its table, the key of a row, its word in the audit log."""

    table: Table
    key: str
    word: str

    def read(self, connection: Connection) -> dict[str, RowMapping]:
        """What is declared by now."""
        rows = connection.execute(select(self.table).where(self.table.c.declared))
        return {row[self.key]: row for row in rows.mappings()}


@dataclass(slots=True)
class Differences:
    """What was changed, by account, for the audit log: account → `domains_added` and the like → names."""

    by_account: dict[str, dict[str, list[str]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))

    def note(self, account: str, what: str, name: str) -> None:
        self.by_account[account][what].append(name)

    def record(self, connection: Connection, change: Change) -> None:
        for account, detail in sorted(self.by_account.items()):
            change.record(connection, "account.declare", account, account=account, **detail)


ACCOUNTS = Kept(accounts, "name", "account")
DOMAINS = Kept(domains, "name", "domains")
ADDRESSES = Kept(addresses, "address", "addresses")


def sync_rows(connection: Connection, kept: Kept, wanted: Rows, change: Change, found: Differences) -> None:
    """Rows that are not wanted go first, so that what moves to another account finds its place free."""
    present = kept.read(connection)
    for name in sorted(present.keys() - wanted.keys()):
        _remove(connection, kept, present[name], found)
    _insert(connection, kept, {name: row for name, row in wanted.items() if name not in present}, change, found)
    changed = {
        name: row for name, row in wanted.items() if name in present and not row.items() <= present[name].items()
    }
    for name, row in changed.items():
        _note(found, kept, row, name, "changed")
    _update(connection, kept, changed)


def _remove(connection: Connection, kept: Kept, row: RowMapping, found: Differences) -> None:
    if kept is not ACCOUNTS:
        connection.execute(kept.table.delete().where(kept.table.c.id == row["id"]))
    elif row["status"] == Status.DELETED:
        return
    else:
        gone = update(accounts).where(accounts.c.id == row["id"])
        connection.execute(gone.values(status=Status.DELETED.value, ip_protection=False))
    _note(found, kept, row, row[kept.key], "removed")


def _insert(connection: Connection, kept: Kept, new: Rows, change: Change, found: Differences) -> None:
    for name, row in new.items():
        _note(found, kept, row, name, "added")
    if kept is ACCOUNTS:  # a registered one of that name was deleted: its row is taken over
        free = new.keys() & set(connection.execute(select(accounts.c.name)).scalars())
        _update(connection, kept, {name: {**new[name], "declared": True} for name in sorted(free)})
        new = {name: row for name, row in new.items() if name not in free}
    rows = [{kept.key: name, **row, **_beginning(kept, name), "created_at": change.at} for name, row in new.items()]
    if rows:
        connection.execute(kept.table.insert(), rows)


def _beginning(kept: Kept, name: str) -> dict[str, Any]:
    """What a new row holds beside that which is declared."""
    if kept is DOMAINS:
        return {"declared": True, "main_domain": main_domain_of(name), "token": new_token(), "found": ""}
    if kept is ADDRESSES:
        return {"declared": True, "frozen": False, "reply_to_verified": False}
    return {"declared": True}


def _update(connection: Connection, kept: Kept, rows: Rows) -> None:
    if not rows:
        return
    columns = next(iter(rows.values()))
    statement = (
        update(kept.table)
        .where(kept.table.c[kept.key] == bindparam("of_key"))
        .values({column: bindparam(f"new_{column}") for column in columns})
    )
    values = [
        {"of_key": name, **{f"new_{column}": value for column, value in row.items()}} for name, row in rows.items()
    ]
    connection.execute(statement, values)


def _note(found: Differences, kept: Kept, row: Any, name: str, how: str) -> None:
    if kept is ACCOUNTS:
        found.note(name, how, "account")
    else:
        found.note(row["account"], f"{kept.word}_{how}", name)


def sync_entries(
    connection: Connection, lists: Mapping[str, tuple[str, ...]], change: Change, found: Differences
) -> None:
    """The list of a declared account is the file's, as a whole; one that is declared no more has none."""
    names = select(accounts.c.name).where(accounts.c.declared)
    wanted = {(account, entry) for account, entries in lists.items() for entry in entries}
    rows = connection.execute(select(allow_entries).where(allow_entries.c.account.in_(names))).all()
    present = {(row.account, row.entry): row.id for row in rows}
    for account, entry in sorted(present.keys() - wanted):
        connection.execute(allow_entries.delete().where(allow_entries.c.id == present[account, entry]))
        found.note(account, "ip_removed", entry)
    new = sorted(wanted - present.keys())
    for account, entry in new:
        found.note(account, "ip_added", entry)
    if new:
        rows_to_add = [{"account": account, "entry": entry, "created_at": change.at} for account, entry in new]
        connection.execute(allow_entries.insert(), rows_to_add)
