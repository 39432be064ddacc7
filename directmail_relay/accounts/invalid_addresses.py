"""Invalid addresses (无效地址): recipients that their hosts called wrong, by account; the next RCPT to one is 559.

Delivery adds to them by its final events, which are taken in as often as they come without doing harm. Only a reply
to that address puts it here: what does, is decided by the classification (docs/bounces.md).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Row, Select, case, delete, select

from directmail_relay.accounts.accounts import find_account
from directmail_relay.accounts.changes import Change, RefusedError
from directmail_relay.accounts.listed import parse_recipient, recipient_key, take_numbers, upsert
from directmail_relay.database.accounts_schema import invalid_addresses
from directmail_relay.database.clock import iso, to_ms
from directmail_relay.mail.event import FinalEvent

c = invalid_addresses.c

MAX_DAYS = 30  # the guide: 查看无效地址, at most thirty days at a time
SEVERAL = 3  # attempts after which "tried several times" holds (guide, R15: 如果重试多次依然异常)
_INVALID = 2


def is_hit(event: FinalEvent, *, after_retries: bool) -> bool:
    """Whether the event makes its recipient an invalid address.

    With `after_retries` also where the guide says that an address is invalid when several attempts have failed (R15).
    """
    if event.status == _INVALID:
        return True
    return after_retries and event.suppress == "after_retries" and event.attempts >= SEVERAL


def add_hits(connection: Connection, events: Iterable[FinalEvent], *, after_retries: bool) -> int:
    """Adds or renews the recipients of those events that are hits. Returns how many addresses that were."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for event in events:
        if is_hit(event, after_retries=after_retries):
            _merge(rows, event)
    if rows:
        first = take_numbers(connection, len(rows))
        numbered = [{**rows[key], "number": first + n} for n, key in enumerate(sorted(rows))]
        connection.execute(_add_or_renew(connection), numbered)
    return len(rows)


def list_invalid(
    connection: Connection, account: str, since: float | None = None, until: float | None = None, limit: int = 1000
) -> list[dict[str, Any]]:
    """Those that are new in [since, until) (POSIX seconds), the newest first: `address`, `reply`, `since`, `last`."""
    find_account(connection, account)
    rows = _new_in(select(invalid_addresses).where(c.account == account), since, until)
    return [_describe(row) for row in connection.execute(rows.order_by(c.since.desc(), c.address).limit(limit))]


def search_invalid(connection: Connection, account: str, word: str, limit: int = 1000) -> list[dict[str, Any]]:
    """Those with `word` anywhere in the address, in whatever case, the newest first."""
    find_account(connection, account)
    rows = select(invalid_addresses).where(c.account == account, c.address.contains(word.lower(), autoescape=True))
    return [_describe(row) for row in connection.execute(rows.order_by(c.since.desc(), c.address).limit(limit))]


def read_page(
    connection: Connection, account: str, after: str, since: float | None, until: float | None, limit: int
) -> list[dict[str, Any]]:
    """The next so many behind the address `after`, in the order of addresses: for an export that may be long."""
    find_account(connection, account)
    rows = _new_in(select(invalid_addresses).where(c.account == account, c.address > after), since, until)
    return [_describe(row) for row in connection.execute(rows.order_by(c.address).limit(limit))]


def delete_invalid(connection: Connection, change: Change, account: str, address: str) -> None:
    """Takes the address off; mail to it goes out again, and whatever its host says then counts anew."""
    find_account(connection, account)
    try:
        key = parse_recipient(address)
    except ValueError as error:
        raise RefusedError("bad_address", f"{address} is no address: {error}") from None
    gone = connection.execute(delete(invalid_addresses).where(c.account == account, c.address == key))
    if not gone.rowcount:
        raise RefusedError(
            "invalid_address_not_found",
            f"{key} is not among the invalid addresses of {account}: invalid search WORD finds them",
        )
    change.record(connection, "invalid.delete", key, account=account)


def purge_invalid(connection: Connection, before: float, limit: int) -> int:
    """Forgets up to `limit` that were not hit since that time (POSIX seconds). Returns how many."""
    old = select(c.account, c.address).where(c.last < to_ms(before)).order_by(c.last).limit(limit)
    keys = connection.execute(old).all()
    for key in keys:  # one by one: SQLite reads the whole table for a list of pairs
        connection.execute(
            delete(invalid_addresses).where(c.account == key.account, c.address == key.address, c.last < to_ms(before))
        )
    return len(keys)


def _merge(rows: dict[tuple[str, str], dict[str, Any]], event: FinalEvent) -> None:
    """Into one row an address: since the first hit, with the reply of the last."""
    key, at = (event.account, recipient_key(event.rcpt)), to_ms(event.end_time)
    row = rows.setdefault(key, {"account": key[0], "address": key[1], "reply": event.err_msg, "since": at, "last": at})
    row["since"] = min(row["since"], at)
    if at >= row["last"]:
        row.update(last=at, reply=event.err_msg)


def _add_or_renew(connection: Connection) -> Any:
    """An event that comes a second time, or late, changes nothing; `since` and the number stay those of the first."""
    insert = upsert(connection, invalid_addresses)
    new = insert.excluded
    newer = new.last >= c.last
    return insert.on_conflict_do_update(
        index_elements=[c.account, c.address],
        set_={
            "last": case((newer, new.last), else_=c.last),
            "reply": case((newer, new.reply), else_=c.reply),
        },
    )


def _new_in(rows: Select[Any], since: float | None, until: float | None) -> Select[Any]:
    if since is not None:
        rows = rows.where(c.since >= to_ms(since))
    return rows if until is None else rows.where(c.since < to_ms(until))


def _describe(row: Row[Any]) -> dict[str, Any]:
    return {"address": row.address, "reply": row.reply, "since": iso(row.since), "last": iso(row.last)}
