"""Mail tags (邮件标签): names by which an account sorts its mail in reports. Each account has its own."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import Connection, Row, select

from directmail_relay.accounts.accounts import find_account
from directmail_relay.accounts.changes import Change, RefusedError
from directmail_relay.accounts.turns import take_turn
from directmail_relay.database.accounts_schema import tags
from directmail_relay.database.clock import iso

MAX_DESCRIPTION = 500
_NAME = re.compile(r"[A-Za-z0-9_]{1,128}")  # CreateTag


def parse_tag(text: str) -> str:
    """The name itself, letter case and all. ValueError when it cannot be one."""
    if not _NAME.fullmatch(text):
        raise ValueError("a tag has 1 to 128 letters, digits and underscores")
    return text


def add_tag(connection: Connection, change: Change, account: str, name: str, description: str = "") -> dict[str, Any]:
    """A new tag of the account."""
    _check(name, description)
    take_turn(connection)
    find_account(connection, account)
    if _fetch(connection, account, name) is not None:
        raise RefusedError(
            "tag_exists", f"the account {account} has a tag {name} already: show it with tag list, or choose another"
        )
    connection.execute(tags.insert().values(account=account, name=name, description=description, created_at=change.at))
    change.record(connection, "tag.add", name, account=account)
    return _describe(_find(connection, account, name))


def list_tags(connection: Connection, account: str | None = None) -> list[dict[str, Any]]:
    """`name`, `account`, `description`, `created_at` of each, by account and name."""
    wanted = select(tags).order_by(tags.c.account, tags.c.name)
    if account is not None:
        wanted = wanted.where(tags.c.account == find_account(connection, account).name)
    return [_describe(row) for row in connection.execute(wanted)]


def delete_tag(connection: Connection, change: Change, account: str, name: str) -> None:
    """Mail that has the tag keeps it."""
    take_turn(connection)
    find_account(connection, account)
    row = _find(connection, account, name)
    connection.execute(tags.delete().where(tags.c.id == row.id))
    change.record(connection, "tag.delete", name, account=account)


def _check(name: str, description: str) -> None:
    try:
        parse_tag(name)
    except ValueError as error:
        raise RefusedError("bad_name", f"{name!r} is no tag: {error}") from None
    if len(description) > MAX_DESCRIPTION or not (description.isprintable() or not description):
        raise RefusedError("bad_value", f"a description is one line of {MAX_DESCRIPTION} characters at most")


def _find(connection: Connection, account: str, name: str) -> Row[Any]:
    row = _fetch(connection, account, name)
    if row is None:
        raise RefusedError("tag_not_found", f"the account {account} has no tag {name}: tag list shows those it has")
    return row


def _fetch(connection: Connection, account: str, name: str) -> Row[Any] | None:
    wanted = select(tags).where(tags.c.account == account, tags.c.name == name)
    return connection.execute(wanted).one_or_none()


def _describe(row: Row[Any]) -> dict[str, Any]:
    return {
        "name": row.name,
        "account": row.account,
        "description": row.description,
        "created_at": iso(row.created_at),
    }
