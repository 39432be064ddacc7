"""The guide's IP 防护: the addresses from which an account may send, as single IPs, ranges and CIDR blocks.

An IPv4-mapped IPv6 address (`::ffff:192.0.2.1`, how a dual-stack socket shows an IPv4 client) is that IPv4
address everywhere here. Text that is no address never matches and never raises but in `parse_entry`.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

_Ip = IPv4Address | IPv6Address
# An address has 45 characters at most, a range two of them: nothing longer can be an entry.
_MAX_ENTRY = 100
_SHOWN = 40


@dataclass(frozen=True, slots=True)
class AllowEntry:
    """All addresses from `first` to `last`, both included and of one family. Make one with `parse_entry`."""

    first: _Ip
    last: _Ip

    def __contains__(self, ip: _Ip) -> bool:
        return ip.version == self.first.version and int(self.first) <= int(ip) <= int(self.last)

    def __str__(self) -> str:
        """As the guide writes it: an IP, a CIDR block where it is one, else a range."""
        if self.first == self.last:
            return str(self.first)
        block = _block(self.first, self.last)
        return block or f"{self.first}-{self.last}"


@dataclass(frozen=True, slots=True)
class Allowlist:
    """IP protection of one account. Switched on with no entries, it lets nobody in."""

    enabled: bool = False
    entries: tuple[AllowEntry, ...] = ()

    def allows(self, ip: str) -> bool:
        """Whether a client at `ip` may send. Text that is not an IP address is allowed only when this is off."""
        if not self.enabled:
            return True
        client = parse_ip(ip)
        return client is not None and any(client in entry for entry in self.entries)


def parse_ip(text: str) -> _Ip | None:
    """The address, IPv4 where it is a mapped one; None for any other text. A zone (`%eth0`) is no part of its value."""
    try:
        return _unmap(ipaddress.ip_address(text))
    except ValueError:
        return None


def parse_entry(text: str) -> AllowEntry:
    """`220.181.12.241`, `220.181.12.241-220.181.12.255` or `220.181.12.0/24`, or the same in IPv6.

    A block may be named by any of its addresses (`220.181.12.7/24`). Raises ValueError with one sentence
    that can be shown to whoever typed it.
    """
    text = text.strip()
    if not text:
        raise ValueError("the entry is empty: give an IP address, a range a-b or a block a/n")
    if len(text) > _MAX_ENTRY:
        raise ValueError("the entry is too long: give one IP address, one range a-b or one block a/n")
    if "/" in text:
        return _parse_block(text)
    if "-" in text:
        return _parse_range(text)
    ip = _parse_ip(text)
    return AllowEntry(ip, ip)


def is_private_entry(entry: AllowEntry) -> bool:
    """Whether any address of it is one that the internet never shows (the guide: 请勿填写内网 IP 地址)."""
    return any(
        private.first.version == entry.first.version
        and int(private.first) <= int(entry.last)
        and int(entry.first) <= int(private.last)
        for private in _PRIVATE
    )


def _parse_range(text: str) -> AllowEntry:
    first, _, last = text.partition("-")
    start, end = _parse_ip(first.strip()), _parse_ip(last.strip())
    if start.version != end.version:
        raise ValueError(f"the range {_shown(text)} mixes IPv4 and IPv6")
    if int(start) > int(end):
        raise ValueError(f"the range {_shown(text)} ends before it begins")
    return AllowEntry(start, end)


def _parse_block(text: str) -> AllowEntry:
    address, _, prefix = text.partition("/")
    address = address.strip()
    _parse_ip(address)  # for its better sentence; and so that `%zone` never gets further
    # The library would take a netmask (`/255.255.255.0`) too, and its inverse: more likely a slip than meant.
    if not (prefix.isascii() and prefix.isdigit()):
        raise ValueError(f"the prefix length {_shown(prefix)} is not a number")
    try:
        block = ipaddress.ip_network(f"{address}/{prefix}", strict=False)
    except ValueError:
        longest = ipaddress.ip_address(address).max_prefixlen
        raise ValueError(f"the prefix length {_shown(prefix)} is not between 0 and {longest}") from None
    first, last = _unmap(block[0]), _unmap(block[-1])
    if first.version != last.version:
        raise ValueError(f"the block {_shown(text)} mixes IPv4 and IPv6")
    return AllowEntry(first, last)


def _parse_ip(text: str) -> _Ip:
    ip = None if "%" in text else parse_ip(text)
    if ip is None:
        raise ValueError(f"{_shown(text)} is not an IP address")
    return ip


def _unmap(ip: _Ip) -> _Ip:
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    return ip


def _shown(text: str) -> str:
    return repr(text[:_SHOWN])


def _block(first: _Ip, last: _Ip) -> str | None:
    """`a/n` when the range is exactly one block."""
    size = int(last) - int(first) + 1
    if size & (size - 1) or int(first) % size:
        return None
    return f"{first}/{first.max_prefixlen - size.bit_length() + 1}"


_PRIVATE = tuple(
    parse_entry(block)
    for block in (
        "10.0.0.0/8",  # RFC 1918, as are the next two: the three that the guide names
        "172.16.0.0/12",
        "192.168.0.0/16",
        "0.0.0.0/8",  # RFC 1122 §3.2.1.3, "this network"
        "100.64.0.0/10",  # RFC 6598, carrier-grade NAT
        "127.0.0.0/8",  # RFC 1122, loopback
        "169.254.0.0/16",  # RFC 3927, link-local
        "::/128",  # RFC 4291, unspecified and loopback
        "::1",
        "fc00::/7",  # RFC 4193, unique local
        "fe80::/10",  # RFC 4291, link-local
    )
)
