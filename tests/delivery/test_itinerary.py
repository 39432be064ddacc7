from __future__ import annotations

import ssl
from dataclasses import replace

import pytest
import trustme

from directmail_relay.mail import replies
from directmail_relay.mail.attempt import Stage
from directmail_relay.mail.replies import LOOPS_BACK, TLS_FAILED
from directmail_relay.mail.reply import Reply
from directmail_relay.policy.route import Route, TlsPolicy
from tests.fakes.couriers import HASTY, OK, ONE, TWO, courier_for, hosts
from tests.fakes.letters import letter, settings
from tests.fakes.mx_script import Script
from tests.fakes.remote_mx import RemoteMx
from tests.fakes.sessions import always
from tests.fakes.zone import Fault, Zone


@pytest.mark.parametrize(
    ("zone_text", "reply"),
    [
        ("other.test. 300 A 192.0.2.1", replies.NO_SUCH_DOMAIN),
        ("rcpt.test. 300 TXT hello", replies.NO_DATA),
        ("rcpt.test. 300 MX 0 .", replies.NO_DATA),
        ("rcpt.test. 300 MX 10 gone.test.", replies.NO_SUCH_DOMAIN),
        ("rcpt.test. 300 MX 10 relay.test.", LOOPS_BACK),
    ],
)
async def test_a_destination_without_a_host_fails_for_good(zone_text: str, reply: Reply) -> None:
    async with Zone(zone_text) as zone, courier_for(zone, settings()) as courier:
        (attempt,) = await courier.deliver(letter(), always)
    assert (attempt.stage, attempt.reply) == (Stage.RESOLVE, reply)
    assert attempt.reply.is_permanent
    assert attempt.mx_ip is None


@pytest.mark.parametrize("asked", [("rcpt.test", "MX"), ("mx.rcpt.test", "A")])
@pytest.mark.parametrize("fault", [Fault.SERVFAIL, Fault.SILENCE])
async def test_trouble_with_dns_is_tried_again(asked: tuple[str, str], fault: Fault) -> None:
    async with Zone(ONE) as zone, courier_for(zone, settings(), limits=HASTY) as courier:
        zone.fail(*asked, fault)
        (attempt,) = await courier.deliver(letter(), always)
    assert (attempt.stage, attempt.reply) == (Stage.RESOLVE, replies.DNS_ERROR)


async def test_trouble_with_one_hosts_address_does_not_hide_the_next_host() -> None:
    async with Zone(TWO) as zone, RemoteMx(ip="127.0.0.2") as mx:
        zone.fail("mx1.rcpt.test", "A", Fault.SERVFAIL)
        async with courier_for(zone, settings(port=mx.port)) as courier:
            (attempt,) = await courier.deliver(letter(), always)
    assert (attempt.reply, attempt.mx_host) == (OK, "mx2.rcpt.test")


async def test_an_mx_on_a_private_address_gets_no_connection() -> None:
    async with (
        Zone(ONE) as zone,
        RemoteMx() as mx,
        courier_for(zone, settings(port=mx.port, allow_private_mx=False)) as courier,
    ):
        (attempt,) = await courier.deliver(letter(), always)
    assert (attempt.stage, attempt.reply, attempt.mx_host) == (Stage.RESOLVE, replies.UNREACHABLE, "mx.rcpt.test")
    assert not mx.peers


async def test_our_own_listener_is_no_mx_and_nothing_behind_it_is() -> None:
    zone_text = TWO + "rcpt.test. 300 MX 15 us.rcpt.test.\nus.rcpt.test. 300 A 127.0.0.3"
    async with Zone(zone_text) as zone, hosts(Script({"GREETING": "421 Busy"}), Script()) as ((_, second), port):
        chosen = replace(settings(port=port), own_addresses=frozenset({("127.0.0.3", port)}))
        async with courier_for(zone, chosen) as courier:
            (attempt,) = await courier.deliver(letter(), always)
    assert attempt.reply.code == 421
    assert not second.peers


@pytest.mark.parametrize("host", ["127.0.0.1", "sink.test"])
async def test_a_route_goes_round_dns_and_round_the_refusal_of_private_addresses(host: str) -> None:
    async with Zone("sink.test. 300 A 127.0.0.1") as zone, RemoteMx() as mx:
        route = Route("*", host, mx.port)
        async with courier_for(zone, settings(allow_private_mx=False), route) as courier:
            (attempt,) = await courier.deliver(letter(), always)
    assert (attempt.reply, attempt.mx_host, attempt.mx_ip) == (OK, host, "127.0.0.1")
    assert not [asked for asked in zone.asked if asked[1] == "MX"]


async def test_a_route_whose_host_is_not_found_is_tried_again() -> None:
    async with (
        Zone("x.test. 300 A 192.0.2.1") as zone,
        courier_for(zone, settings(), Route("*", "sink.test", 25)) as courier,
    ):
        (attempt,) = await courier.deliver(letter(), always)
    assert attempt.reply == replies.DNS_ERROR


async def test_a_route_to_ourselves_is_a_loop() -> None:
    async with Zone() as zone, RemoteMx() as mx:
        chosen = replace(settings(), own_addresses=frozenset({("127.0.0.1", mx.port)}))
        async with courier_for(zone, chosen, Route("*", "127.0.0.1", mx.port)) as courier:
            (attempt,) = await courier.deliver(letter(), always)
    assert attempt.reply == LOOPS_BACK
    assert not mx.peers


async def test_a_route_that_demands_tls_sends_nothing_in_clear() -> None:
    async with (
        Zone() as zone,
        RemoteMx() as mx,
        courier_for(zone, settings(), Route("*", "127.0.0.1", mx.port, TlsPolicy.ENCRYPT)) as courier,
    ):
        (attempt,) = await courier.deliver(letter(), always)
    assert (attempt.stage, attempt.reply) == (Stage.STARTTLS, TLS_FAILED)
    assert attempt.reply.is_temporary


async def test_the_attempt_says_which_tls_it_went_through() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("mx.rcpt.test").configure_cert(context)
    async with Zone(ONE) as zone, RemoteMx(tls=context) as mx, courier_for(zone, settings(port=mx.port)) as courier:
        (attempt,) = await courier.deliver(letter(), always)
    assert attempt.tls == "TLSv1.3"
