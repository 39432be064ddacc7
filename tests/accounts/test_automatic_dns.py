"""Automatic DNS against a name server that verifies each signature: what is written, and what is left alone."""

from __future__ import annotations

from collections.abc import AsyncIterator

import dns.rcode
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from directmail_relay.accounts.automatic_dns import Outcome, Written, publish, zone_for
from directmail_relay.accounts.automatic_dns import Primary as Server
from directmail_relay.accounts.domain_checks import look_for
from directmail_relay.content.signing_keys import public_record
from directmail_relay.policy.domain_records import OurNames, Purpose, Record, dkim_record, list_records
from directmail_relay.resolver import Limits
from directmail_relay.resolver.lookup import Lookup
from directmail_relay.resolver.update import TsigKey, Updater
from tests.fakes.primary import KEY_NAME, SECRET, Primary
from tests.fakes.zone import Fault, Zone

OURS = OurNames("spf.relay.test", "mx.relay.test", "track.relay.test")
DOMAIN = "notice.shop.test"


class Writer:
    def __init__(self, primary: Primary, records: tuple[Record, ...]) -> None:
        self.primary, self.records = primary, records
        self.limits = Limits(attempt=10, question=20)
        self.lookup = Lookup([primary.server], limits=self.limits, follow=False)
        self.world = Lookup([primary.server], limits=self.limits)

    async def write(self, *zones: str, secret: str = SECRET) -> dict[Purpose, Written]:
        updater = Updater(self.primary.server, TsigKey(KEY_NAME, secret))
        written = await publish(self.records, DOMAIN, Server(updater, self.lookup, self.world, zones))
        return {one.purpose: one for one in written}


@pytest.fixture
async def writer(rsa_key: rsa.RSAPrivateKey) -> AsyncIterator[Writer]:
    records = list_records(DOMAIN, "shop.test", "4607bf8fb8f34d379663", OURS)
    async with Primary("shop.test") as primary:
        yield Writer(primary, (*records, dkim_record(DOMAIN, "s1", public_record(rsa_key))))


@pytest.mark.parametrize("zones", [(), ("shop.test",), ("test", "shop.test", "other.test")])
async def test_an_empty_zone_gets_all_records_and_they_are_right(writer: Writer, zones: tuple[str, ...]) -> None:
    written = await writer.write(*zones)
    assert {one.outcome for one in written.values()} == {Outcome.ADDED}
    assert len(written) == 6
    assert all(finding.is_right for finding in await look_for(writer.records, writer.lookup))


async def test_what_is_there_is_not_written_again(writer: Writer) -> None:
    await writer.write()
    before = list(writer.primary.updates)
    assert {one.outcome for one in (await writer.write()).values()} == {Outcome.PRESENT}
    assert writer.primary.updates == before


async def test_an_spf_record_of_somebody_else_is_left_and_the_advice_names_the_include(writer: Writer) -> None:
    writer.primary.add(f'{DOMAIN}. 60 TXT "v=spf1 include:other.test -all"')
    spf = (await writer.write())[Purpose.SPF]
    assert spf.outcome is Outcome.LEFT
    assert spf.note is not None
    assert "include:spf.relay.test" in spf.note
    assert f"{DOMAIN} TXT" not in writer.primary.updates


async def test_other_texts_at_the_name_are_no_hindrance(writer: Writer) -> None:
    writer.primary.add(f'{DOMAIN}. 60 TXT "other-service=1"')
    assert (await writer.write())[Purpose.SPF].outcome is Outcome.ADDED
    assert await writer.lookup.find(DOMAIN, "TXT") == ("other-service=1", "v=spf1 include:spf.relay.test -all")


@pytest.mark.parametrize(
    ("record", "purpose", "word"),
    [
        (f"{DOMAIN}. 60 MX 10 mail.company.test.", Purpose.MX, "mail.company.test"),
        (f"dmtrace.{DOMAIN}. 60 CNAME other.test.", Purpose.CNAME, "other.test"),
        (f"dmtrace.{DOMAIN}. 60 A 192.0.2.1", Purpose.CNAME, "other records"),
        (f's1._domainkey.{DOMAIN}. 60 TXT "v=DKIM1; p=AAAA"', Purpose.DKIM, "domain rotate-dkim"),
    ],
)
async def test_what_somebody_has_there_is_left(writer: Writer, record: str, purpose: Purpose, word: str) -> None:
    writer.primary.add(record)
    written = await writer.write()
    assert written[purpose].outcome is Outcome.LEFT
    assert word in (written[purpose].note or "")
    assert {one.outcome for other, one in written.items() if other is not purpose} == {Outcome.ADDED}


@pytest.mark.parametrize(
    ("rcode", "word"),
    [
        (dns.rcode.REFUSED, "REFUSED: the server does not let the key change this"),
        (dns.rcode.SERVFAIL, "SERVFAIL: the server is in trouble"),
        (dns.rcode.NOTZONE, "NOTZONE: the name does not lie in that zone"),
        (dns.rcode.FORMERR, "FORMERR: see the log of the server"),
    ],
)
async def test_a_refusal_is_told_with_the_servers_word_and_what_to_do(
    writer: Writer, rcode: dns.rcode.Rcode, word: str
) -> None:
    writer.primary.refuse = rcode
    written = await writer.write()
    assert {one.outcome for one in written.values()} == {Outcome.FAILED}
    assert all((one.note or "").startswith(word) for one in written.values())


async def test_a_wrong_secret_writes_nothing_and_is_named(writer: Writer) -> None:
    written = await writer.write(secret="b3RoZXI=")
    assert {(one.outcome, (one.note or "").partition(":")[0]) for one in written.values()} == {
        (Outcome.FAILED, "BADSIG")
    }
    assert writer.primary.updates == []


async def test_a_domain_in_no_zone_of_the_server_is_not_tried(writer: Writer) -> None:
    assert all((one.note or "").startswith("NOTZONE") for one in (await writer.write("other.test")).values())
    writer.primary.clear()
    assert all((one.note or "").startswith("NOTAUTH") for one in (await writer.write()).values())
    assert writer.primary.updates == []


async def test_what_the_server_drops_silently_is_not_called_added(writer: Writer) -> None:
    writer.primary.drops_silently = True
    assert {one.outcome for one in (await writer.write()).values()} == {Outcome.FAILED}


async def test_nothing_is_written_where_it_is_not_known_what_is_there(writer: Writer) -> None:
    writer.primary.fail(DOMAIN, "TXT", Fault.SERVFAIL)
    written = await writer.write()
    assert written[Purpose.SPF].outcome is Outcome.FAILED
    assert f"{DOMAIN} TXT" not in writer.primary.updates


async def test_an_alias_is_not_followed_to_where_the_server_knows_nothing(writer: Writer) -> None:
    writer.primary.fail("elsewhere.example", "TXT", Fault.REFUSED)
    writer.primary.add(f"aliyundm.{DOMAIN}. 60 CNAME elsewhere.example.")
    assert (await writer.write())[Purpose.OWNERSHIP].outcome is Outcome.ADDED


async def test_a_dmarc_record_of_the_main_domain_is_looked_for_in_the_whole_world(writer: Writer) -> None:
    async with Zone('_dmarc.shop.test. 60 TXT "v=DMARC1; p=reject"') as world:
        writer.world = Lookup([world.server], limits=writer.limits)
        assert (await writer.write())[Purpose.DMARC].outcome is Outcome.PRESENT


def test_the_nearest_zone_is_the_one() -> None:
    assert zone_for("a.b.shop.test", ["test", "shop.test", "b.shop.test", "op.test"]) == "b.shop.test"
    assert zone_for("shop.test", ["shop.test"]) == "shop.test"
    assert zone_for("workshop.test", ["shop.test"]) is None
