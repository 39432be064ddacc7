"""Sending addresses (发信地址): each below a domain of an account that may send, unique over all accounts.

`account` narrows every function to what that account owns: to it, an address of another account does not exist.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, select, update

from directmail_relay.accounts.accounts import DECLARED, find_account
from directmail_relay.accounts.changes import Change, RefusedError
from directmail_relay.accounts.domain_status import is_usable
from directmail_relay.accounts.turns import take_turn
from directmail_relay.database.accounts_schema import addresses, domains, reply_verifications
from directmail_relay.database.clock import iso
from directmail_relay.mail.address import Address, parse_address
from directmail_relay.mail.message import Kind
from directmail_relay.policy.admission import normalize_login


def parse_sending_address(text: str) -> str:
    """An address as people write it → as it is kept and logs in: in lower case, with A-labels. RefusedError."""
    return normalize_login(str(_parse(text)))


@dataclass(frozen=True, slots=True)
class NewAddress:
    """What is registered. With `account` the domain must be that account's; without a password it cannot log in."""

    address: str
    kind: Kind
    password_hash: str | None = field(default=None, repr=False)
    account: str | None = None


def add_address(connection: Connection, change: Change, new: NewAddress, *, grace: float) -> dict[str, Any]:
    """A new address; it belongs to the account of its domain, which must be usable.

    `grace` is for how many seconds a domain may send after its records broke.
    """
    name = parse_sending_address(new.address)
    take_turn(connection)
    domain = _find_domain(connection, name.rpartition("@")[2], new.account)
    if not is_usable(domain, change.now, grace):
        raise RefusedError(
            "domain_not_verified",
            f"the domain {domain.name} is not verified: publish what dns {domain.name} shows, then domain verify it",
        )
    if _fetch(connection, name) is not None:
        raise RefusedError(
            "address_exists", f"{name} is registered already: show it with address list, or choose another"
        )
    connection.execute(
        addresses.insert().values(
            address=name,
            account=domain.account,
            domain=domain.name,
            kind=new.kind,
            password_hash=new.password_hash,
            frozen=False,
            reply_to_verified=False,
            declared=False,
            created_at=change.at,
        )
    )
    has_password = new.password_hash is not None
    change.record(connection, "address.add", name, account=domain.account, type=new.kind, has_password=has_password)
    return show_address(connection, name)


def list_addresses(connection: Connection, account: str | None = None) -> list[dict[str, Any]]:
    """All addresses, or those of one account, in the order of the alphabet."""
    wanted = select(addresses).order_by(addresses.c.address)
    if account is not None:
        wanted = wanted.where(addresses.c.account == find_account(connection, account).name)
    return [_describe(row) for row in connection.execute(wanted)]


def show_address(connection: Connection, address: str, account: str | None = None) -> dict[str, Any]:
    """`address`, `account`, `type`, `has_password`, `frozen`, `reply_to`, `reply_to_verified`, `declared`, …"""
    return _describe(_find(connection, address, account))


def read_password_hash(connection: Connection, address: str, account: str | None = None) -> str | None:
    """The stored hash of an address whose password may be changed, to hold a new password against."""
    stored: str | None = _find_own(connection, address, account).password_hash
    return stored


def set_address_password(
    connection: Connection, change: Change, address: str, password_hash: str, account: str | None = None
) -> dict[str, Any]:
    """From now on this password logs in. The hash was made before, by `password_rule.prepare_password`."""
    return _set(connection, change, "address.password", address, account, password_hash=password_hash)


def freeze_address(connection: Connection, change: Change, address: str, account: str | None = None) -> dict[str, Any]:
    """The address sends nothing until it is unfrozen; open sessions are refused at their next MAIL."""
    return _set(connection, change, "address.freeze", address, account, frozen=True)


def unfreeze_address(
    connection: Connection, change: Change, address: str, account: str | None = None
) -> dict[str, Any]:
    return _set(connection, change, "address.unfreeze", address, account, frozen=False)


def set_reply_to(
    connection: Connection, change: Change, address: str, mailbox: str, account: str | None = None
) -> dict[str, Any]:
    """Where answers go (回信地址). A mailbox that is new counts only when it has been verified."""
    take_turn(connection)
    row, wanted = _find(connection, address, account), str(_parse(mailbox))
    if row.reply_to == wanted:
        return _describe(row)
    connection.execute(update(addresses).filter_by(id=row.id).values(reply_to=wanted, reply_to_verified=False))
    change.record(connection, "address.reply_to", row.address, account=row.account, reply_to=wanted)
    return show_address(connection, row.address)


def delete_address(connection: Connection, change: Change, address: str, account: str | None = None) -> None:
    """Gone; its name may be registered again. Mail that was accepted from it is delivered all the same."""
    take_turn(connection)
    row = _find_own(connection, address, account)
    connection.execute(addresses.delete().where(addresses.c.id == row.id))
    connection.execute(reply_verifications.delete().where(reply_verifications.c.address == row.address))
    change.record(connection, "address.delete", row.address, account=row.account)


def set_domain_password(connection: Connection, change: Change, domain: str, password_hash: str) -> None:
    """The domain itself is a login for all its addresses (ModifyPWByDomain)."""
    take_turn(connection)
    row = _find_domain(connection, domain, None)
    if row.declared:
        raise RefusedError("declared", f"the domain {domain} {DECLARED}")
    connection.execute(update(domains).where(domains.c.name == domain).values(password_hash=password_hash))
    change.record(connection, "domain.password", domain, account=row.account)


def _set(
    connection: Connection, change: Change, what: str, address: str, account: str | None, **values: Any
) -> dict[str, Any]:
    """What is so already is no change. The values themselves may be secret and stay out of the log."""
    take_turn(connection)
    row = _find_own(connection, address, account)
    if any(getattr(row, key) != value for key, value in values.items()):
        connection.execute(update(addresses).where(addresses.c.id == row.id).values(**values))
        change.record(connection, what, row.address, account=row.account)
    return show_address(connection, row.address)


def _parse(text: str) -> Address:
    try:
        return parse_address(text)
    except ValueError as error:
        raise RefusedError("bad_address", f"{text!r} is no address: {error}") from None


def _find(connection: Connection, address: str, account: str | None) -> Row[Any]:
    name = parse_sending_address(address)
    row = _fetch(connection, name)
    if row is None or account not in {None, row.account}:
        raise RefusedError("address_not_found", f"there is no sending address {name}: address list shows them")
    return row


def _find_own(connection: Connection, address: str, account: str | None) -> Row[Any]:
    row = _find(connection, address, account)
    if row.declared:
        raise RefusedError("declared", f"the address {row.address} {DECLARED}")
    return row


def _fetch(connection: Connection, name: str) -> Row[Any] | None:
    return connection.execute(select(addresses).where(addresses.c.address == name)).one_or_none()


def _find_domain(connection: Connection, name: str, account: str | None) -> Row[Any]:
    row = connection.execute(select(domains).where(domains.c.name == name)).one_or_none()
    if row is None or account not in {None, row.account}:
        raise RefusedError("domain_not_found", f"{name} is no sending domain: register it with domain add {name}")
    find_account(connection, row.account)
    return row


def _describe(row: Row[Any]) -> dict[str, Any]:
    return {
        "address": row.address,
        "account": row.account,
        "type": row.kind,
        "has_password": row.password_hash is not None,
        "frozen": row.frozen,
        "reply_to": row.reply_to,
        "reply_to_verified": row.reply_to_verified,
        "declared": row.declared,
        "created_at": iso(row.created_at),
    }
