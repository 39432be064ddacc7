from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from directmail_relay.mail.mx import (
    Hosts,
    Unavailable,
)
from directmail_relay.resolver import Limits, Resolver
from tests.fakes.zone import NEGATIVE_TTL, Fault, Zone

CALM = Limits(attempt=10, question=20)


RECORDS = """
    example.test.      300 MX    10 mx1.example.test.
    alias.test.        300 CNAME example.test.
    null.test.         300 MX    0 .
    text.test.         300 TXT   hello
"""


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def zone() -> AsyncIterator[Zone]:
    async with Zone(RECORDS) as zone:
        yield zone


@pytest.fixture
def ticks() -> Clock:
    return Clock()


@pytest.fixture
async def resolver(zone: Zone, ticks: Clock) -> AsyncIterator[Resolver]:
    resolver = Resolver([zone.server], limits=CALM, monotonic=ticks)
    yield resolver
    await resolver.close()


async def test_an_answer_is_kept_for_its_time_to_live_and_no_longer(
    zone: Zone, resolver: Resolver, ticks: Clock
) -> None:
    for ticks.now in (0.0, 299.0):
        await resolver.mx("example.test")
    assert zone.asked["example.test", "MX"] == 1
    ticks.now = 301.0
    await resolver.mx("example.test")
    assert zone.asked["example.test", "MX"] == 2


@pytest.mark.parametrize(("ttl", "kept"), [(0, CALM.least), (10_000_000, CALM.most)])
async def test_a_time_to_live_is_taken_within_limits(
    zone: Zone, resolver: Resolver, ticks: Clock, ttl: int, kept: float
) -> None:
    zone.add(f"odd.test. {ttl} MX 10 mx1.example.test.")
    for ticks.now in (0.0, kept - 1):
        await resolver.mx("odd.test")
    assert zone.asked["odd.test", "MX"] == 1
    ticks.now = kept + 1
    await resolver.mx("odd.test")
    assert zone.asked["odd.test", "MX"] == 2


@pytest.mark.parametrize("name", ["nobody.test", "text.test"])
async def test_that_there_is_nothing_is_kept_as_long_as_the_soa_says(
    zone: Zone, resolver: Resolver, ticks: Clock, name: str
) -> None:
    for ticks.now in (0.0, NEGATIVE_TTL - 1):
        await resolver.mx(name)
    assert zone.asked[name, "MX"] == 1
    ticks.now = NEGATIVE_TTL + 1
    await resolver.mx(name)
    assert zone.asked[name, "MX"] == 2


async def test_a_failure_is_remembered_for_a_few_seconds(zone: Zone, resolver: Resolver, ticks: Clock) -> None:
    zone.fail("example.test", "MX", Fault.SERVFAIL)
    await resolver.mx("example.test")
    zone.fail("example.test", "MX", None)
    ticks.now = CALM.failure - 1
    assert isinstance(await resolver.mx("example.test"), Unavailable)
    assert zone.asked["example.test", "MX"] == 1
    ticks.now = CALM.failure + 1
    assert isinstance(await resolver.mx("example.test"), Hosts)


async def test_without_limits_nothing_is_kept(zone: Zone, ticks: Clock) -> None:
    fresh = Limits(least=0, most=0, most_negative=0, failure=0)
    resolver = Resolver([zone.server], limits=fresh, monotonic=ticks)
    for _ in range(2):
        await resolver.mx("example.test")
    assert zone.asked["example.test", "MX"] == 2


async def test_the_answer_that_was_wanted_longest_ago_makes_room(zone: Zone, ticks: Clock) -> None:
    resolver = Resolver([zone.server], limits=CALM, monotonic=ticks, capacity=2)
    for name in ("example.test", "null.test", "example.test", "alias.test", "example.test"):
        await resolver.mx(name)
    assert zone.asked["example.test", "MX"] == 1
    await resolver.mx("null.test")
    assert zone.asked["null.test", "MX"] == 2


async def test_a_hundred_who_ask_at_once_ask_one_question(zone: Zone, resolver: Resolver) -> None:
    answers = await asyncio.gather(*(resolver.mx("example.test") for _ in range(100)))
    assert zone.asked["example.test", "MX"] == 1
    assert all(isinstance(answer, Hosts) for answer in answers)


async def test_one_who_gives_up_does_not_take_the_answer_from_the_others(zone: Zone, resolver: Resolver) -> None:
    zone.gate.clear()
    first, second = (asyncio.create_task(resolver.mx("example.test")) for _ in range(2))
    await zone.question.wait()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    zone.gate.set()
    assert isinstance(await second, Hosts)
    assert zone.asked["example.test", "MX"] == 1


async def test_closing_ends_the_questions_under_way(zone: Zone) -> None:
    resolver = Resolver([zone.server], limits=Limits(attempt=60, question=60))
    zone.gate.clear()
    asker = asyncio.create_task(resolver.mx("example.test"))
    await zone.question.wait()
    await resolver.close()
    with pytest.raises(asyncio.CancelledError):
        await asker
