"""Sending domains (发信域名) as people register them: added, listed, shown, deleted.

A main domain with everything below it belongs to one account. What its records say is found out in `domain_checks`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, func, or_, select

from directmail_relay.accounts.accounts import DECLARED, find_account
from directmail_relay.accounts.changes import Change, RefusedError
from directmail_relay.accounts.dkim_keys import add_key, show_all_keys, show_keys
from directmail_relay.accounts.domain_names import main_domain_of, new_token, parse_sending_domain
from directmail_relay.accounts.domain_status import missing_of, status_of
from directmail_relay.accounts.turns import take_turn
from directmail_relay.database.accounts_schema import addresses, domains
from directmail_relay.database.clock import iso

DomainRow = Row[Any]


@dataclass(frozen=True, slots=True)
class NewKey:
    """The first DKIM key of a domain: encrypted (`make_private_key`), and the prefix of its selector."""

    private_key: str
    selector: str


def add_domain(connection: Connection, change: Change, name: str, account: str, key: NewKey) -> dict[str, Any]:
    """Registers a domain with a new ownership token and a DKIM key, unverified; returns what `show_domain` does.

    RefusedError: `bad_name`, `account_not_found`, `domain_exists`, `domain_conflict` (another account has the main
    domain or something below it).
    """
    name = parse_sending_domain(name)
    take_turn(connection)
    find_account(connection, account)
    _check_is_free(connection, name, account)
    connection.execute(
        domains.insert().values(
            name=name,
            main_domain=main_domain_of(name),
            account=account,
            token=new_token(),
            trusted=False,
            found="",
            declared=False,
            created_at=change.at,
        )
    )
    selector = add_key(connection, change, name, key.private_key, key.selector)
    change.record(connection, "domain.add", name, account, selector=selector)
    return show_domain(connection, name)


def list_domains(connection: Connection, account: str | None = None) -> list[dict[str, Any]]:
    """All domains, or those of one account, by name, as `show_domain` has them."""
    wanted = select(domains).order_by(domains.c.name)
    if account is not None:
        wanted = wanted.where(domains.c.account == account)
    keys = show_all_keys(connection)
    return [{**_render(row), "dkim": keys.get(row.name, [])} for row in connection.execute(wanted)]


def show_domain(connection: Connection, name: str, account: str | None = None) -> dict[str, Any]:
    """One domain with its DKIM keys. RefusedError `domain_not_found`, also when it is another account's."""
    row = find_domain(connection, name, account)
    return {**_render(row), "dkim": show_keys(connection, row.name)}


def count_statuses(connection: Connection) -> dict[str, int]:
    """How many domains there are in each status that occurs."""
    return dict(Counter(status_of(row).value for row in connection.execute(select(domains))))


def find_domain(connection: Connection, name: str, account: str | None = None) -> DomainRow:
    """The row of a domain, however its name was written. RefusedError `domain_not_found`."""
    row = connection.execute(select(domains).where(domains.c.name == _fold(name))).one_or_none()
    if row is None or account not in {None, row.account}:
        raise RefusedError("domain_not_found", f"there is no domain {name}: see domain list, or add it")
    return row


def find_own_domain(connection: Connection, name: str, account: str | None = None) -> DomainRow:
    """As `find_domain`, and may be changed: RefusedError `declared` when the configuration has it."""
    row = find_domain(connection, name, account)
    if row.declared:
        raise RefusedError("declared", f"the domain {row.name} {DECLARED}")
    return row


def delete_domain(connection: Connection, change: Change, name: str, account: str | None = None) -> None:
    """Deletes a domain with its keys: mail of it that still waits leaves unsigned.

    RefusedError: `domain_not_found`, `declared`, `in_use` while it has sending addresses.
    """
    take_turn(connection)
    row = find_own_domain(connection, name, account)
    own = (addresses.c.domain == row.name, addresses.c.account == row.account)
    of_domain = select(func.count()).select_from(addresses).where(*own)
    used = connection.execute(of_domain).scalar_one()
    if used:
        raise RefusedError("in_use", f"{row.name} has {used} sending addresses: delete them first (address delete)")
    connection.execute(delete(domains).where(domains.c.id == row.id))
    change.record(connection, "domain.delete", row.name, row.account)


def _check_is_free(connection: Connection, name: str, account: str) -> None:
    main = main_domain_of(name)
    beside = connection.execute(select(domains.c.name, domains.c.account).where(domains.c.main_domain == main)).all()
    if any(row.account != account for row in beside):
        raise RefusedError(
            "domain_conflict", f"another account sends from {main} or a domain below it: use another domain"
        )
    if _has_addresses_of_others(connection, main, account):
        raise RefusedError("domain_conflict", f"another account has addresses at {main}: use another domain")
    if any(row.name == name for row in beside):
        raise RefusedError("domain_exists", f"{name} is registered already: see domain show {name}")


def _has_addresses_of_others(connection: Connection, main: str, account: str) -> bool:
    """Declared addresses need no domain, so they are asked about on their own."""
    below = or_(addresses.c.domain == main, addresses.c.domain.endswith(f".{main}", autoescape=True))
    found = select(addresses.c.id).where(below, addresses.c.account != account).limit(1)
    return connection.execute(found).first() is not None


def _fold(name: str) -> str:
    try:
        return parse_sending_domain(name)
    except RefusedError:  # a declared one may have any name
        return name.strip().lower()


def _render(row: DomainRow) -> dict[str, Any]:
    return {
        "name": row.name,
        "account": row.account,
        "status": status_of(row).value,
        "missing": [purpose.value for purpose in missing_of(row)],
        "main_domain": row.main_domain,
        "declared": row.declared,
        "checked_at": iso(row.checked_at),
        "verified_at": iso(row.verified_at),
        "broken_since": iso(row.broken_since),
        "created_at": iso(row.created_at),
    }
