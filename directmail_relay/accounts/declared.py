"""What the configuration declares, kept in the tables beside what is registered: the file decides, and it alone.

A declaration that meets something registered is refused as a whole, so neither ever takes the other's place. What is
registered below a declared account stays when the account is declared no more, and waits for it to come back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from directmail_relay.accounts.changes import Change
from directmail_relay.accounts.declared_rows import (
    ACCOUNTS,
    ADDRESSES,
    DOMAINS,
    Differences,
    Kept,
    sync_entries,
    sync_rows,
)
from directmail_relay.accounts.turns import take_turn
from directmail_relay.database.accounts_schema import accounts, addresses, domains
from directmail_relay.mail.message import Kind, Status
from directmail_relay.policy.quota import Limits


class ClashError(ValueError):
    """Something is both declared and registered; the text is one sentence that names both and says what to do."""


@dataclass(frozen=True, slots=True)
class DeclaredDomain:
    """`name` in lower-case A-labels; `trusted` is the file's `verified: true`."""

    name: str
    trusted: bool
    password_hash: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class DeclaredAddress:
    """`address` in the form in which it logs in."""

    address: str
    kind: Kind
    password_hash: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class DeclaredAccount:
    """One entry of `accounts:`. `entries` are those of its IP protection, in their shortest form."""

    name: str
    status: Status
    limits: Limits
    ip_protection: bool
    entries: tuple[str, ...]
    domains: tuple[DeclaredDomain, ...]
    addresses: tuple[DeclaredAddress, ...]


def read_declared_hashes(connection: Connection) -> dict[str, str]:
    """The stored hash of each declared login, to keep those that still fit: then verified logins stay so."""
    known: dict[str, str] = {}
    for table, login in ((domains, domains.c.name), (addresses, addresses.c.address)):
        wanted = select(login, table.c.password_hash).where(table.c.declared, table.c.password_hash.is_not(None))
        known.update((name, stored) for name, stored in connection.execute(wanted))
    return known


def sync_declared(connection: Connection, change: Change, declared: Sequence[DeclaredAccount]) -> bool:
    """Makes the declared rows what `declared` says; whether anything had to change. Raises ClashError.

    What is the same stays untouched: no version, no line in the audit log.
    """
    take_turn(connection)
    _check_clashes(connection, declared)
    differences = Differences()
    sync_rows(connection, ACCOUNTS, {one.name: _account_row(one) for one in declared}, change, differences)
    sync_entries(connection, {one.name: one.entries for one in declared}, change, differences)
    sync_rows(connection, DOMAINS, dict(_domain_rows(declared)), change, differences)
    sync_rows(connection, ADDRESSES, dict(_address_rows(declared)), change, differences)
    differences.record(connection, change)
    return bool(differences.by_account)


def _check_clashes(connection: Connection, declared: Sequence[DeclaredAccount]) -> None:
    wanted: tuple[tuple[Kept, str, Iterable[str]], ...] = (
        (ACCOUNTS, "account", (one.name for one in declared)),
        (DOMAINS, "domain", (domain.name for one in declared for domain in one.domains)),
        (ADDRESSES, "address", (address.address for one in declared for address in one.addresses)),
    )
    for kept, word, names in wanted:
        for name in sorted(set(names) & _registered(connection, kept)):
            raise ClashError(
                f"the {word} {name} is declared in the configuration and registered in the database: "
                f"take it out of the file, or delete the registered one ({word} delete {name})"
            )


def _registered(connection: Connection, kept: Kept) -> set[str]:
    wanted = select(kept.table.c[kept.key]).where(~kept.table.c.declared)
    if kept is ACCOUNTS:
        wanted = wanted.where(accounts.c.status != Status.DELETED)
    return set(connection.execute(wanted).scalars())


def _account_row(one: DeclaredAccount) -> dict[str, Any]:
    return {
        "status": one.status.value,
        "daily_quota": one.limits.daily,
        "monthly_quota": one.limits.monthly,
        "total_quota": one.limits.total,
        "ip_protection": one.ip_protection,
    }


def _domain_rows(declared: Iterable[DeclaredAccount]) -> Iterator[tuple[str, dict[str, Any]]]:
    for account in declared:
        for one in account.domains:
            yield one.name, {"account": account.name, "trusted": one.trusted, "password_hash": one.password_hash}


def _address_rows(declared: Iterable[DeclaredAccount]) -> Iterator[tuple[str, dict[str, Any]]]:
    for account in declared:
        for one in account.addresses:
            yield (
                one.address,
                {
                    "account": account.name,
                    "domain": one.address.rpartition("@")[2],
                    "kind": one.kind.value,
                    "password_hash": one.password_hash,
                },
            )
