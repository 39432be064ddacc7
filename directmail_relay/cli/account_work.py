"""What the account commands do. Here what is registered meets what the queue has counted for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import typer

from directmail_relay.accounts.accounts import add_account, delete_account, list_accounts, set_account, show_account
from directmail_relay.cli.opening import RefusedError
from directmail_relay.cli.output import print_facts, print_json, print_table
from directmail_relay.cli.registering import Registering, open_registered, open_registering, say_done
from directmail_relay.mail.message import Status
from directmail_relay.policy.quota import Used, period_keys
from directmail_relay.queue.usage import read_used

_COLUMNS = ("name", "status", "today", "month", "total", "ip_protection", "declared")
NO_LIMIT = "none"


@dataclass(frozen=True, slots=True)
class Quotas:
    """As typed: None is not given, `none` takes the limit away."""

    daily_quota: str | None = None
    monthly_quota: str | None = None
    total_quota: str | None = None

    def parse(self) -> dict[str, int | None]:
        """Those that were given. RefusedError for what is no number."""
        given = {
            "daily_quota": self.daily_quota,
            "monthly_quota": self.monthly_quota,
            "total_quota": self.total_quota,
        }
        return {key: _parse_quota(key, text) for key, text in given.items() if text is not None}


def add_one(name: str, quotas: Quotas, config: Path | None, *, as_json: bool) -> None:
    with open_registering(config, as_json=as_json) as registering:
        given = quotas.parse()
        document = _with_used(registering, registering.write(add_account, name, given))
    say_done(document, f"account {name} added", as_json=as_json)


def list_all(config: Path | None, *, as_json: bool) -> None:
    with open_registered(config, as_json=as_json) as registering:
        documents = [_with_used(registering, one) for one in registering.read(list_accounts)]
    if as_json:
        print_json(documents)
    elif not documents:
        typer.echo("there are no accounts yet: account add NAME")
    else:
        print_table(_COLUMNS, [list(_as_row(one).values()) for one in documents])


def show_one(name: str, config: Path | None, *, as_json: bool) -> None:
    with open_registered(config, as_json=as_json) as registering:
        document = _with_used(registering, registering.read(show_account, name))
    if as_json:
        print_json(document)
    else:
        print_facts({**_as_row(document), "created_at": document["created_at"]})


def set_one(name: str, status: str | None, quotas: Quotas, config: Path | None, *, as_json: bool) -> None:
    with open_registering(config, as_json=as_json) as registering:
        wanted, given = _parse_status(status), quotas.parse()
        if wanted is None and not given:
            raise RefusedError("set what? give --status, --daily-quota, --monthly-quota or --total-quota")
        changed = registering.write(set_account, name, status=wanted, quotas=given)
        document = _with_used(registering, changed)
    say_done(document, f"account {name} is {document['status']}", as_json=as_json)


def delete_one(name: str, config: Path | None, *, as_json: bool) -> None:
    with open_registering(config, as_json=as_json) as registering:
        registering.write(delete_account, name)
    say_done({"name": name, "status": Status.DELETED}, f"account {name} deleted", as_json=as_json)


def _with_used(registering: Registering, account: dict[str, Any]) -> dict[str, Any]:
    """`{"name", "status", "daily": {"used", "limit"}, …}`."""
    periods = period_keys(registering.change.now, ZoneInfo(registering.config.time_zone))
    used: Used = registering.read(read_used, account["name"], periods)
    return {
        "name": account["name"],
        "status": account["status"],
        "daily": {"used": used.daily, "limit": account["daily_quota"]},
        "monthly": {"used": used.monthly, "limit": account["monthly_quota"]},
        "total": {"used": used.total, "limit": account["total_quota"]},
        "ip_protection": account["ip_protection"],
        "declared": account["declared"],
        "created_at": account["created_at"],
    }


def _as_row(document: dict[str, Any]) -> dict[str, object]:
    """For people: `12 of 200000`."""
    return {
        "name": document["name"],
        "status": document["status"],
        "today": _used_of(document["daily"]),
        "month": _used_of(document["monthly"]),
        "total": _used_of(document["total"]),
        "ip_protection": "on" if document["ip_protection"] else "off",
        "declared": "yes" if document["declared"] else "no",
    }


def _used_of(span: dict[str, int | None]) -> str:
    return f"{span['used']} of {'no limit' if span['limit'] is None else span['limit']}"


def _parse_quota(key: str, text: str) -> int | None:
    if text == NO_LIMIT:
        return None
    if not (text.isascii() and text.isdecimal()) or len(text) > 18:
        raise RefusedError(f"--{key.replace('_', '-')} takes a number of recipients, or {NO_LIMIT}; not {text}")
    return int(text)


def _parse_status(text: str | None) -> Status | None:
    known = [status.value for status in Status if status is not Status.DELETED]
    if text is None:
        return None
    if text == Status.DELETED:
        raise RefusedError("an account is not set to deleted: use account delete")
    if text not in known:
        raise RefusedError(f"--status is one of {', '.join(known)}, not {text}")
    return Status(text)
