from __future__ import annotations

import random
from collections import Counter

import pytest

from directmail_relay.mail.mx import Addresses, MxTarget
from directmail_relay.policy.route import (
    Route,
    TlsPolicy,
    find_route,
    hosts_before_us,
    is_refused_mx_address,
    order_hosts,
    pick_addresses,
)


@pytest.mark.parametrize(
    ("pattern", "destination", "matches"),
    [
        ("example.com", "example.com", True),
        ("Example.COM", "example.com", True),
        ("example.com", "a.example.com", False),
        ("*.example.com", "a.example.com", True),
        ("*.example.com", "a.b.example.com", True),
        ("*.example.com", "example.com", False),
        ("*.example.com", "notexample.com", False),
        ("*", "anything.test", True),
    ],
)
def test_a_pattern_matches_a_domain(pattern: str, destination: str, *, matches: bool) -> None:
    assert Route(pattern, "mx.test", 25).matches(destination) is matches


def test_the_first_route_that_matches_wins() -> None:
    routes = [Route("a.test", "one", 25), Route("*", "two", 26, TlsPolicy.NONE), Route("b.test", "three", 27)]
    assert find_route(routes, "a.test") == routes[0]
    assert find_route(routes, "b.test") == routes[1]
    assert find_route(routes[:1], "b.test") is None


def test_hosts_are_ordered_by_preference(rand: random.Random) -> None:
    hosts = [MxTarget("c.test", 30), MxTarget("a.test", 5), MxTarget("b.test", 20)]
    assert [host.name for host in order_hosts(hosts, rand.random)] == ["a.test", "b.test", "c.test"]


def test_equals_share_the_first_place(rand: random.Random) -> None:
    hosts = [MxTarget("a.test", 10), MxTarget("b.test", 10), MxTarget("z.test", 20)]
    firsts = Counter(order_hosts(hosts, rand.random)[0].name for _ in range(1000))
    assert set(firsts) == {"a.test", "b.test"}
    assert min(firsts.values()) > 400


def test_our_own_name_drops_us_and_all_that_are_not_better() -> None:
    hosts = [MxTarget("a.test", 5), MxTarget("b.test", 10), MxTarget("us.test", 10), MxTarget("c.test", 20)]
    assert hosts_before_us(hosts, "US.test") == (hosts[0],)
    assert hosts_before_us(hosts, "other.test") == tuple(hosts)
    assert hosts_before_us(hosts[2:], "us.test") == ()


def test_of_two_families_one_address_each_ipv4_first(rand: random.Random) -> None:
    both = Addresses(("192.0.2.1", "192.0.2.2", "192.0.2.3"), ("2001:db8::1", "2001:db8::2"))
    for _ in range(20):
        first, second = pick_addresses(both, rand.random)
        assert first in both.ipv4
        assert second in both.ipv6


def test_of_one_family_two_addresses_at_most(rand: random.Random) -> None:
    ipv4 = Addresses(("192.0.2.1", "192.0.2.2", "192.0.2.3"))
    picked = [pick_addresses(ipv4, rand.random) for _ in range(200)]
    assert all(len(set(pair)) == 2 for pair in picked)
    assert {address for pair in picked for address in pair} == set(ipv4.ipv4)
    assert pick_addresses(Addresses(ipv6=("2001:db8::1",)), rand.random) == ("2001:db8::1",)
    assert pick_addresses(Addresses(), rand.random) == ()


NOT_PUBLIC = [
    "10.1.2.3",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.9.9.9",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "240.0.0.1",
    "255.255.255.255",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:0a00:0001::1",
    "2002:7f00:0001::",
    "3fff::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fec0::1",
    "4000::1",
]
PUBLIC = [
    "1.1.1.1",
    "100.63.255.255",
    "100.128.0.1",
    "172.15.255.255",
    "172.32.0.1",
    "192.169.0.1",
    "223.5.5.5",
    "2400:3200::1",
    "2606:4700::1111",
    "2002:0808:0808::1",
    "64:ff9b::8.8.8.8",
]


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_an_mx_may_not_point_into_anybodys_own_network_unless_that_is_allowed(address: str) -> None:
    assert is_refused_mx_address(address, allow_private=False)
    assert not is_refused_mx_address(address, allow_private=True)


@pytest.mark.parametrize("address", PUBLIC)
def test_an_mx_may_point_to_any_public_address(address: str) -> None:
    assert not is_refused_mx_address(address, allow_private=False)


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "224.0.0.1", "239.255.255.255", "ff02::1"])
def test_what_is_no_host_is_never_an_mx(address: str) -> None:
    assert is_refused_mx_address(address, allow_private=False)
    assert is_refused_mx_address(address, allow_private=True)
