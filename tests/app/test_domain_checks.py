"""One round of the scheduled checks: what is looked at, told in the log and counted."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from prometheus_client import REGISTRY
from sqlalchemy import Connection, func, select
from structlog.testing import capture_logs

from directmail_relay.accounts.accounts import add_account
from directmail_relay.accounts.changes import Change
from directmail_relay.accounts.domain_checks import CheckRules, read_records
from directmail_relay.accounts.domains import NewKey, add_domain, find_domain
from directmail_relay.accounts.secret_key import Cipher
from directmail_relay.app import domain_checks as module
from directmail_relay.app.domain_checks import (
    LEAST_BITE,
    ROUND_SECONDS,
    Checking,
    check_due,
    check_rules,
    round_seconds,
    serve_domain_checks,
)
from directmail_relay.config import Config, load_config
from directmail_relay.content.signing_keys import public_record, render_private_key
from directmail_relay.database.accounts_schema import domains
from directmail_relay.database.engine import Database
from directmail_relay.delivery.life import Life
from directmail_relay.policy.domain_records import OurNames, dkim_record, zone_line
from directmail_relay.queue.lease import take_lease
from directmail_relay.resolver import Limits
from directmail_relay.resolver.lookup import Lookup
from tests.conftest import Clock
from tests.fakes.zone import Fault, Zone

CIPHER = Cipher(b"k" * 32)
RECHECK = 3600.0
DAY = 86_400.0
RULES = CheckRules(OurNames("spf.relay.test", "mx.relay.test", "track.relay.test"), grace=3 * DAY, lifetime=3 * DAY)


def count(result: str) -> float:
    return REGISTRY.get_sample_value("directmail_domain_checks_total", {"result": result}) or 0.0


def gauge(status: str) -> float | None:
    return REGISTRY.get_sample_value("directmail_domains", {"status": status})


def count_checked(connection: Connection) -> int:
    checked = select(func.count()).select_from(domains).where(domains.c.checked_at.is_not(None))
    return connection.execute(checked).scalar_one()


def make_config(folder: Path, server: str, key: rsa.RSAPrivateKey) -> Config:
    (folder / "dkim.pem").write_bytes(render_private_key(key))
    path = folder / "config.yaml"
    domain = {"name": "declared.test", "dkim": {"selector": "s1", "key_file": "dkim.pem"}}
    accounts = [{"name": "declared", "domains": [domain]}]
    path.write_text(
        json.dumps({"hostname": "relay.example", "delivery": {"dns": {"servers": [server]}}, "accounts": accounts})
    )
    return load_config(path)


class Bench:
    def __init__(self, database: Database, zone: Zone, clock: Clock, key: str) -> None:
        self.database, self.zone, self.clock, self.key = database, zone, clock, key
        self.checking = Checking(RULES, Lookup([zone.server], limits=Limits(attempt=10, question=20)), RECHECK)
        database.write_now(add_account, Change("test", clock.time()), "shop")

    def add(self, name: str, key: str | None = None) -> None:
        change = Change("test", self.clock.time())
        self.database.write_now(add_domain, change, name, "shop", NewKey(key or self.key, "s"))

    def publish(self, name: str) -> None:
        row = self.database.read_now(find_domain, name)
        for record in self.database.read_now(read_records, row, RULES, CIPHER, self.clock.time()):
            owner, ttl, _, rdtype, data = zone_line(record).split(maxsplit=4)
            self.zone.add(f"{owner} {ttl} {rdtype} {data}")

    async def round(self) -> list[str]:
        """The events of one round."""
        with capture_logs() as logs:
            await check_due(self.database, CIPHER, self.checking, self.clock.time)
        return [f"{one['event']} {one['log_level']}" for one in logs]


@pytest.fixture
async def bench(database: Database, clock: Clock, rsa_key: rsa.RSAPrivateKey) -> AsyncIterator[Bench]:
    async with Zone() as zone:
        yield Bench(database, zone, clock, CIPHER.encrypt(render_private_key(rsa_key)))


async def test_the_life_of_a_domain_is_told_and_counted(bench: Bench) -> None:
    bench.add("shop.test")
    bench.publish("shop.test")
    verified, failed = count("verified"), count("failed")
    assert await bench.round() == ["dkim_key_active info", "domain_verified info"]
    assert count("verified") == verified + 1
    bench.zone.clear()
    assert await bench.round() == []  # not due again
    assert gauge("verified") == 1
    bench.clock.advance(RECHECK)
    assert await bench.round() == ["domain_broken error"]
    assert count("failed") == failed + 1
    bench.clock.advance(3 * DAY)
    assert await bench.round() == ["domain_stopped error"]
    assert (gauge("verified"), gauge("failed")) == (0, 1)
    bench.publish("shop.test")
    bench.clock.advance(RECHECK)
    assert await bench.round() == ["domain_recovered info"]


async def test_a_domain_about_which_the_dns_is_silent_is_told_and_stays_what_it_was(bench: Bench) -> None:
    bench.add("shop.test")
    bench.publish("shop.test")
    await bench.round()
    unanswered = count("no_answer")
    bench.zone.fail("shop.test", "MX", Fault.SERVFAIL)
    bench.clock.advance(RECHECK)
    assert await bench.round() == ["domain_check_unanswered warning"]
    assert count("no_answer") == unanswered + 1
    bench.clock.advance(RECHECK)
    await bench.round()
    assert gauge("verified") == 1


async def test_a_key_that_cannot_be_read_does_not_keep_the_rest_from_being_checked(bench: Bench) -> None:
    bench.add("shop.test", Cipher(b"x" * 32).encrypt(b"key"))
    assert await bench.round() == ["dkim_key_unreadable error", "domain_check_unanswered warning"]
    assert bench.database.read_now(count_checked) == 1


async def test_one_worker_of_all_checks_by_the_configuration_that_holds_now(
    bench: Bench, tmp_path: Path, rsa_key: rsa.RSAPrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROUND_SECONDS", 0.01)
    config = make_config(tmp_path, bench.zone.server, rsa_key)
    life = Life(bench.database, 1, time.monotonic, dict)
    await life.begin()
    bench.add("shop.test")
    serving = asyncio.create_task(serve_domain_checks(bench.database, life, CIPHER, lambda: config))
    try:
        async with asyncio.timeout(20):
            await bench.zone.question.wait()
    finally:
        serving.cancel()
        await asyncio.wait([serving])
    assert serving.cancelled()
    other = Life(bench.database, 2, time.monotonic, dict)
    await other.begin()
    assert not await bench.database.write(take_lease, "domain_checks", other.claim)


def test_the_rules_are_those_of_the_configuration(tmp_path: Path, rsa_key: rsa.RSAPrivateKey) -> None:
    rules = check_rules(make_config(tmp_path, "127.0.0.1:53", rsa_key))
    assert rules.ours == OurNames("spf.relay.example", "relay.example", "relay.example")
    assert (rules.grace, rules.lifetime) == (3 * DAY, 3 * DAY)
    assert rules.declared["declared.test"] == dkim_record("declared.test", "s1", public_record(rsa_key))


@pytest.mark.parametrize(("recheck", "seconds"), [(2, 1), (20, 5), (120, 30), (3600, 30)])
def test_rounds_are_as_frequent_as_the_schedule_needs(recheck: float, seconds: float) -> None:
    assert round_seconds(recheck) == seconds


async def test_many_domains_are_spread_over_the_rounds(bench: Bench) -> None:
    bench.checking = Checking(RULES, bench.checking.lookup, recheck=20 * ROUND_SECONDS)
    number = 12 * LEAST_BITE
    for one in range(number):
        bench.add(f"shop{one}.test")
    await bench.round()
    assert bench.database.read_now(count_checked) == 2 * number // 20 + (2 * number % 20 > 0)
    for _ in range(10):
        await bench.round()
    assert bench.database.read_now(count_checked) == number
