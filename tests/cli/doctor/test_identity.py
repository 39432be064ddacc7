"""Who we are to others: the name, its addresses, and their names."""

from __future__ import annotations

from dataclasses import replace

import pytest

from directmail_relay.cli.doctor.finding import Severity
from tests.fakes.doctor_place import (
    MACHINE,
    OURS,
    Examine,
    only,
)
from tests.fakes.zone import Fault, Zone


@pytest.mark.parametrize("name", ["relay.local", "mail.localdomain", "mail.example.com", "mx.shop.test", "a.localhost"])
async def test_a_name_that_nobody_can_look_up_is_told(consult: Examine, name: str) -> None:
    assert (await only(consult("hostname", hostname=name))).severity is Severity.FAIL
    assert (await only(consult("hostname"))).severity is Severity.OK


async def test_behind_a_smarthost_our_name_is_its_business(consult: Examine) -> None:
    routes = {"routes": [{"domain": "*", "host": "127.0.0.1", "port": 2526}]}
    assert (await only(consult("hostname", hostname="relay.local", delivery=routes))).severity is Severity.INFO


async def test_name_and_address_lead_to_each_other(consult: Examine) -> None:
    found = await consult("helo", "reverse_dns")
    assert [one.severity for one in found] == [Severity.OK, Severity.OK]


async def test_a_name_with_another_address_fails(consult: Examine) -> None:
    machine = replace(MACHINE, source_addresses=lambda: ("11.22.33.45",))
    helo = await only(consult("helo", machine=machine))
    assert (helo.severity, helo.found) == (Severity.FAIL, OURS)
    assert "publish mail.shop.com A 11.22.33.45" in helo.advice


async def test_a_name_without_an_address_fails(consult: Examine, zone: Zone) -> None:
    zone.clear()
    assert (await only(consult("helo"))).severity is Severity.FAIL


async def test_an_address_without_a_name_fails(consult: Examine) -> None:
    machine = replace(MACHINE, source_addresses=lambda: ("2a00:1234::5",))
    reverse = await only(consult("reverse_dns", machine=machine))
    assert (reverse.severity, reverse.found) == (Severity.FAIL, "no name")
    assert "2a00:1234::5 to set its reverse DNS (PTR) to mail.shop.com" in reverse.advice


@pytest.mark.parametrize(("leads_back", "severity"), [(True, Severity.WARNING), (False, Severity.FAIL)])
async def test_another_name_is_worse_when_it_does_not_lead_back(
    consult: Examine,
    zone: Zone,
    leads_back: bool,  # noqa: FBT001 - a table
    severity: Severity,
) -> None:
    zone.add("1.2.3.12.in-addr.arpa. 300 PTR host1.isp.net.\n")
    if leads_back:
        zone.add("host1.isp.net. 300 A 12.3.2.1\n")
    machine = replace(MACHINE, source_addresses=lambda: ("12.3.2.1",))
    assert (await only(consult("reverse_dns", machine=machine))).severity is severity


async def test_behind_a_translator_the_published_address_is_looked_at(consult: Examine) -> None:
    machine = replace(MACHINE, source_addresses=lambda: ("192.168.1.5",))
    helo, reverse = await consult("helo", "reverse_dns", machine=machine)
    assert (helo.severity, reverse.severity) == (Severity.INFO, Severity.OK)
    assert "private addresses only" in helo.found
    assert reverse.expected == f"{OURS} has the name mail.shop.com"


@pytest.mark.parametrize("private", ["127.0.0.1", "10.1.2.3"])
async def test_private_addresses_are_nobody_elses_business(consult: Examine, zone: Zone, private: str) -> None:
    zone.clear()
    zone.add(f"mail.shop.com. 300 A {private}\n")
    machine = replace(MACHINE, source_addresses=lambda: (private,))
    found = await consult("helo", "reverse_dns", machine=machine)
    assert [(one.check, one.severity) for one in found] == [("helo", Severity.INFO), ("reverse_dns", Severity.INFO)]
    zone.clear()
    helo, _ = await consult("helo", "reverse_dns", machine=machine)
    assert (helo.severity, helo.found) == (Severity.INFO, "no address")


async def test_trouble_with_the_dns_is_no_missing_record(consult: Examine, zone: Zone) -> None:
    for name, kind in (("mail.shop.com", "A"), ("mail.shop.com", "AAAA"), ("44.33.22.11.in-addr.arpa", "PTR")):
        zone.fail(name, kind, Fault.SERVFAIL)
    found = await consult("helo", "reverse_dns")
    assert [one.severity for one in found] == [Severity.WARNING, Severity.WARNING]
