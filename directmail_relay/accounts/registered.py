"""The tables as a `Directory`: what submission and signing look things up in. Reads everything, changes nothing.

The version is read first: what changes meanwhile raises it again, and the next look sees that.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from directmail_relay.accounts.changes import read_version
from directmail_relay.accounts.directory import Account, Directory, Sender, SendingDomain
from directmail_relay.accounts.domain_status import is_usable
from directmail_relay.content.signing_keys import SigningKey
from directmail_relay.database.accounts_schema import accounts, addresses, allow_entries, domains, tags
from directmail_relay.database.clock import from_ms
from directmail_relay.mail.message import Kind, Status
from directmail_relay.policy.allowlist import AllowEntry, Allowlist, parse_entry
from directmail_relay.policy.quota import Limits

Keys = Mapping[str, tuple[SigningKey, ...]]
"""Domain → the keys that sign for it."""
ReadKeys = Callable[[Connection], Keys]
"""Reads the keys that are registered."""

Rows = Iterable[Any]

# Values of the enums by their text: looking one up costs less than making it, ten thousand times.
_KINDS = {kind.value: kind for kind in Kind}
_STATUSES = {status.value: status for status in Status}


@dataclass(frozen=True, slots=True)
class Picture:
    """The directory as of `version`; it holds until `valid_until` (POSIX seconds), when time alone changes it."""

    version: int
    directory: Directory
    valid_until: float | None


def no_keys(_: Connection) -> Keys:
    """The registered keys of those who have none."""
    return {}


def read_picture(
    connection: Connection, now: float, *, grace: float, declared_keys: Keys, read_keys: ReadKeys = no_keys
) -> Picture:
    """All that is registered and declared. A declared key stands before registered ones of the same domain.

    Accounts are read last: whoever owns something that was read is there by then, for no account ever leaves the table.
    ValueError when the rows contradict each other.
    """
    version = read_version(connection)
    keys = {**read_keys(connection), **declared_keys}
    domain_rows = connection.execute(select(domains)).all()
    address_rows = connection.execute(_addresses).all()
    lists = _read_allowlists(connection)
    directory = Directory(
        accounts=[_account(row, lists) for row in connection.execute(select(accounts))],
        senders=[*_domain_logins(domain_rows), *_address_logins(address_rows)],
        domains=[*_domains(domain_rows, keys, now, grace), *_lost_domains(address_rows, domain_rows)],
        frozen=[row.address for row in address_rows if row.frozen],
        tags=[(row.account, row.name) for row in connection.execute(select(tags.c.account, tags.c.name))],
    )
    return Picture(version, directory, _next_end(domain_rows, now, grace))


_addresses = select(
    addresses.c.address,
    addresses.c.account,
    addresses.c.domain,
    addresses.c.kind,
    addresses.c.password_hash,
    addresses.c.frozen,
    addresses.c.declared,
)


def _read_allowlists(connection: Connection) -> dict[str, list[AllowEntry]]:
    lists: dict[str, list[AllowEntry]] = defaultdict(list)
    wanted = select(allow_entries.c.account, allow_entries.c.entry).order_by(allow_entries.c.id)
    for account, entry in connection.execute(wanted):
        lists[account].append(parse_entry(entry))
    return lists


def _account(row: Any, lists: Mapping[str, list[AllowEntry]]) -> Account:
    return Account(
        name=row.name,
        status=_STATUSES[row.status],
        limits=Limits(row.daily_quota, row.monthly_quota, row.total_quota),
        allowlist=Allowlist(row.ip_protection, tuple(lists.get(row.name, ()))),
    )


def _domain_logins(rows: Rows) -> Iterator[Sender]:
    for row in rows:
        if row.password_hash is not None:
            yield Sender(row.name, row.account, row.password_hash, Kind.TRIGGER, is_domain=True)


def _address_logins(rows: Rows) -> Iterator[Sender]:
    """An address without a password is no login."""
    for address, account, _, kind, password_hash, _, _ in rows:
        if password_hash is not None:
            yield Sender(address, account, password_hash, _KINDS[kind])


def _domains(rows: Rows, keys: Keys, now: float, grace: float) -> Iterator[SendingDomain]:
    for row in rows:
        yield SendingDomain(row.name, row.account, keys.get(row.name, ()), usable=is_usable(row, now, grace))


def _lost_domains(rows: Rows, known: Rows) -> Iterator[SendingDomain]:
    """Domains that are gone while registered addresses of theirs stand: nothing is sent from there.

    A declared address needs no declared domain: whoever writes the configuration vouches for it.
    """
    names = {row.name for row in known}
    lost = {row.domain: row.account for row in rows if not row.declared and row.domain not in names}
    for name, account in lost.items():
        yield SendingDomain(name, account, usable=False)


def _next_end(rows: Rows, now: float, grace: float) -> float | None:
    """When the first domain stops to be usable, if nobody mends it."""
    ends = (from_ms(row.broken_since) + grace for row in rows if row.broken_since is not None)
    return min((end for end in ends if end > now), default=None)
