"""IP protection (IP 防护): the client addresses from which an account may send, ten entries at most, off or on.

A change that would keep out the address it comes from is refused, unless forced: `from_ip` is that address, None for a
command, which comes from none.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, select, update

from directmail_relay.accounts.accounts import find_account, find_own_account
from directmail_relay.accounts.changes import Change, RefusedError
from directmail_relay.accounts.turns import take_turn
from directmail_relay.database.accounts_schema import accounts, allow_entries
from directmail_relay.database.clock import iso
from directmail_relay.policy.allowlist import Allowlist, is_private_entry, parse_entry

MAX_ENTRIES = 10  # the guide: IP 白名单最多支持 10 条


def list_entries(connection: Connection, account: str) -> list[dict[str, Any]]:
    """`id`, `entry`, `created_at` of each, in the order in which they came. Whether they count, the account says."""
    find_account(connection, account)
    wanted = select(allow_entries).where(allow_entries.c.account == account).order_by(allow_entries.c.id)
    return [{"id": row.id, "entry": row.entry, "created_at": iso(row.created_at)} for row in connection.execute(wanted)]


def add_entry(
    connection: Connection, change: Change, account: str, text: str, *, allow_private: bool = False
) -> dict[str, Any]:
    """One IP address, range `a-b` or block `a/n` more. Private ones only with `allow_private` (the guide: 请勿填写)."""
    entry = _parse(text)
    if not allow_private and is_private_entry(parse_entry(entry)):
        raise RefusedError(
            "private_range",
            f"{entry} is private, and clients come from public addresses: "
            "give theirs, or set ip_protection.allow_private in the configuration",
        )
    take_turn(connection)
    find_own_account(connection, account)
    present = _entries(connection, account)
    if entry in present:
        raise RefusedError("entry_exists", f"{entry} is in the list already")
    if len(present) >= MAX_ENTRIES:
        raise RefusedError("too_many_entries", f"the list has {MAX_ENTRIES} entries, which is all it takes: remove one")
    connection.execute(allow_entries.insert().values(account=account, entry=entry, created_at=change.at))
    change.record(connection, "ip.add", entry, account=account)
    return list_entries(connection, account)[-1]


def remove_entry(
    connection: Connection, change: Change, account: str, text: str, *, from_ip: str | None = None, force: bool = False
) -> None:
    """The last one cannot go while the protection is on: nobody could send any more."""
    entry = _parse(text)
    take_turn(connection)
    owner = find_own_account(connection, account)
    present = _entries(connection, account)
    if entry not in present:
        raise RefusedError("entry_not_found", f"{entry} is not in the list: ip list shows what is")
    left = [one for one in present if one != entry]
    if owner.ip_protection:
        _check_not_empty(left, account, "turn the protection off first, with ip off")
        _check_lets_in(left, from_ip, force=force)
    connection.execute(allow_entries.delete().where(allow_entries.c.account == account, allow_entries.c.entry == entry))
    change.record(connection, "ip.remove", entry, account=account)


def turn_on(
    connection: Connection, change: Change, account: str, *, from_ip: str | None = None, force: bool = False
) -> None:
    """From now on only listed addresses may send."""
    take_turn(connection)
    owner = find_own_account(connection, account)
    present = _entries(connection, account)
    _check_not_empty(present, account, "add the addresses that it sends from first, with ip add")
    _check_lets_in(present, from_ip, force=force)
    _switch(connection, change, account, is_on=owner.ip_protection, on=True)


def turn_off(connection: Connection, change: Change, account: str) -> None:
    """Every address may send; the list stays for another time."""
    take_turn(connection)
    owner = find_own_account(connection, account)
    _switch(connection, change, account, is_on=owner.ip_protection, on=False)


def _switch(connection: Connection, change: Change, account: str, *, is_on: bool, on: bool) -> None:
    if is_on == on:
        return
    connection.execute(update(accounts).where(accounts.c.name == account).values(ip_protection=on))
    change.record(connection, "ip.on" if on else "ip.off", account, account=account)


def _parse(text: str) -> str:
    """The entry in its shortest form, so that one thing is listed once."""
    try:
        return str(parse_entry(text))
    except ValueError as error:
        raise RefusedError("bad_entry", str(error)) from None


def _entries(connection: Connection, account: str) -> list[str]:
    wanted = select(allow_entries.c.entry).where(allow_entries.c.account == account)
    return list(connection.execute(wanted).scalars())


def _check_not_empty(entries: list[str], account: str, advice: str) -> None:
    if not entries:
        raise RefusedError("empty_list", f"with an empty list nobody could send for {account}: {advice}")


def _check_lets_in(entries: Iterable[str], from_ip: str | None, *, force: bool) -> None:
    if from_ip is None or force:
        return
    if not Allowlist(enabled=True, entries=tuple(map(parse_entry, entries))).allows(from_ip):
        raise RefusedError(
            "would_lock_out", f"you come from {from_ip}, which would be kept out: add it first, or force the change"
        )
