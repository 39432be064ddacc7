"""Automatic DNS (启用自动DNS解析): the records that a domain lacks are written into its zone by dynamic update.

Only ever adds what is absent. Where somebody has a record of his own (an SPF record, mail hosts, an alias) it stays,
and the answer says what to do by hand: what it is for is not ours to judge.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from directmail_relay.accounts.domain_checks import Finding, look_for
from directmail_relay.policy.domain_records import ZONE_TTL, Purpose, Record, record_data
from directmail_relay.resolver.lookup import Lookup
from directmail_relay.resolver.update import NO_ANSWER, UNSIGNED, Only, Refused, Updater


class Outcome(StrEnum):
    """What became of one record."""

    ADDED = "added"
    PRESENT = "present"
    LEFT = "left"  # something of somebody's stands there
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Written:
    """One record after the attempt to write it; `note` says what to do when it was not."""

    purpose: Purpose
    name: str
    outcome: Outcome
    note: str | None = None

    def as_document(self) -> dict[str, Any]:
        return asdict(self)


# Where one record alone may stand: what to do by hand when somebody's is there.
_LEFT = {
    Purpose.SPF: "there is an SPF record already, and two would both be void: put {include} into it, before its all",
    Purpose.MX: "mail for {name} goes elsewhere ({found}): send from a subdomain, or change the MX by hand",
    Purpose.CNAME: "something else stands at {name} ({found}): change it by hand",
    Purpose.DKIM: "another key stands at {name}: correct it by hand, or rotate to a new selector (domain rotate-dkim)",
    Purpose.DMARC: "there are several DMARC records, so none counts: leave one",
}
# These the server itself refuses to put beside another: it knows what stands there, and what only a wildcard says.
_ONLY_IF = {Purpose.MX: Only.FIRST_OF_TYPE, Purpose.CNAME: Only.NEW_NAME}
_TAKEN = {"YXRRSET", "YXDOMAIN"}
_IGNORED = "the server took the update but does not show the record: something else stands at that name"
_ADVICE = {
    "REFUSED": "the server does not let the key change this: allow updates of the zone with this key",
    "NOTAUTH": "the server is not the primary of that zone, or does not know the key: check server, zones and key_name",
    "NOTZONE": "the name does not lie in that zone: check domains.automatic_dns.zones",
    "BADKEY": "the server does not know the key, or not for updates of this zone: check key_name, algorithm, its rules",
    "BADSIG": "the server has another secret for the key: check key_secret",
    "BADTIME": "the clocks of this machine and of the server differ: set them",
    "SERVFAIL": "the server is in trouble: see its log, then try again",
    "NOTIMP": "the server knows no dynamic updates: name one that does",
    UNSIGNED: "the answer was not signed: a server that knows neither key nor updates, or somebody else; see dns",
    NO_ANSWER: "no usable answer: check domains.automatic_dns.server and the way to it",
}


@dataclass(frozen=True, slots=True)
class Primary:
    """The server that is updated. `lookup` asks it, without following aliases; `world` asks as everybody does.

    `zones` are those that the server has; when none is given it is asked.
    """

    updater: Updater
    lookup: Lookup
    world: Lookup
    zones: Sequence[str] = ()


async def publish(records: Iterable[Record], domain: str, primary: Primary) -> list[Written]:
    """Writes what is absent, one update a record; the answer has one entry for each, in their order."""
    wanted = [record for record in records if not record.may_go]
    zone = await _find_zone(domain, primary.updater, primary.zones)
    if isinstance(zone, Refused):
        return [_fail(record, zone) for record in wanted]
    findings = await look_for(wanted, primary.lookup, primary.world)
    written = [await _publish_one(finding, zone, primary.updater) for finding in findings]
    return await _confirm(written, wanted, primary.lookup)


def zone_for(domain: str, zones: Iterable[str]) -> str | None:
    """The nearest of the zones that the domain lies in."""
    fitting = [zone for zone in zones if domain == zone or domain.endswith(f".{zone}")]
    return max(fitting, key=len, default=None)


async def _find_zone(domain: str, updater: Updater, zones: Sequence[str]) -> str | Refused:
    if not zones:
        return await updater.find_zone(domain)
    return zone_for(domain, zones) or Refused("NOTZONE")


async def _publish_one(finding: Finding, zone: str, updater: Updater) -> Written:
    record = finding.record
    if finding.is_right is None:
        note = f"the server does not say what is there ({finding.trouble}): nothing was written"
        return Written(record.purpose, record.name, Outcome.FAILED, note)
    if finding.is_right:
        return Written(record.purpose, record.name, Outcome.PRESENT)
    only = _ONLY_IF.get(record.purpose)
    if finding.found and only is None and record.purpose in _LEFT:
        return _leave(finding)
    refused = await updater.add(zone, record.name, record.type, record_data(record), ttl=ZONE_TTL, only=only)
    if refused is None:
        return Written(record.purpose, record.name, Outcome.ADDED)
    return _leave(finding) if refused.rcode in _TAKEN else _fail(record, refused)


async def _confirm(written: Sequence[Written], wanted: Sequence[Record], lookup: Lookup) -> list[Written]:
    """Looks whether what was added is there: beside an alias a server drops updates silently (RFC 2136 §3.4.2.2)."""
    added = [record for record, one in zip(wanted, written, strict=True) if one.outcome is Outcome.ADDED]
    found = await look_for(added, lookup)
    absent = {(one.record.purpose, one.record.name) for one in found if one.is_right is False}
    return [
        replace(one, outcome=Outcome.FAILED, note=_IGNORED) if (one.purpose, one.name) in absent else one
        for one in written
    ]


def _leave(finding: Finding) -> Written:
    record = finding.record
    include = record.expected.partition(" ")[2].partition(" ")[0]
    found = ", ".join(finding.found) or "other records"
    note = _LEFT[record.purpose].format(name=record.name, found=found, include=include)
    return Written(record.purpose, record.name, Outcome.LEFT, note)


def _fail(record: Record, refused: Refused) -> Written:
    return Written(record.purpose, record.name, Outcome.FAILED, _explain(refused))


def _explain(refused: Refused) -> str:
    advice = _ADVICE.get(refused.rcode, "see the log of the server")
    detail = f" ({refused.detail})" if refused.detail else ""
    return f"{refused.rcode}{detail}: {advice}"
