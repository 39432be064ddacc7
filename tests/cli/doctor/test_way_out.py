"""The way out: a resolver that answers and a host that greets; or what keeps us from both."""

from __future__ import annotations

import time

import dns.flags
import dns.message
import pytest

from directmail_relay.cli.doctor.finding import Severity
from directmail_relay.cli.doctor.place import Target
from directmail_relay.cli.doctor.run import parse_target
from tests.fakes.doctor_place import (
    GOOD_ZONE,
    Examine,
    free_port,
    mail_host,
    only,
)
from tests.fakes.zone import Fault, Zone


class CheckingZone(Zone):
    """Says that it has checked the signatures, when asked to say so."""

    async def _answer(self, wire: bytes, *, tcp: bool) -> bytes | None:
        reply = await super()._answer(wire, tcp=tcp)
        asked = dns.message.from_wire(wire).flags & dns.flags.AD
        if reply is None or not asked:
            return reply
        answer = dns.message.from_wire(reply)
        answer.flags |= dns.flags.AD
        return answer.to_wire()


SIGNED = "org. 300 SOA ns.org. hostmaster.org. 1 3600 600 86400 60\n"


async def test_a_resolver_that_answers_is_good_and_says_whether_it_checks_signatures(
    consult: Examine, zone: Zone
) -> None:
    zone.add(SIGNED)
    resolver, dnssec = await consult("resolver")
    assert resolver.severity is Severity.OK
    assert (dnssec.check, dnssec.severity) == ("dnssec", Severity.INFO)
    assert dnssec.found == "it does not check signatures"
    async with CheckingZone(GOOD_ZONE + SIGNED) as checking:
        _, dnssec = await consult("resolver", delivery={"dns": {"servers": [checking.server]}})
    assert dnssec.found == "it checks signatures"
    zone.fail("org", "SOA", Fault.REFUSED)
    _, dnssec = await consult("resolver")
    assert dnssec.found == "it gave no answer to that"


async def test_a_resolver_that_does_not_know_the_world_is_a_warning(consult: Examine, zone: Zone) -> None:
    zone.clear()
    resolver = await only(consult("resolver"))
    assert (resolver.severity, resolver.found) == (Severity.WARNING, "qq.com has no mail host, it says")


async def test_a_resolver_that_is_silent_fails_in_time(consult: Examine, zone: Zone) -> None:
    zone.fail("qq.com", "MX", Fault.SILENCE)
    started = time.monotonic()
    assert (await only(consult("resolver"))).severity is Severity.FAIL
    assert time.monotonic() - started < 5


async def test_a_host_that_greets_proves_the_way_out(consult: Examine) -> None:
    async with mail_host() as port:
        found = await only(consult("port_25", delivery={"port": port}))
    assert (found.severity, found.found) == (Severity.OK, f"mx.qq.com:{port}: 220 mx.qq.com ESMTP")


async def test_a_closed_way_out_fails_and_says_whom_to_ask(consult: Examine) -> None:
    found = await only(consult("port_25", delivery={"port": free_port()}))
    assert found.severity is Severity.FAIL
    assert found.found.endswith(": Connection refused")
    assert "ask your network" in found.advice


async def test_a_host_that_sends_us_away_is_a_warning_with_its_words(consult: Examine) -> None:
    async with mail_host(b"554 your address is on our list\r\n") as port:
        found = await only(consult("port_25", probe=Target("127.0.0.1", port)))
    assert found.severity is Severity.WARNING
    assert "554 your address is on our list" in found.found


@pytest.mark.parametrize("greeting", [b"", b"x" * 10_000])
async def test_a_host_without_a_proper_greeting_is_no_way_out(consult: Examine, greeting: bytes) -> None:
    async with mail_host(greeting) as port:
        assert (await only(consult("port_25", probe=Target("127.0.0.1", port)))).severity is Severity.FAIL


async def test_with_a_smarthost_it_is_the_smarthost_that_must_answer(consult: Examine) -> None:
    async with mail_host() as port:
        routes = {"routes": [{"domain": "*", "host": "127.0.0.1", "port": port}]}
        assert (await only(consult("port_25", delivery=routes))).severity is Severity.OK
    routes["routes"][0]["port"] = free_port()
    found = await only(consult("port_25", delivery=routes))
    assert found.severity is Severity.FAIL
    assert "smarthost" in found.advice


@pytest.mark.parametrize(
    ("words", "target"),
    [
        ("mx.shop.com:26", Target("mx.shop.com", 26)),
        ("mx.shop.com", Target("mx.shop.com", 25)),
        ("192.0.2.1", Target("192.0.2.1", 25)),
        ("[2001:db8::1]:2525", Target("2001:db8::1", 2525)),
        ("2001:db8::1", Target("2001:db8::1", 25)),
    ],
)
def test_probes_are_read_as_people_write_them(words: str, target: Target) -> None:
    assert parse_target(words) == target


@pytest.mark.parametrize("words", ["", ":25", "mx:port", "mx:0", "mx:65536"])
def test_a_probe_that_is_none_says_what_to_write(words: str) -> None:
    with pytest.raises(ValueError, match=r"write mx\.example\.com:25"):
        parse_target(words)
