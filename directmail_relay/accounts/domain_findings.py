"""What a check found becomes the state of the domain: verified, broken, recovered; keys whose record is seen sign.

One transaction a check. The audit log and the version are touched only when something changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, select, update

from directmail_relay.accounts.changes import Change
from directmail_relay.accounts.dkim_keys import activate_key, list_keys
from directmail_relay.accounts.domain_checks import Finding
from directmail_relay.accounts.domain_status import DomainStatus, missing_of, parse_found, status_of
from directmail_relay.accounts.domains import DomainRow
from directmail_relay.accounts.turns import take_turn
from directmail_relay.database.accounts_schema import domains
from directmail_relay.database.clock import to_ms
from directmail_relay.policy.domain_records import OPTIONAL, REQUIRED, Purpose


class Turn(StrEnum):
    """What a check changed for the mail of the domain; the value ends the name of the log's event."""

    VERIFIED = "verified"
    BROKEN = "broken"
    RECOVERED = "recovered"
    STOPPED = "stopped"  # broken for longer than the grace period


@dataclass(frozen=True, slots=True)
class Checked:
    """A domain after a check. `unknown` are the purposes for which the DNS gave no answer."""

    name: str
    account: str
    status: DomainStatus
    missing: tuple[Purpose, ...]
    unknown: tuple[Purpose, ...] = ()
    turn: Turn | None = None
    activated: tuple[str, ...] = ()


def store_findings(
    connection: Connection, change: Change, row: DomainRow, findings: Sequence[Finding], grace: float
) -> Checked | None:
    """Stores a check of `row`, which was read before the DNS was asked; None when the domain is gone meanwhile."""
    take_turn(connection)
    # The token too: a domain that was deleted and added again meanwhile has other records.
    same = (domains.c.id == row.id) & (domains.c.token == row.token)
    old = connection.execute(select(domains).where(same)).one_or_none()
    if old is None:
        return None
    activated = _activate(connection, change, old.name, findings)
    judged = _judge(connection, old.name, findings)
    found = _merge(parse_found(old.found), judged)
    turn, dates = _turn(old, found, change.at, to_ms(grace))
    words = ",".join(purpose for purpose in (*REQUIRED, *OPTIONAL) if purpose in found)
    connection.execute(update(domains).where(same).values(found=words, checked_at=change.at, **dates))
    if turn is not None or activated or words != old.found:
        what = f"domain.{turn}" if turn else "domain.check"
        change.record(connection, what, old.name, old.account, found=words, activated=activated)
    new = connection.execute(select(domains).where(same)).one()
    unknown = tuple(purpose for purpose, right in judged.items() if right is None)
    return Checked(new.name, new.account, status_of(new), tuple(missing_of(new)), unknown, turn, tuple(activated))


def _activate(connection: Connection, change: Change, domain: str, findings: Iterable[Finding]) -> list[str]:
    """Puts the keys whose record was seen to work; a key that waited signs from now on."""
    seen = {finding.record.name for finding in findings if finding.is_right}
    waiting = [key.selector for key in list_keys(connection, domain) if key.active_since is None]
    return [
        selector
        for selector in waiting
        if f"{selector}._domainkey.{domain}" in seen and activate_key(connection, change, domain, selector)
    ]


def _judge(connection: Connection, domain: str, findings: Iterable[Finding]) -> dict[Purpose, bool | None]:
    """For each purpose whether its record is right; None where that could not be found out.

    Of several DKIM keys the one that signs counts, as long as none does the one that waits.
    """
    keys = list_keys(connection, domain)
    signing = [key for key in keys if key.active_since is not None and key.retired_at is None]
    others = {key.selector for key in keys} - {key.selector for key in signing or keys}
    idle = {f"{selector}._domainkey.{domain}" for selector in others}
    judged: dict[Purpose, bool | None] = {Purpose.DKIM: None} if keys else {}
    for finding in findings:
        if finding.record.name not in idle:
            judged[finding.record.purpose] = finding.is_right
    return judged


def _merge(known: frozenset[Purpose], judged: dict[Purpose, bool | None]) -> frozenset[Purpose]:
    kept = {purpose for purpose in known if judged.get(purpose, False) is None}
    return frozenset(kept | {purpose for purpose, right in judged.items() if right})


def _turn(old: DomainRow, found: frozenset[Purpose], now: int, grace: int) -> tuple[Turn | None, dict[str, int | None]]:
    """What the check changes, and the new dates. All times in milliseconds."""
    if found.issuperset(REQUIRED):
        dates = {"verified_at": old.verified_at or now, "broken_since": None}
        if old.verified_at is None:
            return Turn.VERIFIED, dates
        return (Turn.RECOVERED if old.broken_since is not None else None), dates
    if old.verified_at is None:
        return None, {}
    if old.broken_since is None:
        return Turn.BROKEN, {"broken_since": now}
    end: int = old.broken_since + grace
    return (Turn.STOPPED if (old.checked_at or 0) < end <= now else None), {}
