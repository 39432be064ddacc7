"""Where the doctor looks: the configuration, and what it knows of this machine. All of it can be replaced by a test."""

from __future__ import annotations

import ctypes
import shutil
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from directmail_relay.config import Config
from directmail_relay.resolver import Limits, Resolver
from directmail_relay.resolver.diagnosis import Diagnosis
from directmail_relay.resolver.lookup import Lookup

# Shorter than a check may take in all, so that trouble is told and not cut off.
DNS_LIMITS = Limits(attempt=1.0, question=2.0)
# RFC 5737 and RFC 3849: belong to nobody. Connecting by UDP sends nothing; it only chooses a way.
_SOMEWHERE = ((socket.AF_INET, "198.51.100.1"), (socket.AF_INET6, "2001:db8::1"))
_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised
_TIMEX_OCTETS = 512  # larger than struct timex


@dataclass(frozen=True, slots=True)
class Target:
    """A host and port to connect to; the host is a name or an IP address."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def find_source_addresses() -> tuple[str, ...]:
    """The addresses that this machine sends from, by the way out; at most one of each family."""
    found = []
    for family, target in _SOMEWHERE:
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as sock:
                sock.connect((target, 9))
                found.append(str(sock.getsockname()[0]).partition("%")[0])
        except OSError:  # no way out in this family
            continue
    return tuple(found)


def is_clock_synchronised() -> bool | None:
    """What the kernel says, whichever program keeps the time (adjtimex(2)); None when it cannot be asked."""
    try:
        ask = ctypes.CDLL(None).adjtimex
    except (OSError, AttributeError):
        return None
    state: int = ask(ctypes.create_string_buffer(_TIMEX_OCTETS))  # all zero: change nothing
    return None if state < 0 else state != _TIME_ERROR


@dataclass(frozen=True, slots=True)
class Machine:
    """What is asked of the machine itself. `disk_usage` gives total, used and free octets of a path."""

    source_addresses: Callable[[], tuple[str, ...]] = find_source_addresses
    is_clock_synchronised: Callable[[], bool | None] = is_clock_synchronised
    clock: Callable[[], float] = time.time
    disk_usage: Callable[[Path], tuple[int, int, int]] = shutil.disk_usage


@dataclass(frozen=True, slots=True)
class Place:
    """Everything that a check may look at. Made inside the event loop, and closed there."""

    config: Config
    config_path: Path
    machine: Machine
    resolver: Resolver
    diagnosis: Diagnosis
    lookup: Lookup
    probe: Target | None = None
    domain: str | None = None

    @property
    def is_direct(self) -> bool:
        """Whether mail goes to the hosts of its recipients itself; else a smarthost takes all of it."""
        return all(route.domain != "*" for route in self.config.delivery.routes)


def make_place(
    config: Config,
    path: Path,
    *,
    probe: Target | None = None,
    domain: str | None = None,
    machine: Machine | None = None,
) -> Place:
    """The place as the configuration says, with its name servers."""
    servers = [str(server) for server in config.delivery.dns.servers]
    return Place(
        config=config,
        config_path=path,
        machine=machine or Machine(),
        resolver=Resolver(servers, limits=DNS_LIMITS),
        diagnosis=Diagnosis(servers, limits=DNS_LIMITS),
        lookup=Lookup(servers, limits=DNS_LIMITS),
        probe=probe,
        domain=domain,
    )
