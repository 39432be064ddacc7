from __future__ import annotations

import ipaddress
import re
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directmail_relay.policy.allowlist import AllowEntry, Allowlist, is_private_entry, parse_entry, parse_ip

ips = st.ip_addresses()


def allows(entry: str, ip: str) -> bool:
    return Allowlist(enabled=True, entries=(parse_entry(entry),)).allows(ip)


@pytest.mark.parametrize(
    ("entry", "inside", "outside"),
    [
        # The guide's three examples (开启 IP 防护).
        ("220.181.12.241", ["220.181.12.241"], ["220.181.12.240", "220.181.12.242"]),
        (
            "220.181.12.241-220.181.12.255",
            ["220.181.12.241", "220.181.12.250", "220.181.12.255"],
            ["220.181.12.240", "220.181.13.0"],
        ),
        ("220.181.12.0/24", ["220.181.12.0", "220.181.12.255"], ["220.181.11.255", "220.181.13.0"]),
        ("2001:db8::1", ["2001:db8::1", "2001:DB8:0::0001"], ["2001:db8::2"]),
        ("2001:db8::1 - 2001:db8::ff", ["2001:db8::80"], ["2001:db8::100"]),
        ("2001:db8::/32", ["2001:db8:ffff::1"], ["2001:db9::1"]),
        ("0.0.0.0/0", ["255.255.255.255"], ["2001:db8::1"]),
        ("::/0", ["2001:db8::1"], ["192.0.2.1"]),
        ("  192.0.2.7/32 ", ["192.0.2.7"], ["192.0.2.8"]),
        ("192.0.2.7/24", ["192.0.2.255"], ["192.0.3.0"]),
    ],
)
def test_an_entry_lets_in_what_it_names_and_nothing_beside(entry: str, inside: list[str], outside: list[str]) -> None:
    assert [ip for ip in inside if not allows(entry, ip)] == []
    assert [ip for ip in outside if allows(entry, ip)] == []


@pytest.mark.parametrize("entry", ["192.0.2.0/24", "::ffff:192.0.2.0/120", "::ffff:192.0.2.0-192.0.2.255"])
def test_an_ipv4_client_of_a_dual_stack_socket_matches_ipv4_entries(entry: str) -> None:
    assert allows(entry, "::ffff:192.0.2.9")
    assert allows(entry, "::ffff:c000:209")
    assert allows(entry, "192.0.2.9")
    assert not allows(entry, "::ffff:192.0.3.9")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("192.0.2.1-192.0.2.1", "192.0.2.1"),
        ("192.0.2.0-192.0.2.255", "192.0.2.0/24"),
        ("192.0.2.7/24", "192.0.2.0/24"),
        ("192.0.2.1-192.0.2.4", "192.0.2.1-192.0.2.4"),
        ("192.0.2.0 - 192.0.2.2", "192.0.2.0-192.0.2.2"),
        ("2001:DB8::/32", "2001:db8::/32"),
    ],
)
def test_an_entry_is_shown_in_its_shortest_form(text: str, shown: str) -> None:
    assert str(parse_entry(text)) == shown


def test_a_link_local_client_matches_without_its_zone() -> None:
    assert allows("fe80::/10", "fe80::1%eth0")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("1" * 101, "too long"),
        ("mail.example.com", "'mail.example.com' is not an IP address"),
        ("1.2.3", "not an IP address"),
        ("1.2.3.256", "not an IP address"),
        ("01.2.3.4", "not an IP address"),
        ("fe80::1%eth0", "not an IP address"),
        ("1.2.3.4-", "'' is not an IP address"),
        ("1.2.3.4-1.2.3.5-1.2.3.6", "not an IP address"),
        ("1.2.3.9-1.2.3.1", "ends before it begins"),
        ("1.2.3.4-2001:db8::1", "mixes IPv4 and IPv6"),
        ("1.2.3.0/33", "'33' is not between 0 and 32"),
        ("2001:db8::/129", "'129' is not between 0 and 128"),
        ("1.2.3.0/255.255.255.0", "is not a number"),
        ("1.2.3.0/-1", "is not a number"),
        ("1.2.3.0/²", "is not a number"),
        ("1.2.3.0/", "is not a number"),
        ("::ffff:0:0/95", "mixes IPv4 and IPv6"),
        ("1.2.3.4, 1.2.3.5", "not an IP address"),
    ],
)
def test_a_wrong_entry_is_refused_in_one_sentence(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)) as caught:
        parse_entry(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 120


@given(st.text(max_size=120) | st.text(alphabet="0123456789abcdef.:/-% ", max_size=60))
def test_any_text_is_an_entry_or_a_value_error(text: str) -> None:
    try:
        entry = parse_entry(text)
    except ValueError:
        return
    assert entry.first in entry
    assert entry.last in entry
    assert parse_entry(str(entry)) == entry


@given(st.text(max_size=60))
def test_client_text_that_is_no_address_is_refused_and_never_raises(text: str) -> None:
    everyone = Allowlist(enabled=True, entries=(parse_entry("0.0.0.0/0"), parse_entry("::/0")))
    assert everyone.allows(text) is (parse_ip(text) is not None)


@given(st.ip_addresses(v=4), st.integers(0, 32), st.ip_addresses(v=4))
def test_an_ipv4_block_agrees_with_the_standard_library(base: IPv4Address, prefix: int, client: IPv4Address) -> None:
    block = ipaddress.ip_network((base, prefix), strict=False)
    entry = parse_entry(f"{base}/{prefix}")
    assert (client in entry) is (client in block)
    assert all(ip in entry for ip in (block[0], block[-1]))


@given(ips, ips, ips)
def test_a_range_holds_exactly_what_lies_between_its_ends(
    a: IPv4Address | IPv6Address, b: IPv4Address | IPv6Address, client: IPv4Address | IPv6Address
) -> None:
    first, second, seen = (parse_ip(str(ip)) for ip in (a, b, client))
    assert first is not None
    assert second is not None
    assert seen is not None
    if first.version != second.version:
        return
    low, high = sorted((int(first), int(second)))
    entry = AllowEntry(*sorted((first, second), key=int))
    assert parse_entry(f"{entry.first}-{entry.last}") == entry
    assert (seen in entry) is (seen.version == first.version and low <= int(seen) <= high)


def test_switched_off_it_lets_everybody_in_and_switched_on_without_entries_nobody() -> None:
    entries = (parse_entry("192.0.2.1"),)
    assert Allowlist(enabled=False, entries=entries).allows("198.51.100.1")
    assert not Allowlist(enabled=True).allows("192.0.2.1")


@pytest.mark.parametrize(
    "text",
    [
        "192.168.0.0-192.168.255.255",
        "172.16.0.0-172.31.255.255",
        "10.0.0.0-10.255.255.255",
        "10.1.2.3",
        "127.0.0.1",
        "9.255.255.255-10.0.0.0",
        "0.0.0.0/0",
        "::ffff:10.0.0.1",
        "::1",
        "fd00::/8",
        "fe80::1",
        "100.64.0.1",
    ],
)
def test_an_entry_that_touches_addresses_of_inner_networks_is_private(text: str) -> None:
    assert is_private_entry(parse_entry(text))


@pytest.mark.parametrize(
    "text",
    ["220.181.12.0/24", "9.0.0.0/8", "11.0.0.0/8", "172.15.255.255", "172.32.0.0", "192.167.0.0/16", "2001:db8::/32"],
)
def test_an_entry_of_the_internet_is_not_private(text: str) -> None:
    assert not is_private_entry(parse_entry(text))
