"""The way out: the resolver answers, and a mail host greets us on port 25. Nothing is sent but QUIT."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import os
import time
from dataclasses import dataclass

from directmail_relay.cli.doctor.finding import Finding, Severity
from directmail_relay.cli.doctor.place import Place, Target
from directmail_relay.mail.mx import Addresses, Hosts, Unavailable

# Large receivers of the guide's; one that greets us is enough.
PROBE_DOMAINS = ("qq.com", "163.com", "gmail.com")
CONNECT_SECONDS = 3.5
_MAX_GREETING = 512
_SLOW_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Greeting:
    """What a host said first; None when it said nothing. `error` is why there was no connection."""

    target: Target
    line: str | None = None
    error: str | None = None

    @property
    def is_welcome(self) -> bool:
        return self.line is not None and self.line.startswith("220")


async def check_resolver(place: Place) -> list[Finding]:
    """It answers, whatever it answers; and, for information, whether it checks signatures."""
    servers = ", ".join(map(str, place.config.delivery.dns.servers)) or "the system's"
    expected = f"an answer from the name servers ({servers})"
    started = time.monotonic()
    answer = await place.resolver.mx(PROBE_DOMAINS[0])
    if isinstance(answer, Unavailable):
        advice = "start the resolver, or name others in delivery.dns.servers"
        severity = Severity.FAIL if place.is_direct else Severity.WARNING
        return [Finding("resolver", severity, expected, answer.why, advice)]
    took = time.monotonic() - started
    if not isinstance(answer, Hosts):
        severity = Severity.WARNING if place.is_direct else Severity.INFO
        found, advice = f"{PROBE_DOMAINS[0]} has no mail host, it says", "name servers that know the public DNS"
        return [Finding("resolver", severity, expected, found, advice)]
    if took > _SLOW_SECONDS:
        advice = "a resolver of one's own on this machine (unbound) makes delivery faster"
        return [Finding("resolver", Severity.WARNING, expected, f"answered after {took:.1f} s", advice)]
    return [Finding("resolver", Severity.OK, expected, f"answered in {took * 1000:.0f} ms"), await _dnssec(place)]


async def _dnssec(place: Place) -> Finding:
    words = {True: "it checks signatures", False: "it does not check signatures", None: "it gave no answer to that"}
    found = words[await place.diagnosis.validates()]
    return Finding("dnssec", Severity.INFO, "the resolver checks signatures (needed for DANE alone)", found)


async def check_port_25(place: Place) -> list[Finding]:
    """A mail host lets us in: a smarthost when all mail goes there, else one of the large receivers."""
    targets = await _targets(place)
    port = place.config.delivery.port
    if not targets:
        expected = f"a mail host of {', '.join(PROBE_DOMAINS)} answers on port {port}"
        return [Finding("port_25", Severity.FAIL, expected, "the DNS names none", "see the check resolver")]
    expected = f"{' or '.join(map(str, targets))} greets with 220"
    greetings = await asyncio.gather(*(greet(place, target) for target in targets))
    best = next((one for one in greetings if one.is_welcome), None) or next(
        (one for one in greetings if one.line), None
    )
    if best is not None and best.line is not None:
        severity = Severity.OK if best.is_welcome else Severity.WARNING
        advice = "" if best.is_welcome else "the port is open, but this host does not take mail from us: read its reply"
        return [Finding("port_25", severity, expected, f"{best.target}: {best.line}", advice)]
    found = "; ".join(f"{one.target}: {one.error}" for one in greetings)
    return [Finding("port_25", Severity.FAIL, expected, found, _advice(place, port))]


def _advice(place: Place, port: int) -> str:
    if place.is_direct:
        return f"ask your network to open port {port} on the way out, or use a smarthost (delivery.routes)"
    return "see that the smarthost of delivery.routes runs and lets this machine in"


async def _targets(place: Place) -> list[Target]:
    if place.probe is not None:
        return [place.probe]
    everything = [route for route in place.config.delivery.routes if route.domain == "*"]
    if everything:
        return [Target(everything[0].host, everything[0].port)]
    answers = await asyncio.gather(*(place.resolver.mx(domain) for domain in PROBE_DOMAINS))
    best = [min(one.hosts, key=lambda host: host.preference) for one in answers if isinstance(one, Hosts)]
    return [Target(host.name, place.config.delivery.port) for host in best]


async def greet(place: Place, target: Target) -> Greeting:
    """Connects, reads the first line, says QUIT. Raises nothing."""
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            address = await _address(place, target.host)
            if address is None:
                return Greeting(target, error="the DNS knows no address")
            return await _read_greeting(target, address)
    except TimeoutError:
        return Greeting(target, error=f"no answer within {CONNECT_SECONDS:g} s")
    except (OSError, ValueError) as error:
        return Greeting(target, error=reason_of(error))


def reason_of(error: Exception) -> str:
    """What the system calls it, without the address that asyncio puts into it."""
    number = getattr(error, "errno", None)
    if number is not None and number in errno.errorcode:
        return os.strerror(number)
    return str(error) or type(error).__name__


async def _read_greeting(target: Target, address: str) -> Greeting:
    reader, writer = await asyncio.open_connection(address, target.port, limit=_MAX_GREETING)
    try:
        line = (await reader.readline()).decode("utf-8", "replace").strip()
        if not line:
            return Greeting(target, error="closed the connection without a word")
        with contextlib.suppress(OSError):
            writer.write(b"QUIT\r\n")
            await writer.drain()
        return Greeting(target, line=line)
    finally:
        writer.close()


async def _address(place: Place, host: str) -> str | None:
    with contextlib.suppress(ValueError):
        return str(ipaddress.ip_address(host))
    answer = await place.resolver.addresses(host)
    if isinstance(answer, Addresses):
        return (*answer.ipv4, *answer.ipv6)[0]
    # Single labels stand in no DNS, but in /etc/hosts: `localhost`.
    return host if "." not in host else None
