"""The check of a domain, from the questions over a real name server to what is stored, on both engines."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from sqlalchemy import Connection, Update, select, update

from directmail_relay.accounts.accounts import add_account
from directmail_relay.accounts.changes import Change, list_audit, read_version
from directmail_relay.accounts.dkim_keys import active_keys, rotate_key
from directmail_relay.accounts.domain_checks import CheckRules, Finding, list_due, look_for, read_records
from directmail_relay.accounts.domain_findings import Checked, Turn, store_findings
from directmail_relay.accounts.domain_status import DomainStatus, describe, is_usable, missing_of, status_of
from directmail_relay.accounts.domains import NewKey, add_domain, delete_domain, find_domain
from directmail_relay.accounts.secret_key import Cipher
from directmail_relay.content.signing_keys import render_private_key
from directmail_relay.database.accounts_schema import domains
from directmail_relay.database.clock import to_ms
from directmail_relay.database.engine import Database
from directmail_relay.policy.domain_records import OurNames, Purpose, zone_line
from directmail_relay.resolver import Limits
from directmail_relay.resolver.lookup import Lookup
from tests.conftest import Clock
from tests.fakes.zone import Fault, Zone

CIPHER = Cipher(b"k" * 32)
DAY = 86_400.0
GRACE = 3 * DAY
RULES = CheckRules(OurNames("spf.relay.test", "mx.relay.test", "track.relay.test"), grace=GRACE, lifetime=3 * DAY)
NAME = "notice.shop.test"


def execute(connection: Connection, statement: Update) -> None:
    connection.execute(statement)


class Bench:
    """A registered domain, its name server, and the check."""

    def __init__(self, database: Database, zone: Zone, clock: Clock, key: str) -> None:
        self.database, self.zone, self.clock, self.key = database, zone, clock, key
        self.lookup = Lookup([zone.server], limits=Limits(attempt=10, question=20))
        database.write_now(add_account, self.change, "shop")
        database.write_now(add_domain, self.change, NAME, "shop", NewKey(key, "s"))

    @property
    def change(self) -> Change:
        return Change("relay", self.clock.time())

    @property
    def row(self) -> Any:
        return self.database.read_now(find_domain, NAME)

    def publish(self, *but: Purpose) -> None:
        """The zone has all records as they are to be published now, but for some purposes."""
        self.zone.clear()
        for record in self.database.read_now(read_records, self.row, RULES, CIPHER, self.clock.time()):
            if record.purpose not in but:
                name, ttl, _, rdtype, data = zone_line(record).split(maxsplit=4)
                self.zone.add(f"{name} {ttl} {rdtype} {data}")

    async def look(self) -> list[Finding]:
        records = self.database.read_now(read_records, self.row, RULES, CIPHER, self.clock.time())
        return await look_for(records, self.lookup)

    async def check(self) -> Checked:
        checked = self.database.write_now(store_findings, self.change, self.row, await self.look(), GRACE)
        assert checked is not None
        return checked

    def usable(self) -> bool:
        return is_usable(self.row, self.clock.time(), GRACE)


@pytest.fixture
async def bench(database: Database, clock: Clock, rsa_key: rsa.RSAPrivateKey) -> AsyncIterator[Bench]:
    async with Zone() as zone:
        yield Bench(database, zone, clock, CIPHER.encrypt(render_private_key(rsa_key)))


async def test_a_domain_with_all_its_records_is_verified_and_signs(bench: Bench) -> None:
    bench.publish()
    checked = await bench.check()
    assert (checked.status, checked.missing, checked.turn) == (DomainStatus.VERIFIED, (), Turn.VERIFIED)
    assert checked.activated == ("s20261118",)
    assert list(bench.database.read_now(active_keys, CIPHER)) == [NAME]
    assert bench.usable()
    assert describe(checked.status, checked.missing) == "验证通过"


async def test_without_records_it_is_unverified_and_does_not_send(bench: Bench) -> None:
    checked = await bench.check()
    assert checked.status is DomainStatus.UNVERIFIED
    assert len(checked.missing) == 6
    assert not bench.usable()
    assert describe(checked.status, checked.missing) == "待验证"


async def test_optional_records_may_be_missing(bench: Bench) -> None:
    bench.publish(Purpose.CNAME, Purpose.DKIM)
    checked = await bench.check()
    assert (checked.status, checked.missing) == (DomainStatus.USABLE, (Purpose.CNAME, Purpose.DKIM))
    assert bench.usable()
    assert describe(checked.status, checked.missing) == "可使用-缺CNAME,DKIM"
    assert bench.database.read_now(active_keys, CIPHER) == {}


@pytest.mark.parametrize("purpose", [Purpose.OWNERSHIP, Purpose.SPF, Purpose.MX])
async def test_required_records_may_not_be_missing(bench: Bench, purpose: Purpose) -> None:
    bench.publish(purpose)
    checked = await bench.check()
    assert (checked.status, checked.missing, checked.turn) == (DomainStatus.UNVERIFIED, (purpose,), None)
    assert not bench.usable()


@pytest.mark.parametrize("purpose", [Purpose.OWNERSHIP, Purpose.SPF, Purpose.MX])
async def test_a_record_that_went_away_is_flagged_and_stops_the_mail_after_the_grace(
    bench: Bench, purpose: Purpose
) -> None:
    bench.publish()
    await bench.check()
    bench.publish(purpose)
    bench.clock.advance(DAY)
    broken = await bench.check()
    assert (broken.status, broken.missing, broken.turn) == (DomainStatus.FAILED, (purpose,), Turn.BROKEN)
    assert describe(broken.status, broken.missing) == f"验证失败-缺{purpose.upper()}"
    assert bench.usable()
    bench.clock.advance(GRACE - 1)
    assert (await bench.check()).turn is None
    assert bench.usable()
    bench.clock.advance(1)
    assert not bench.usable()
    assert (await bench.check()).turn is Turn.STOPPED
    assert (await bench.check()).turn is None


async def test_a_record_that_came_back_lets_it_send_again(bench: Bench) -> None:
    bench.publish()
    await bench.check()
    verified_at = bench.row.verified_at
    bench.publish(Purpose.SPF)
    await bench.check()
    bench.clock.advance(10 * DAY)
    assert not bench.usable()
    bench.publish()
    assert (await bench.check()).turn is Turn.RECOVERED
    assert bench.usable()
    assert (bench.row.verified_at, bench.row.broken_since) == (verified_at, None)


@pytest.mark.parametrize("fault", [Fault.SERVFAIL, Fault.REFUSED])
async def test_trouble_with_the_dns_is_no_missing_record(bench: Bench, fault: Fault) -> None:
    bench.publish()
    await bench.check()
    bench.zone.clear()
    bench.publish(Purpose.CNAME)
    for name, rdtype in ((NAME, "TXT"), (NAME, "MX"), (f"aliyundm.{NAME}", "TXT")):
        bench.zone.fail(name, rdtype, fault)
    checked = await bench.check()
    assert set(checked.unknown) == {Purpose.OWNERSHIP, Purpose.SPF, Purpose.MX}
    assert (checked.status, checked.missing) == (DomainStatus.USABLE, (Purpose.CNAME,))
    assert bench.row.broken_since is None


async def test_trouble_does_not_verify_what_was_never_seen(bench: Bench) -> None:
    bench.publish()
    bench.zone.fail(NAME, "MX", Fault.SERVFAIL)
    checked = await bench.check()
    assert (checked.status, checked.missing) == (DomainStatus.UNVERIFIED, (Purpose.MX,))


async def test_the_key_changes_when_the_new_record_is_seen(bench: Bench) -> None:
    bench.publish()
    await bench.check()
    bench.clock.advance(30 * DAY)
    bench.database.write_now(rotate_key, bench.change, NAME, bench.key, "s", RULES.lifetime)
    before = await bench.check()
    assert (before.missing, before.activated) == ((), ())  # the old key's record is what counts meanwhile
    bench.publish()
    after = await bench.check()
    assert (after.missing, after.activated) == ((), ("s20261218",))
    (signing,) = bench.database.read_now(active_keys, CIPHER)[NAME]
    assert signing.selector == "s20261218"


async def test_a_new_record_without_the_old_one_is_enough(bench: Bench) -> None:
    bench.publish()
    await bench.check()
    bench.clock.advance(DAY)
    bench.database.write_now(rotate_key, bench.change, NAME, bench.key, "s", RULES.lifetime)
    bench.publish()
    for record in bench.database.read_now(read_records, bench.row, RULES, CIPHER, bench.clock.time()):
        if record.name.startswith("s20261118."):
            bench.zone.fail(record.name, "TXT", Fault.SERVFAIL)
    checked = await bench.check()
    assert (checked.activated, checked.missing, checked.unknown) == (("s20261119",), (), ())


async def test_a_dmarc_record_of_the_main_domain_counts(bench: Bench) -> None:
    bench.publish(Purpose.DMARC)
    assert (await bench.check()).missing == (Purpose.DMARC,)
    bench.zone.add('_dmarc.shop.test. 60 TXT "v=DMARC1; p=reject"')
    assert (await bench.check()).missing == ()


async def test_the_documents_are_those_of_the_interface(bench: Bench) -> None:
    bench.publish(Purpose.MX)
    bench.zone.add(f'{NAME}. 60 TXT "other-service=1"')
    bench.zone.fail(f"dmtrace.{NAME}", "CNAME", Fault.SERVFAIL)
    found = {one["purpose"]: one for one in (finding.as_document() for finding in await bench.look())}
    assert list(found) == ["ownership", "spf", "mx", "cname", "dkim", "dmarc"]
    spf = "v=spf1 include:spf.relay.test -all"
    expected = {"type": "TXT", "name": NAME, "expected": spf, "found": [spf], "ok": True, "required": True}
    assert expected.items() <= found["spf"].items()
    assert (found["mx"]["expected"], found["mx"]["found"], found["mx"]["ok"]) == ("10 mx.relay.test", [], False)
    assert (found["cname"]["ok"], found["cname"]["required"]) == (False, False)
    assert "SERVFAIL" in found["cname"]["note"]


async def test_a_check_that_changes_nothing_leaves_log_and_version_alone(bench: Bench) -> None:
    bench.publish()
    await bench.check()
    version, log = bench.database.read_now(read_version), bench.database.read_now(list_audit)
    bench.clock.advance(60)
    await bench.check()
    assert bench.database.read_now(read_version) == version
    assert bench.database.read_now(list_audit) == log
    assert log[0]["what"] == "domain.verified"
    assert bench.row.checked_at == to_ms(bench.clock.time())


async def test_a_domain_that_was_added_anew_meanwhile_is_not_judged_by_old_answers(bench: Bench) -> None:
    bench.publish()
    row, findings = bench.row, await bench.look()
    bench.database.write_now(delete_domain, bench.change, NAME)
    assert bench.database.write_now(store_findings, bench.change, row, findings, GRACE) is None
    bench.database.write_now(add_domain, bench.change, NAME, "shop", NewKey(bench.key, "s"))
    assert bench.database.write_now(store_findings, bench.change, row, findings, GRACE) is None
    assert status_of(bench.row) is DomainStatus.UNVERIFIED


async def test_a_trusted_domain_is_never_asked_about_and_always_verified(bench: Bench) -> None:
    bench.database.write_now(lambda connection: connection.execute(update(domains).values(trusted=True)))
    assert bench.database.read_now(list_due, bench.clock.time(), 3600, 10) == []
    assert (status_of(bench.row), missing_of(bench.row), bench.usable()) == (DomainStatus.VERIFIED, [], True)


async def test_who_waits_longest_is_due_first(bench: Bench) -> None:
    times = {"a.test": 100, "b.test": None, "c.test": 200, "d.test": 10**15}
    for name, checked_at in times.items():
        bench.database.write_now(add_domain, bench.change, name, "shop", NewKey(bench.key, "s"))
        stamp = update(domains).where(domains.c.name == name).values(checked_at=checked_at)
        bench.database.write_now(execute, stamp)
    due = bench.database.read_now(list_due, bench.clock.time(), 3600, 3)
    assert [row.name for row in due] == [NAME, "b.test", "a.test"]
    names = bench.database.read_now(lambda connection: connection.execute(select(domains.c.name)).scalars().all())
    assert len(names) == 5
