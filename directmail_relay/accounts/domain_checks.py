"""The check of a sending domain (验证): its records are asked for now, and what was found is stored.

Trouble with the DNS is never taken for a missing record: what was known before stays known. The asking waits for the
network, the storing for the database; neither happens within the other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from directmail_relay.accounts.dkim_keys import KeyRow, key_records, list_keys
from directmail_relay.accounts.domains import DomainRow
from directmail_relay.accounts.secret_key import Cipher
from directmail_relay.database.accounts_schema import domains
from directmail_relay.database.clock import to_ms
from directmail_relay.mail.mx import Unavailable
from directmail_relay.policy.domain_records import (
    OurNames,
    Purpose,
    Record,
    is_dkim,
    is_dmarc,
    is_right,
    is_spf,
    list_records,
)
from directmail_relay.resolver.lookup import Found, Lookup

# Other texts at the same name (other services prove their ownership there too) are nobody's business here.
_ONLY = {Purpose.SPF: is_spf, Purpose.DKIM: is_dkim, Purpose.DMARC: is_dmarc}


@dataclass(frozen=True, slots=True)
class CheckRules:
    """What checks go by. `grace` and `lifetime` (of a message) in seconds; `declared` are DKIM records by domain."""

    ours: OurNames
    grace: float
    lifetime: float
    declared: Mapping[str, Record] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found for one record. `is_right` is None when the DNS could not be asked; `trouble` says why."""

    record: Record
    found: tuple[str, ...] = ()
    is_right: bool | None = None
    trouble: str | None = None

    def as_document(self) -> dict[str, Any]:
        """The JSON of `dns`. A record that may be removed is all right, found or not."""
        record = self.record
        note = f"no answer from the DNS ({self.trouble})" if self.trouble else record.note
        return {
            "purpose": record.purpose.value,
            "type": record.type,
            "name": record.name,
            "expected": record.expected,
            "found": list(self.found),
            "ok": bool(self.is_right) or record.may_go,
            "required": record.is_required,
            "note": note,
        }


def records_of(
    row: DomainRow, keys: Sequence[KeyRow], rules: CheckRules, cipher: Cipher, now: float
) -> tuple[Record, ...]:
    """All records of a domain, in the guide's order, DKIM and DMARC last. Raises DecryptError as `key_records` does."""
    *first, dmarc = list_records(row.name, row.main_domain, row.token, rules.ours)
    declared = rules.declared.get(row.name)
    dkim = [declared] if declared else []
    return (*first, *dkim, *key_records(keys, cipher, now, rules.lifetime), dmarc)


def read_records(
    connection: Connection, row: DomainRow, rules: CheckRules, cipher: Cipher, now: float
) -> tuple[Record, ...]:
    """As `records_of`, with the keys that the domain has."""
    return records_of(row, list_keys(connection, row.name), rules, cipher, now)


async def look_for(records: Iterable[Record], lookup: Lookup, above: Lookup | None = None) -> list[Finding]:
    """Asks for all records at once; the findings stand in the order of the records. Raises nothing.

    `above` is asked about the main domain, when `lookup` knows the domain alone.
    """
    return list(await asyncio.gather(*(_look_for_one(record, lookup, above or lookup) for record in records)))


def list_due(connection: Connection, now: float, recheck: float, limit: int) -> Sequence[DomainRow]:
    """Domains whose last check is `recheck` seconds ago, the longest waiting first; trusted ones are never asked."""
    checked = domains.c.checked_at
    due = checked.is_(None) | (checked <= to_ms(now - recheck))
    wanted = (
        select(domains).where(domains.c.trusted.is_(False), due).order_by(checked.asc().nulls_first(), domains.c.id)
    )
    return connection.execute(wanted.limit(limit)).all()


async def _look_for_one(record: Record, lookup: Lookup, above: Lookup) -> Finding:
    found = await lookup.find(record.name, record.type)
    kept = _keep(record, found)
    if kept == () and record.fallback is not None:
        kept = _keep(record, await above.find(record.fallback, record.type))
    if isinstance(kept, Unavailable):
        return Finding(record, trouble=kept.why)
    return Finding(record, kept, is_right(record, kept))


def _keep(record: Record, found: Found) -> Found:
    wanted = _ONLY.get(record.purpose)
    if wanted is None or isinstance(found, Unavailable):
        return found
    return tuple(text for text in found if wanted(text))
