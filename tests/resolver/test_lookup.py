from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from directmail_relay.mail.mx import Unavailable
from directmail_relay.resolver import Limits
from directmail_relay.resolver.lookup import Lookup
from tests.fakes.zone import Fault, Zone

RECORDS = """
    example.test.        300 TXT   "v=spf1 " "-all"
    example.test.        300 TXT   hello
    example.test.        300 MX    10 MX.example.test.
    null.test.           300 MX    0 .
    track.example.test.  300 CNAME mail.relay.test.
    alias.example.test.  300 CNAME example.test.
    odd.example.test.    300 TXT   "\\255\\013"
"""


@pytest.fixture
async def zone() -> AsyncIterator[Zone]:
    async with Zone(RECORDS) as zone:
        yield zone


@pytest.mark.parametrize(
    ("name", "rdtype", "found"),
    [
        ("example.test", "TXT", ("hello", "v=spf1 -all")),
        ("example.test", "MX", ("10 MX.example.test",)),
        ("null.test", "MX", ("0 .",)),
        ("track.example.test", "CNAME", ("mail.relay.test",)),
        ("alias.example.test", "TXT", ("hello", "v=spf1 -all")),
        ("odd.example.test", "TXT", ("\\xff\r",)),
        ("example.test", "CNAME", ()),
        ("gone.test", "TXT", ()),
    ],
)
async def test_each_type_is_told_as_text(zone: Zone, name: str, rdtype: str, found: tuple[str, ...]) -> None:
    assert await Lookup([zone.server]).find(name, rdtype) == found


async def test_nothing_is_kept_from_one_question_to_the_next(zone: Zone) -> None:
    lookup = Lookup([zone.server])
    await lookup.find("example.test", "MX")
    zone.clear()
    assert await lookup.find("example.test", "MX") == ()
    assert zone.asked["example.test", "MX"] == 2


@pytest.mark.parametrize("fault", [Fault.SERVFAIL, Fault.REFUSED, Fault.GARBAGE])
async def test_trouble_is_never_an_empty_answer(zone: Zone, fault: Fault) -> None:
    zone.fail("example.test", "TXT", fault)
    lookup = Lookup([zone.server], limits=Limits(attempt=0.1, question=0.2))
    assert isinstance(await lookup.find("example.test", "TXT"), Unavailable)


async def test_a_name_that_cannot_be_is_trouble_and_no_exception(zone: Zone) -> None:
    assert isinstance(await Lookup([zone.server]).find("a" * 64 + ".test", "TXT"), Unavailable)
