"""What the commands do with the DNS: show the records, check them, write them, warn of a domain that has mailboxes."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from directmail_relay.accounts.automatic_dns import Outcome, Primary, Written, publish, zone_for
from directmail_relay.accounts.domain_checks import Finding, look_for, read_records
from directmail_relay.accounts.domain_findings import store_findings
from directmail_relay.accounts.domain_status import DomainStatus, describe
from directmail_relay.accounts.domains import DomainRow, find_domain, show_domain
from directmail_relay.accounts.secret_key import (
    KEY_OCTETS,
    Cipher,
    DecryptError,
    SecretKeyError,
    load_or_make_cipher,
    read_cipher,
)
from directmail_relay.app.domain_checks import check_rules, make_lookup
from directmail_relay.cli.opening import RefusedError
from directmail_relay.cli.output import EXIT_FAILED, print_facts, print_json, print_table, shorten
from directmail_relay.cli.registering import Registering, open_registered, open_registering
from directmail_relay.config import Config
from directmail_relay.mail.mx import Unavailable
from directmail_relay.policy.domain_records import Purpose, Record, zone_line
from directmail_relay.resolver.lookup import Lookup
from directmail_relay.resolver.update import Updater

_MAY_SEND = {DomainStatus.USABLE, DomainStatus.VERIFIED}
_DONE = {Outcome.ADDED, Outcome.PRESENT}
_COLUMNS = ("purpose", "type", "name", "expected", "found", "verdict", "note")


def show_records(name: str, config: Path | None, *, as_json: bool) -> None:
    with open_registered(config, as_json=as_json) as desk:
        findings = asyncio.run(look_for(_records(desk, name), make_lookup(desk.config)))
    if as_json:
        print_json([finding.as_document() for finding in findings])
    else:
        _print_findings(findings)


def print_zone(name: str, config: Path | None) -> None:
    """Without the records that may be removed; asks nobody."""
    with open_registered(config, as_json=False) as desk:
        records = _records(desk, name)
    for record in records:
        if not record.may_go:
            typer.echo(zone_line(record))


def verify_one(name: str, config: Path | None, *, as_json: bool) -> None:
    """Exit code 1 unless all required records were asked for and are right, or the configuration vouches for them."""
    with open_registering(config, as_json=as_json) as desk:
        row = desk.read(find_domain, name)
        findings: list[Finding] = []
        if not row.trusted:
            findings = asyncio.run(look_for(_records(desk, row.name), make_lookup(desk.config)))
        unsure = any(finding.is_right is None and finding.record.is_required for finding in findings)
        unknown = _store(desk, row, findings, unsure=unsure)
        document = {**desk.read(show_domain, row.name), "unknown": unknown}
    if as_json:
        print_json(document)
    else:
        _print_verdict(document, findings)
    if unsure or document["status"] not in _MAY_SEND:
        raise typer.Exit(EXIT_FAILED)


def _store(desk: Registering, row: DomainRow, findings: Sequence[Finding], *, unsure: bool) -> list[str]:
    """The purposes that the DNS said nothing about. Without the required ones it was no check: nothing is stored."""
    if unsure:
        return list(dict.fromkeys(one.record.purpose.value for one in findings if one.is_right is None))
    checked = desk.write(store_findings, row, findings, desk.config.domains.grace) if findings else None
    return [purpose.value for purpose in checked.unknown] if checked else []


def publish_one(name: str, config: Path | None, *, as_json: bool) -> None:
    """Exit code 1 unless every record is there in the end."""
    with open_registering(config, as_json=as_json) as desk:
        written = publish_records(desk, desk.read(find_domain, name).name, automatic=True) or []
    if as_json:
        print_json([one.as_document() for one in written])
    else:
        print_written(written)
    if not all(one.outcome in _DONE for one in written):
        raise typer.Exit(EXIT_FAILED)


def publish_records(desk: Registering, name: str, *, automatic: bool | None) -> list[Written] | None:
    """Writes the absent records of a domain; None when that is not wanted.

    `automatic` None means: where the domain lies in one of the zones that the configuration names.
    """
    check_automatic(desk.config, name, automatic=automatic)
    settings = desk.config.domains.automatic_dns
    if settings is None or automatic is False or (automatic is None and zone_for(name, settings.zones) is None):
        return None
    server = str(settings.server)
    lookup = Lookup([server], follow=False)
    primary = Primary(Updater(server, settings.key), lookup, make_lookup(desk.config), settings.zones)
    return asyncio.run(publish(_records(desk, name), name, primary))


def check_automatic(config: Config, name: str, *, automatic: bool | None) -> None:
    """RefusedError when the records are to be written and there is no server to write them to."""
    if automatic and config.domains.automatic_dns is None:
        raise RefusedError(
            f"domains.automatic_dns is not configured: publish what dns {name} shows by hand", "no_server"
        )


async def warn_of_mailboxes(desk: Registering, name: str) -> list[str]:
    """The guide: never the domain of a company's mailboxes, their mail would come to us (新建域名)."""
    found = await make_lookup(desk.config).find(name, "MX")
    if isinstance(found, Unavailable):
        return []
    elsewhere = [one for one in found if one.split()[-1].lower() != desk.config.domains.mx_host]
    if not elsewhere:
        return []
    return [f"{name} receives mail at {', '.join(elsewhere)}: send from a subdomain such as notice.{name} instead"]


def print_written(written: Sequence[Written]) -> None:
    print_table(
        ("purpose", "name", "outcome", "note"), [(one.purpose, one.name, one.outcome, one.note) for one in written]
    )


def word_for(found: Mapping[str, Any]) -> str:
    """The guide's word for a domain's status: 待验证, 验证通过, 可使用-…"""
    return describe(DomainStatus(found["status"]), [Purpose(one) for one in found["missing"]])


def load_cipher(config: Config) -> Cipher:
    """The cipher of the installation; its key file is made when absent. RefusedError when it cannot be used."""
    try:
        return load_or_make_cipher(config.secret_key_file, config.database.path)
    except SecretKeyError as error:
        raise RefusedError(str(error), "secret_key") from None


def _reading_cipher(config: Config) -> Cipher:
    """Makes no key file: where there is none, a key that reads nothing."""
    return read_cipher(config.secret_key_file) or Cipher(secrets.token_bytes(KEY_OCTETS))


def _records(desk: Registering, name: str) -> tuple[Record, ...]:
    row = desk.read(find_domain, name)
    try:
        return desk.read(read_records, row, check_rules(desk.config), _reading_cipher(desk.config), desk.change.now)
    except (DecryptError, SecretKeyError) as error:
        raise RefusedError(str(error), "secret_key") from None


def _print_findings(findings: Sequence[Finding]) -> None:
    rows = []
    for finding in findings:
        one = finding.as_document()
        verdict = (
            "ok" if one["ok"] else "unknown" if finding.is_right is None else "wrong" if one["found"] else "missing"
        )
        optional = "" if one["required"] else " (optional)"
        rows.append(
            [
                one["purpose"] + optional,
                one["type"],
                one["name"],
                shorten(one["expected"]),
                "\n".join(map(shorten, one["found"])),
                verdict,
                one["note"],
            ]
        )
    print_table(_COLUMNS, rows)


def _print_verdict(document: Mapping[str, Any], findings: Sequence[Finding]) -> None:
    print_facts(
        {
            "name": document["name"],
            "account": document["account"],
            "status": f"{document['status']} {word_for(document)}",
            "missing": ", ".join(document["missing"]),
        }
    )
    for purpose in document["unknown"]:
        typer.echo(f"the DNS gave no answer about {purpose}: what was known of it stays", err=True)
    wrong = [finding for finding in findings if not finding.as_document()["ok"]]
    if wrong:
        typer.echo()
        _print_findings(wrong)
