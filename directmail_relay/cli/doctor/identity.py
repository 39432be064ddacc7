"""Who we are to others: the name that we greet with, the addresses behind it, and the names behind the addresses.

Large receivers refuse mail from an address without a name (RFC 1912 §2.1); behind a smarthost nobody looks.
"""

from __future__ import annotations

import asyncio
import ipaddress

from directmail_relay.cli.doctor.finding import Finding, Severity
from directmail_relay.cli.doctor.place import Place
from directmail_relay.mail.mx import AddressAnswer, Addresses, Unavailable

# RFC 6761, RFC 6762 and what home networks use: no receiver can look such a name up.
_LOCAL_TOPS = frozenset({"localhost", "localdomain", "local", "internal", "intranet", "lan", "home", "arpa"})
_MADE_UP = frozenset({"test", "example", "invalid"})
_EXAMPLES = ("example.com", "example.net", "example.org")


async def check_hostname(place: Place) -> list[Finding]:
    """The name itself: one that the whole world can look up."""
    name = place.config.hostname
    top = name.rpartition(".")[2]
    is_example = top in _MADE_UP or name.endswith(tuple(f".{one}" for one in _EXAMPLES)) or name in _EXAMPLES
    if top in _LOCAL_TOPS or is_example:
        advice = "set hostname to a name of this machine in a domain of yours, such as mail.yourdomain.com"
        return [Finding("hostname", _weight(place), "a name in the public DNS", name, advice)]
    return [Finding("hostname", Severity.OK, "a name in the public DNS", name)]


async def check_helo(place: Place) -> list[Finding]:
    """The name leads to the addresses that we send from."""
    name = place.config.hostname
    answer = await place.resolver.addresses(name)
    public = _public(place)
    expected = f"{name} has the address {' and '.join(public)}" if public else f"{name} has an address"
    if isinstance(answer, Unavailable):
        return [Finding("helo", Severity.WARNING, expected, "the DNS gave no answer", "see the check resolver")]
    known = _flatten(answer)
    found = ", ".join(known) or "no address"
    missing = [one for one in public if one not in known]
    if not known or missing:
        records = " and ".join(f"{name} {_type_of(one)} {one}" for one in missing) or f"an A record for {name}"
        # Seen from private addresses alone, the name may well be known outside.
        severity = _weight(place) if public else Severity.INFO
        return [Finding("helo", severity, expected, found, f"publish {records}")]
    if not public:
        advice = "check that these are the addresses under which this machine is seen from outside"
        return [Finding("helo", Severity.INFO, expected, f"{found}; this machine has private addresses only", advice)]
    return [Finding("helo", Severity.OK, expected, found)]


async def check_reverse_dns(place: Place) -> list[Finding]:
    """The addresses that we send from lead to the name; behind a translator, those that the name leads to."""
    addresses = _public(place) or _flatten(await place.resolver.addresses(place.config.hostname))
    if not addresses:
        expected, advice = "an address of this machine to look up", "see the check helo"
        return [Finding("reverse_dns", _at_most_warning(place), expected, "none is known", advice)]
    return list(await asyncio.gather(*(_check_one(place, address) for address in addresses)))


async def _check_one(place: Place, address: str) -> Finding:
    name = place.config.hostname
    expected = f"{address} has the name {name}"
    if not ipaddress.ip_address(address).is_global:
        advice = "check the reverse DNS of the address under which this machine is seen from outside"
        return Finding("reverse_dns", Severity.INFO, expected, "a private address: nobody else can look it up", advice)
    names = await place.diagnosis.names_of(address)
    advice = f"ask whoever gave you {address} to set its reverse DNS (PTR) to {name}"
    if isinstance(names, Unavailable):
        return Finding("reverse_dns", Severity.WARNING, expected, "the DNS gave no answer", "see the check resolver")
    if not isinstance(names, tuple):
        return Finding("reverse_dns", _weight(place), expected, "no name", advice)
    found = ", ".join(names)
    if name in names:
        return Finding("reverse_dns", Severity.OK, expected, found)
    # Another name that leads back is enough for most receivers (FCrDNS), but looks like a home connection to some.
    leads_back = [address in _flatten(await place.resolver.addresses(one)) for one in names[:3]]
    if any(leads_back):
        return Finding("reverse_dns", _at_most_warning(place), expected, found, advice)
    return Finding("reverse_dns", _weight(place), expected, f"{found}, which does not lead back", advice)


def _weight(place: Place) -> Severity:
    return Severity.FAIL if place.is_direct else Severity.INFO


def _at_most_warning(place: Place) -> Severity:
    return Severity.WARNING if place.is_direct else Severity.INFO


def _public(place: Place) -> tuple[str, ...]:
    return tuple(one for one in place.machine.source_addresses() if ipaddress.ip_address(one).is_global)


def _flatten(answer: AddressAnswer) -> tuple[str, ...]:
    return (*answer.ipv4, *answer.ipv6) if isinstance(answer, Addresses) else ()


def _type_of(address: str) -> str:
    return "AAAA" if ":" in address else "A"
