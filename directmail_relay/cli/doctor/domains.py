"""The DNS records of the sending domains, asked for now. What is found is shown, not stored (`domain verify`)."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

from sqlalchemy import Connection, select

from directmail_relay.accounts.changes import RefusedError
from directmail_relay.accounts.domain_checks import CheckRules, look_for, read_records
from directmail_relay.accounts.domains import DomainRow, find_domain
from directmail_relay.accounts.secret_key import KEY_OCTETS, Cipher, DecryptError, SecretKeyError, read_cipher
from directmail_relay.app.domain_checks import check_rules
from directmail_relay.cli.doctor.aside import aside
from directmail_relay.cli.doctor.finding import Finding, Severity
from directmail_relay.cli.doctor.place import Place
from directmail_relay.cli.output import shorten
from directmail_relay.database.accounts_schema import domains
from directmail_relay.database.engine import Database
from directmail_relay.database.errors import TROUBLE
from directmail_relay.policy.domain_records import Purpose, Record

# A domain with its records, or with why they are not known.
Known = list[tuple[DomainRow, tuple[Record, ...] | DecryptError]]
_ADVICE = "publish it; directmail-relay dns {domain} shows all records of the domain"
# What receivers punish when it is missing; the other optional records are a matter of taste.
_MATTERS = frozenset({Purpose.DKIM, Purpose.DMARC})


async def check_domains(place: Place) -> list[Finding]:
    """Every record of every domain, or of the one that was named."""
    try:
        known = await aside(lambda: _read(place))
    except RefusedError as error:
        return [Finding("dns", Severity.FAIL, f"a sending domain {place.domain}", "none", str(error))]
    except TROUBLE:
        return [Finding("dns", Severity.WARNING, "the registered domains", "unknown", "see the check database")]
    if not known:
        advice = "add one: domain add NAME --account A"
        return [Finding("dns", Severity.INFO, "a sending domain", "none is registered", advice)]
    return [finding for found in await asyncio.gather(*(_check_one(place, *one) for one in known)) for finding in found]


def _read(place: Place) -> Known:
    path = place.config.database.path
    if path is not None and not path.is_file():
        return []
    database = Database(place.config.database.location)
    try:
        return database.read_now(_read_known, place, check_rules(place.config), _cipher(place))
    finally:
        database.close()


def _read_known(connection: Connection, place: Place, rules: CheckRules, cipher: Cipher) -> Known:
    if place.domain is None:
        rows = connection.execute(select(domains).order_by(domains.c.name)).all()
    else:
        rows = [find_domain(connection, place.domain)]
    known: Known = []
    for row in rows:
        try:
            known.append((row, read_records(connection, row, rules, cipher, place.machine.clock())))
        except DecryptError as error:
            known.append((row, error))
    return known


def _cipher(place: Place) -> Cipher:
    """A key that reads nothing where there is none, or none that may be used: then DKIM keys cannot be read."""
    try:
        found = read_cipher(place.config.secret_key_file)
    except SecretKeyError:
        found = None
    return found or Cipher(secrets.token_bytes(KEY_OCTETS))


async def _check_one(place: Place, row: DomainRow, records: tuple[Record, ...] | DecryptError) -> list[Finding]:
    if isinstance(records, DecryptError):
        advice = "restore the secret key from a backup, or make a new key: domain rotate-dkim"
        return [Finding("dns", Severity.FAIL, f"the DKIM keys of {row.name} can be read", str(records), advice)]
    found = await look_for(records, place.lookup)
    return [_judge(row, one.record, one.as_document(), unknown=one.is_right is None) for one in found]


def _judge(row: DomainRow, record: Record, document: dict[str, Any], *, unknown: bool) -> Finding:
    expected = f"{record.name} {record.type} {record.expected}"
    found = "; ".join(document["found"]) or document["note"] or "nothing"
    values = "; ".join(map(shorten, document["found"])) or found
    brief = (f"{record.name} {record.type} {shorten(record.expected)}", values)
    if document["ok"]:
        return Finding("dns", Severity.OK, expected, found, brief=brief)
    if unknown:
        return Finding("dns", Severity.WARNING, expected, found, "see the check resolver", brief)
    return Finding("dns", _weight(row, record), expected, found, _ADVICE.format(domain=row.name), brief)


def _weight(row: DomainRow, record: Record) -> Severity:
    """A required record that is missing stops a domain that has been sending; the configuration may vouch for it.

    One that was never verified is still being set up: no mail of it is lost.
    """
    if record.is_required:
        return Severity.WARNING if row.trusted or row.verified_at is None else Severity.FAIL
    return Severity.WARNING if record.purpose in _MATTERS else Severity.INFO
