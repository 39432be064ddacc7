"""What is registered, in the form in which a configuration declares it; what that form has no word for, as notes.

Reads and never changes. Password hashes are in it, private keys never.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, select

from directmail_relay.accounts.accounts import QUOTAS
from directmail_relay.accounts.domain_status import DomainStatus, status_of
from directmail_relay.database.accounts_schema import (
    accounts,
    addresses,
    allow_entries,
    dkim_keys,
    domains,
    tags,
)
from directmail_relay.mail.message import Status

_SENDING = {DomainStatus.USABLE, DomainStatus.VERIFIED}


@dataclass(frozen=True, slots=True)
class ExportedAccount:
    """`entry` is an item of `accounts:`; `notes` are sentences about what it cannot say."""

    entry: dict[str, Any]
    notes: tuple[str, ...]


def export_accounts(connection: Connection) -> list[ExportedAccount]:
    """Every account that is registered or has something registered, by name."""
    owned = {table: _by_account(connection, table) for table in (domains, addresses, allow_entries, tags)}
    keys: dict[str, list[str]] = defaultdict(list)
    for domain, selector in connection.execute(select(dkim_keys.c.domain, dkim_keys.c.selector)):
        keys[domain].append(selector)
    rows = connection.execute(select(accounts).where(accounts.c.status != Status.DELETED).order_by(accounts.c.name))
    exported = []
    for row in rows:
        mine = {table: [one for one in found[row.name] if not _is_declared(one)] for table, found in owned.items()}
        if not row.declared or mine[domains] or mine[addresses] or mine[tags]:
            exported.append(ExportedAccount(_entry(row, mine), tuple(_notes(row, mine, keys))))
    return exported


def _by_account(connection: Connection, table: Table) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = defaultdict(list)
    for row in connection.execute(select(table).order_by(table.c.id)):
        found[row.account].append(row)
    return found


def _is_declared(row: Any) -> bool:
    return bool(getattr(row, "declared", False))


def _entry(row: Any, mine: dict[Table, list[Any]]) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": row.name}
    if not row.declared:
        entry |= {key: getattr(row, key) for key in QUOTAS if getattr(row, key) is not None}
        entry |= {} if row.status == Status.NORMAL else {"status": row.status}
        allow = [one.entry for one in mine[allow_entries]]
        entry |= {"ip_protection": {"enabled": row.ip_protection, "allow": allow}} if allow else {}
    listed = {
        "domains": [_domain(one) for one in mine[domains]],
        "addresses": [_address(one) for one in mine[addresses] if _can_be_declared(one)],
    }
    return entry | {key: found for key, found in listed.items() if found}


def _domain(row: Any) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": row.name}
    if status_of(row) in _SENDING:
        entry["verified"] = True
    if row.password_hash is not None:
        entry["password_hash"] = row.password_hash
    return entry


def _address(row: Any) -> dict[str, Any]:
    return {"address": row.address, "type": row.kind, "password_hash": row.password_hash}


def _can_be_declared(row: Any) -> bool:
    """A declared address has a password and is never frozen: declared, this one could send."""
    return row.password_hash is not None and not row.frozen


def _notes(row: Any, mine: dict[Table, list[Any]], keys: dict[str, list[str]]) -> list[str]:
    notes = [f"{row.name} is declared already: merge what follows into its entry"] if row.declared else []
    for domain in mine[domains]:
        notes += [
            f"{domain.name}: the private key is not exported; with a file of its own the domain gets "
            f"dkim: {{selector: {selector}, key_file: {domain.name}.{selector}.pem}}"
            for selector in keys[domain.name]
        ]
    notes += [f"left out, for it is {_why(one)}: {one.address}" for one in mine[addresses] if not _can_be_declared(one)]
    notes += [f"{one.address}: answers go to {one.reply_to}" for one in mine[addresses] if one.reply_to]
    return notes + _note_tags(mine[tags])


def _why(row: Any) -> str:
    return "frozen" if row.frozen else "without a password"


def _note_tags(rows: Sequence[Any]) -> list[str]:
    return [f"tags, to be added by command: {', '.join(row.name for row in rows)}"] if rows else []
