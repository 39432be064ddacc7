"""Couriers over a zone and hosts of loopback: all of the way out but the queue."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

from directmail_relay.delivery.courier import Courier
from directmail_relay.delivery.settings import DeliverySettings
from directmail_relay.delivery.way import Way
from directmail_relay.mail.attempt import DeliveryAttempt
from directmail_relay.mail.reply import Reply
from directmail_relay.policy.route import Route
from directmail_relay.resolver import Limits, Resolver
from tests.fakes.letters import letter, settings
from tests.fakes.mx_script import Script
from tests.fakes.remote_mx import RemoteMx
from tests.fakes.sessions import always
from tests.fakes.zone import Zone

CALM = Limits(attempt=10, question=20)


HASTY = Limits(attempt=0.05, question=0.1)


OK = Reply(250, "Queued as 4711", "2.0.0")


ONE = "rcpt.test. 300 MX 10 mx.rcpt.test.\nmx.rcpt.test. 300 A 127.0.0.1"


TWO = """
    rcpt.test.     300 MX 10 mx1.rcpt.test.
    rcpt.test.     300 MX 20 mx2.rcpt.test.
    mx1.rcpt.test. 300 A 127.0.0.1
    mx2.rcpt.test. 300 A 127.0.0.2
"""


class Ticks:
    """A clock on which a second passes each time somebody looks."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


@asynccontextmanager
async def courier_for(
    zone: Zone, chosen: DeliverySettings, *routes: Route, limits: Limits = CALM
) -> AsyncIterator[Courier]:
    resolver = Resolver([zone.server], limits=limits)
    courier = Courier("rcpt.test", Way(resolver, chosen, routes, now=Ticks(), rand=lambda: 0.5))
    try:
        yield courier
    finally:
        await courier.close()
        await resolver.close()


@asynccontextmanager
async def hosts(*scripts: Script) -> AsyncIterator[tuple[list[RemoteMx], int]]:
    """Hosts on 127.0.0.1, 127.0.0.2, … that share a port."""
    async with AsyncExitStack() as stack:
        found = list[RemoteMx]()
        for place, script in enumerate(scripts, start=1):
            mx = RemoteMx(script, ip=f"127.0.0.{place}", port=found[0].port if found else 0)
            found.append(await stack.enter_async_context(mx))
        yield found, found[0].port


async def deliver_over(
    zone_text: str, *scripts: Script, chosen: DeliverySettings | None = None
) -> tuple[list[RemoteMx], DeliveryAttempt]:
    """One message for one recipient, over these hosts."""
    async with (
        Zone(zone_text) as zone,
        hosts(*scripts) as (found, port),
        courier_for(zone, replace(chosen or settings(), port=port)) as courier,
    ):
        (attempt,) = await courier.deliver(letter(), always)
    return found, attempt
