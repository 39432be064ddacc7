"""The scheduled check of all sending domains: a few at a time, spread over `domains.recheck`, by one worker of all.

A domain whose required records went away is told in the log, counted, and left to send for the grace period.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from directmail_relay.accounts.changes import Change
from directmail_relay.accounts.domain_checks import CheckRules, Finding, list_due, look_for, read_records, records_of
from directmail_relay.accounts.domain_findings import Checked, Turn, store_findings
from directmail_relay.accounts.domains import DomainRow, count_statuses
from directmail_relay.accounts.secret_key import Cipher, DecryptError
from directmail_relay.config import Config
from directmail_relay.content.signing_keys import public_record
from directmail_relay.database.engine import Database
from directmail_relay.database.errors import TROUBLE
from directmail_relay.delivery.life import Life
from directmail_relay.policy.domain_records import OurNames, Record, dkim_record
from directmail_relay.queue.lease import take_lease
from directmail_relay.resolver import Limits
from directmail_relay.resolver.lookup import Lookup
from directmail_relay.telemetry import metrics

log = structlog.get_logger()

ROUND_SECONDS = 30.0
LEAST_ROUND_SECONDS = 1.0
AT_ONCE = 4
LEAST_BITE = 5
WHO = "relay"

_EVENTS = {
    Turn.VERIFIED: "domain_verified",
    Turn.BROKEN: "domain_broken",
    Turn.RECOVERED: "domain_recovered",
    Turn.STOPPED: "domain_stopped",
}
_BAD = {Turn.BROKEN, Turn.STOPPED}


@dataclass(frozen=True, slots=True)
class Checking:
    """All that a check needs, of one configuration."""

    rules: CheckRules
    lookup: Lookup
    recheck: float

    @classmethod
    def of(cls, config: Config) -> Checking:
        """Reads the declared DKIM keys; ValueError when one has gone bad."""
        return cls(check_rules(config), make_lookup(config), config.domains.recheck)


def check_rules(config: Config) -> CheckRules:
    """What checks go by, with the DKIM records of what is declared. ValueError when a key file has gone bad."""
    named = config.domains
    return CheckRules(
        OurNames(named.spf_include, named.mx_host, named.tracking_host),
        grace=named.grace,
        lifetime=config.delivery.retry.lifetime,
        declared=_declared_records(config),
    )


def make_lookup(config: Config) -> Lookup:
    dns = config.delivery.dns
    return Lookup([str(server) for server in dns.servers], limits=Limits(question=dns.timeout))


async def serve_domain_checks(database: Database, life: Life, cipher: Cipher, config: Callable[[], Config]) -> None:
    """Runs until cancelled. `config` gives the one that holds now; trouble with the database is logged and passes."""
    current: Config | None = None
    while True:
        await asyncio.sleep(round_seconds(config().domains.recheck))
        try:
            wanted = config()
            if wanted is not current:
                checking = await asyncio.to_thread(Checking.of, wanted)
                current = wanted
            if await database.write(take_lease, "domain_checks", life.claim):
                await check_due(database, cipher, checking, time.time)
        except (*TROUBLE, ValueError) as error:  # ValueError: a declared key file that has gone bad
            log.error("duty_failed", duty="domain_checks", error=type(error).__name__)


def round_seconds(recheck: float) -> float:
    """From one round to the next: half a minute, less where domains are due more often than that."""
    return min(ROUND_SECONDS, max(LEAST_ROUND_SECONDS, recheck / 4))


async def check_due(database: Database, cipher: Cipher, checking: Checking, clock: Callable[[], float]) -> None:
    """One round: the domains that have waited longest, twice as many as an even spread would take."""
    statuses = await database.read(count_statuses)
    metrics.set_domains(statuses)
    bite = max(LEAST_BITE, math.ceil(2 * sum(statuses.values()) * round_seconds(checking.recheck) / checking.recheck))
    due = await database.read(list_due, clock(), checking.recheck, bite)
    gate = asyncio.Semaphore(AT_ONCE)

    async def check_in_turn(row: DomainRow) -> None:
        async with gate:
            await _check(database, cipher, checking, row, clock)

    await asyncio.gather(*(check_in_turn(row) for row in due))


async def _check(
    database: Database, cipher: Cipher, checking: Checking, row: DomainRow, clock: Callable[[], float]
) -> None:
    records = await _read_records(database, cipher, checking.rules, row, clock())
    findings = await look_for(records, checking.lookup)
    checked = await database.write(store_findings, Change(WHO, clock()), row, findings, checking.rules.grace)
    if checked is not None:
        _tell(checked, findings)


async def _read_records(
    database: Database, cipher: Cipher, rules: CheckRules, row: DomainRow, now: float
) -> tuple[Record, ...]:
    try:
        return await database.read(read_records, row, rules, cipher, now)
    except DecryptError as error:
        # The rest can be looked at all the same; what is known of DKIM stays known.
        log.error("dkim_key_unreadable", domain=row.name, error=str(error))
        return records_of(row, (), rules, cipher, now)


def _tell(checked: Checked, findings: list[Finding]) -> None:
    metrics.DOMAIN_CHECKS.inc("no_answer" if checked.unknown else checked.status.value)
    if checked.unknown:
        trouble = next((finding.trouble for finding in findings if finding.trouble), None)
        log.warning("domain_check_unanswered", domain=checked.name, unknown=list(checked.unknown), trouble=trouble)
    for selector in checked.activated:
        log.info("dkim_key_active", domain=checked.name, selector=selector)
    if checked.turn is not None:
        say = log.error if checked.turn in _BAD else log.info
        say(_EVENTS[checked.turn], domain=checked.name, account=checked.account, missing=list(checked.missing))


def _declared_records(config: Config) -> dict[str, Record]:
    return {
        domain.name: dkim_record(domain.name, domain.dkim.selector, public_record(domain.dkim.load_key()))
        for account in config.accounts
        for domain in account.domains
        if domain.dkim is not None
    }
