from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from directmail_relay.mail.mx import (
    Addresses,
    Hosts,
    MxTarget,
    NoData,
    NoSuchDomain,
    NullMx,
    Texts,
    Unavailable,
)
from directmail_relay.resolver import Limits, Resolver
from directmail_relay.resolver.query import parse_server
from tests.fakes.zone import Fault, Zone

CALM = Limits(attempt=10, question=20)
HASTY = Limits(attempt=0.05, question=0.1)


RECORDS = """
    example.test.      300 MX    10 mx1.example.test.
    example.test.      300 MX    20 MX2.Example.test.
    example.test.      300 TXT   "v=spf1 " "-all"
    mx1.example.test.  300 A     192.0.2.1
    mx1.example.test.  300 A     192.0.2.2
    mx1.example.test.  300 AAAA  2001:db8::1
    null.test.         300 MX    0 .
    bare.test.         300 A     192.0.2.9
    alias.test.        300 CNAME example.test.
    text.test.         300 TXT   hello
    away.test.         300 CNAME gone.test.
    loop1.test.        300 CNAME loop2.test.
    loop2.test.        300 CNAME loop1.test.
"""


HOSTS = {MxTarget("mx1.example.test", 10), MxTarget("mx2.example.test", 20)}


@pytest.fixture
async def zone() -> AsyncIterator[Zone]:
    async with Zone(RECORDS) as zone:
        yield zone


@pytest.fixture
async def resolver(zone: Zone) -> AsyncIterator[Resolver]:
    resolver = Resolver([zone.server], limits=CALM)
    yield resolver
    await resolver.close()


async def test_the_hosts_of_a_domain_come_with_their_preferences_in_lower_case(resolver: Resolver) -> None:
    answer = await resolver.mx("example.test")
    assert isinstance(answer, Hosts)
    assert set(answer.hosts) == HOSTS
    assert not answer.implicit


async def test_a_domain_that_says_it_takes_no_mail_is_told_from_all_others(resolver: Resolver) -> None:
    assert await resolver.mx("null.test") == NullMx()


async def test_a_null_mx_beside_real_hosts_does_not_count(zone: Zone, resolver: Resolver) -> None:
    zone.add("null.test. 300 MX 10 mx1.example.test.")
    assert await resolver.mx("null.test") == Hosts((MxTarget("mx1.example.test", 10),))


async def test_a_domain_without_mx_but_with_an_address_is_its_own_host(resolver: Resolver) -> None:
    assert await resolver.mx("bare.test") == Hosts((MxTarget("bare.test", 0),), implicit=True)


async def test_a_domain_without_mx_and_address_has_no_data(resolver: Resolver) -> None:
    assert await resolver.mx("text.test") == NoData()


async def test_a_domain_that_does_not_exist_is_told_from_one_without_data(resolver: Resolver) -> None:
    assert await resolver.mx("nobody.test") == NoSuchDomain()


async def test_an_alias_has_the_hosts_of_what_it_stands_for(resolver: Resolver) -> None:
    answer = await resolver.mx("alias.test")
    assert isinstance(answer, Hosts)
    assert set(answer.hosts) == HOSTS


async def test_an_alias_is_followed_even_when_the_server_does_not(zone: Zone, resolver: Resolver) -> None:
    zone.fail("alias.test", "MX", Fault.BARE_CNAME)
    answer = await resolver.mx("alias.test")
    assert isinstance(answer, Hosts)
    assert set(answer.hosts) == HOSTS
    assert zone.asked["example.test", "MX"] == 1


async def test_an_alias_of_nothing_is_no_such_domain(resolver: Resolver) -> None:
    assert await resolver.mx("away.test") == NoSuchDomain()


@pytest.mark.parametrize("fault", [None, Fault.BARE_CNAME])
async def test_aliases_that_go_round_in_a_circle_end(zone: Zone, resolver: Resolver, fault: Fault | None) -> None:
    for name in ("loop1.test", "loop2.test"):
        zone.fail(name, "MX", fault)
    assert isinstance(await resolver.mx("loop1.test"), Unavailable)


@pytest.mark.parametrize("fault", [Fault.SERVFAIL, Fault.REFUSED, Fault.SILENCE, Fault.WRONG_ID, Fault.GARBAGE])
async def test_a_failing_server_leaves_the_question_open(zone: Zone, fault: Fault) -> None:
    zone.fail("example.test", "MX", fault)
    answer = await Resolver([zone.server], limits=HASTY).mx("example.test")
    assert isinstance(answer, Unavailable)
    assert answer.why


async def test_a_failure_of_the_address_query_leaves_an_implicit_mx_open(zone: Zone, resolver: Resolver) -> None:
    for rdtype in ("A", "AAAA"):
        zone.fail("bare.test", rdtype, Fault.SERVFAIL)
    assert isinstance(await resolver.mx("bare.test"), Unavailable)


async def test_nobody_listening_leaves_the_question_open() -> None:
    async with Zone() as zone:
        server = zone.server
    assert isinstance(await Resolver([server], limits=HASTY).mx("example.test"), Unavailable)


async def test_the_second_server_is_asked_when_the_first_fails(zone: Zone) -> None:
    async with Zone() as broken:
        broken.fail("example.test", "MX", Fault.SERVFAIL)
        answer = await Resolver([broken.server, zone.server], limits=CALM).mx("example.test")
    assert isinstance(answer, Hosts)


async def test_a_truncated_answer_is_asked_for_again_by_tcp(zone: Zone, resolver: Resolver) -> None:
    zone.fail("example.test", "MX", Fault.TRUNCATED)
    assert isinstance(await resolver.mx("example.test"), Hosts)
    assert zone.asked_by_tcp["example.test", "MX"] == 1


async def test_addresses_of_both_families(resolver: Resolver) -> None:
    answer = await resolver.addresses("mx1.example.test")
    assert isinstance(answer, Addresses)
    assert set(answer.ipv4) == {"192.0.2.1", "192.0.2.2"}
    assert answer.ipv6 == ("2001:db8::1",)


async def test_trouble_with_one_family_does_not_hide_the_other(zone: Zone, resolver: Resolver) -> None:
    zone.fail("mx1.example.test", "AAAA", Fault.SERVFAIL)
    answer = await resolver.addresses("mx1.example.test")
    assert isinstance(answer, Addresses)
    assert len(answer.ipv4) == 2


async def test_a_host_without_addresses_has_no_data_or_does_not_exist(resolver: Resolver) -> None:
    assert await resolver.addresses("text.test") == NoData()
    assert await resolver.addresses("nobody.test") == NoSuchDomain()


async def test_the_strings_of_a_text_record_are_joined(resolver: Resolver) -> None:
    assert await resolver.texts("example.test") == Texts((b"v=spf1 -all",))
    assert await resolver.texts("bare.test") == NoData()


async def test_a_name_that_dns_cannot_hold_is_a_value_too(resolver: Resolver) -> None:
    assert isinstance(await resolver.mx("a" * 64 + ".test"), Unavailable)
    assert isinstance(await resolver.mx("a..test"), Unavailable)


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("127.0.0.1", ("127.0.0.1", 53)),
        ("127.0.0.1:5353", ("127.0.0.1", 5353)),
        ("::1", ("::1", 53)),
        ("[::1]", ("::1", 53)),
        ("[::1]:5353", ("::1", 5353)),
    ],
)
def test_a_server_is_an_address_and_maybe_a_port(text: str, server: tuple[str, int]) -> None:
    assert parse_server(text) == server


@pytest.mark.parametrize("text", ["", "dns.example", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:99999", "[::1]:x"])
def test_anything_else_is_no_server(text: str) -> None:
    with pytest.raises(ValueError, match=r"port|address"):
        parse_server(text)


def test_the_servers_of_the_system_are_used_when_none_are_given() -> None:
    Resolver()
