"""Where a destination's mail goes: a configured route, or the MX hosts in their order, and which addresses are refused.

Facts from DNS come in as values of `mail.mx`; the order of equals comes from `rand`. Nothing here looks anything up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from directmail_relay.mail.mx import Addresses, MxTarget

MAX_HOSTS = 5
MAX_ADDRESSES_OF_A_HOST = 2

Rand = Callable[[], float]
"""Chance as an argument: a number in [0, 1) each time, as `random.random`."""

IpAddress = IPv4Address | IPv6Address


class TlsPolicy(StrEnum):
    """What a session to a host does about STARTTLS."""

    NONE = "none"  # never, even when it is offered
    MAY = "may"  # when it is offered; in clear when it fails (RFC 7435)
    ENCRYPT = "encrypt"  # or not at all; whose certificate it is does not matter
    VERIFY = "verify"  # or not at all; the certificate must be the host's


@dataclass(frozen=True, slots=True)
class Route:
    """One entry of `delivery.routes`. `domain` is exact, `*.example` (what is below it, not itself) or `*`.

    `host` is a name (its A and AAAA records count, never its MX) or an IP address without brackets.
    """

    domain: str
    host: str
    port: int
    tls: TlsPolicy = TlsPolicy.MAY

    def matches(self, destination: str) -> bool:
        pattern = self.domain.lower()
        if pattern == "*":
            return True
        if pattern.startswith("*."):
            return destination.endswith(pattern[1:])
        return destination == pattern


def find_route(routes: Iterable[Route], destination: str) -> Route | None:
    """The first that matches; None means that DNS decides."""
    return next((route for route in routes if route.matches(destination)), None)


def order_hosts(hosts: Iterable[MxTarget], rand: Rand) -> tuple[MxTarget, ...]:
    """By preference, equals in random order so that they share the load (RFC 5321 §5.1). Not shortened yet."""
    shuffled = sorted(((host.preference, rand(), host) for host in hosts), key=lambda entry: entry[:2])
    return tuple(host for _, _, host in shuffled)


def hosts_before_us(hosts: Iterable[MxTarget], our_name: str) -> tuple[MxTarget, ...]:
    """The hosts that are better than ourselves; all of them when we are not among them.

    Mail that went to a host of equal or lower preference would come back to us: RFC 5321 §5.1 drops them all.
    """
    hosts = tuple(hosts)
    ours = [host.preference for host in hosts if host.name == our_name.lower()]
    return tuple(host for host in hosts if host.preference < min(ours)) if ours else hosts


def pick_addresses(addresses: Addresses, rand: Rand) -> tuple[str, ...]:
    """At most two: one of each family, IPv4 first; of one family two when there is no other.

    IPv4 first because every mail host still has it, while many of our machines have no way out over IPv6 and large
    receivers judge IPv6 senders more strictly; IPv6 second, so that a host is reached when one family is broken.
    """
    ipv4, ipv6 = _shuffled(addresses.ipv4, rand), _shuffled(addresses.ipv6, rand)
    if ipv4 and ipv6:
        return (ipv4[0], ipv6[0])
    return (ipv4 or ipv6)[:MAX_ADDRESSES_OF_A_HOST]


def _shuffled(texts: Sequence[str], rand: Rand) -> tuple[str, ...]:
    return tuple(text for _, text in sorted((rand(), text) for text in texts))


# The special-purpose registries of IANA (RFC 6890). A table of our own, because what `ipaddress` calls private
# differs between releases of Python.
_SPECIAL_IPV4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private, RFC 1918
        "100.64.0.0/10",  # behind a carrier's NAT, RFC 6598
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local; a cloud's metadata lives here
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation, RFC 5737
        "192.88.99.0/24",  # 6to4 relays, withdrawn
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks, RFC 2544
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and the broadcast address
    )
)
# All unicast of the Internet is in 2000::/3; what is outside is loopback, link-local, unique local, IPv4-mapped, …
_GLOBAL_IPV6 = IPv6Network("2000::/3")
_SPECIAL_IPV6 = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # protocol assignments: Teredo, ORCHID, benchmarks
        "2001:db8::/32",  # documentation, RFC 3849
        "3fff::/20",  # documentation, RFC 9637
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052


def is_refused_mx_address(address: str, *, allow_private: bool) -> bool:
    """Whether mail must not go to this address although DNS names it: else any domain could aim us at our own network.

    An IPv6 address that carries an IPv4 address (6to4, NAT64) is judged by that one too. With `allow_private` only
    those are refused that can never be one host: unspecified and multicast. Raises ValueError on what is no address.
    """
    ip = ip_address(address)
    if ip.is_unspecified or ip.is_multicast:
        return True
    return not allow_private and _is_special(ip)


def _is_special(ip: IpAddress) -> bool:
    if isinstance(ip, IPv4Address):
        return any(ip in network for network in _SPECIAL_IPV4)
    if ip in _NAT64:
        return _is_special(IPv4Address(ip.packed[-4:]))
    if ip.sixtofour is not None:
        return _is_special(ip.sixtofour)
    return ip not in _GLOBAL_IPV6 or any(ip in network for network in _SPECIAL_IPV6)
