"""Durations, sizes and endpoints as people write them in the configuration: `5m`, `15MiB`, `127.0.0.1:8080`.

Each parser takes what YAML made of the value and raises ValueError with a sentence that says what to write
instead. A bare number is refused on purpose: nobody remembers whether a timeout is in seconds or minutes.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

_DURATION = re.compile(r"([0-9]{1,9})(ms|s|m|h|d)", re.ASCII)
_SIZE = re.compile(r"([0-9]{1,12})(B|KiB|MiB|GiB)", re.ASCII)
_ENDPOINT = re.compile(r"(?:\[([^\]]+)\]|([^:\[\]]+)):([0-9]{1,5})", re.ASCII)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_OCTETS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
MAX_PORT = 65535


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An IP address and a port. The address is in its canonical form, without brackets."""

    address: str
    port: int

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


def parse_duration(value: object) -> float:
    """`30s 5m 4h 3d`, and `200ms` for what is quick → seconds."""
    if _is_number(value):
        raise ValueError(f"a duration needs a unit: write {value}s, or m, h or d for minutes, hours or days")
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("is not a duration: write a whole number and a unit, such as 30s, 5m, 4h or 3d")
    # Divided rather than multiplied: 0.001 has no exact binary form, and 1500 ms should be 1.5 s.
    return int(match[1]) / 1000 if match[2] == "ms" else int(match[1]) * _SECONDS[match[2]]


def parse_size(value: object) -> int:
    """`512B 64KiB 15MiB 1GiB` → octets."""
    if _is_number(value):
        raise ValueError(f"a size needs a unit: write {value}B, or KiB, MiB or GiB")
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("is not a size: write a whole number and a unit, such as 64KiB or 15MiB")
    return int(match[1]) * _OCTETS[match[2]]


def parse_endpoint(value: object, *, default_port: int | None = None) -> Endpoint:
    """`192.0.2.1:53`, `[2001:db8::1]:53`, and the bare address where there is a default port."""
    if not isinstance(value, str):
        raise ValueError('is not an address: write it as text, such as "127.0.0.1:8080"')  # noqa: TRY004 - what pydantic reports
    if default_port is not None and _is_ip(value):
        return Endpoint(parse_ip(value), default_port)
    match = _ENDPOINT.fullmatch(value)
    if match is None:
        raise ValueError('needs an IP address and a port, such as "127.0.0.1:8080" or "[::1]:8080"')
    port = int(match[3])
    if port > MAX_PORT:
        raise ValueError(f"the port {port} does not exist: give one up to {MAX_PORT}")
    return Endpoint(parse_ip(match[1] or match[2]), port)


def parse_ip(value: object) -> str:
    """An IPv4 or IPv6 address → its canonical text. Names are refused: what they stand for may change."""
    if not isinstance(value, str) or not _is_ip(value):
        raise ValueError("is not an IP address: write one such as 127.0.0.1, 0.0.0.0 or ::1")
    return str(ipaddress.ip_address(value))


def parse_network(value: object) -> str:
    """An address or a CIDR block → the block's canonical text (`192.0.2.1` → `192.0.2.1/32`)."""
    if not isinstance(value, str):
        raise ValueError("is not a network: write one such as 10.0.0.0/8")  # noqa: TRY004 - what pydantic reports
    try:
        return str(ipaddress.ip_network(value))
    except ValueError as error:
        raise ValueError(f"is not a network such as 10.0.0.0/8 ({error})") from error


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
