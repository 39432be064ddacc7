"""Trigger mail before batch mail: however much batch mail there is, a trigger mail waits for one message at most."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

import pytest

from directmail_relay.database.engine import Database
from directmail_relay.delivery.claimer import Claimer
from directmail_relay.delivery.dispatcher import Dispatcher
from directmail_relay.delivery.hands import Hands
from directmail_relay.delivery.lanes import Ceilings
from directmail_relay.delivery.life import Life
from directmail_relay.delivery.outgoing import Outgoing
from directmail_relay.delivery.settler import Settler
from directmail_relay.mail.attempt import DeliveryAttempt, Stage
from directmail_relay.mail.message import Kind, Message
from directmail_relay.mail.reply import Reply
from directmail_relay.policy.retry import RetryPolicy
from directmail_relay.queue.put import NewMessage, put
from tests.conftest import Clock
from tests.queue.mail import NOW, new_mail

BATCH = range(1, 10_001)
TRIGGER = 20_000
OLD = NOW - 60.0


@dataclass
class Hosts:
    """Every host at once: notes what it is sent, and takes as long as the test wants (`let_go`)."""

    begun: list[tuple[str, int]] = field(default_factory=list)
    waiting: list[asyncio.Event] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def courier(self, destination: str) -> Courier:
        return Courier(self, destination)

    async def take(self, destination: str, env_id: int) -> None:
        self.begun.append((destination, env_id))
        gate = asyncio.Event()
        self.waiting.append(gate)
        self.arrived.set()
        await gate.wait()

    async def until(self, count: int) -> list[int]:
        """The first so many messages, as soon as they have begun."""
        async with asyncio.timeout(10):
            while len(self.begun) < count:
                self.arrived.clear()
                await self.arrived.wait()
        return [env_id for _, env_id in self.begun]

    def let_go(self, index: int) -> None:
        self.waiting[index].set()


@dataclass
class Courier:
    hosts: Hosts
    destination: str

    async def deliver(self, outgoing: Outgoing, may_begin_data: Callable[[], bool]) -> tuple[DeliveryAttempt, ...]:  # noqa: ARG002 - as the protocol has it
        await self.hosts.take(self.destination, outgoing.env_id)
        ok = Reply(250, "Ok")
        return tuple(
            DeliveryAttempt(outgoing.env_id, one.index, Stage.DATA, ok, NOW, NOW) for one in outgoing.recipients
        )

    async def close(self) -> None:
        """Keeps nothing open."""


@dataclass
class WayOut:
    """A dispatcher and a claimer over a real queue."""

    database: Database
    life: Life
    dispatcher: Dispatcher
    claimer: Claimer
    hosts: Hosts

    def accept(self, mails: Sequence[NewMessage]) -> list[Message]:
        """Stores them and takes into the lanes what there is room for; answers with those."""
        taken: list[Message] = []
        stored: list[NewMessage] = []
        for mail in mails:
            claim, claimed = self.dispatcher.reserve(mail.message, mail.recipients)
            stored.append(
                NewMessage(mail.message, mail.recipients, mail.content, mail.limits, mail.periods, claim, claimed)
            )
        self.database.write_now(put, stored)
        for mail in stored:
            if mail.claimed:
                self.dispatcher.take(mail.message, mail.recipients, mail.content, mail.claim)
                taken.append(mail.message)
        return taken


@pytest.fixture
async def make(sqlite_url: str, clock: Clock) -> AsyncIterator[Callable[[Ceilings], WayOut]]:
    database, made = Database(sqlite_url), list[WayOut]()
    life = Life(database, 32, clock.monotonic)
    await life.begin()

    async def read(_env_id: int) -> bytes:
        return b"Subject: x\r\n"

    async def sign(_message: Message, content: bytes) -> bytes:
        return content

    def build(ceilings: Ceilings) -> WayOut:
        settler = Settler(database, RetryPolicy((60.0,), 3600.0), clock.time, lambda: 0.5)
        hosts = Hosts()
        dispatcher = Dispatcher(life, settler, Hands(hosts.courier, read, sign, clock.time), ceilings)
        made.append(WayOut(database, life, dispatcher, Claimer(database, life, dispatcher, settler, clock.time), hosts))
        return made[-1]

    yield build
    for one in made:
        await one.dispatcher.stop(0)
    database.close()


def batch(env_ids: Sequence[int], rcpt: str = "user@full.test") -> list[NewMessage]:
    return [new_mail(n, rcpt, kind=Kind.BATCH, due_at=OLD) for n in env_ids]


def trigger(rcpt: str = "user@full.test", env_id: int = TRIGGER) -> list[NewMessage]:
    return [new_mail(env_id, rcpt, kind=Kind.TRIGGER)]


async def test_behind_10_000_batch_mails_the_next_that_a_session_takes_is_the_trigger_mail(
    make: Callable[[Ceilings], WayOut],
) -> None:
    way_out = make(Ceilings(recipients=20_000, recipients_per_destination=20_000, sessions_per_destination=2))
    assert len(way_out.accept(batch(BATCH))) == 10_000
    assert await way_out.hosts.until(2) == [1, 2]
    way_out.accept(trigger())
    way_out.hosts.let_go(1)  # either of the two sessions
    assert await way_out.hosts.until(3) == [1, 2, TRIGGER]


async def test_batch_mail_that_fills_its_destination_leaves_room_in_memory_for_trigger_mail(
    make: Callable[[Ceilings], WayOut],
) -> None:
    way_out = make(Ceilings(recipients_per_destination=100, sessions_per_destination=1))
    assert len(way_out.accept(batch(range(1, 301)))) == 90
    assert await way_out.hosts.until(1) == [1]
    assert len(way_out.accept(trigger())) == 1
    way_out.hosts.let_go(0)
    assert await way_out.hosts.until(2) == [1, TRIGGER]


async def test_batch_mail_that_fills_all_memory_leaves_room_for_a_trigger_mail_elsewhere(
    make: Callable[[Ceilings], WayOut],
) -> None:
    way_out = make(Ceilings(recipients=100, sessions_per_destination=1))
    assert len(way_out.accept(batch(range(1, 301)))) == 90
    way_out.accept(trigger("user@other.test"))
    assert await way_out.hosts.until(2) == [1, TRIGGER]


async def test_batch_mail_that_holds_all_its_sessions_leaves_one_for_a_trigger_mail_elsewhere(
    make: Callable[[Ceilings], WayOut],
) -> None:
    way_out = make(Ceilings(sessions=10, sessions_per_destination=20))
    way_out.accept(batch(range(1, 31)))
    assert len(await way_out.hosts.until(9)) == 9
    way_out.accept(trigger("user@other.test"))
    assert (await way_out.hosts.until(10))[-1] == TRIGGER


async def test_a_session_kept_for_trigger_mail_does_not_go_on_with_batch_mail(
    make: Callable[[Ceilings], WayOut],
) -> None:
    way_out = make(Ceilings(sessions=10, sessions_per_destination=20))
    way_out.accept(batch(range(1, 31)))
    await way_out.hosts.until(9)
    way_out.accept([*trigger(), *trigger("user@other.test", TRIGGER + 1)])
    assert (await way_out.hosts.until(10))[-1] == TRIGGER  # the tenth session; the other trigger mail waits its turn
    way_out.hosts.let_go(9)
    assert (await way_out.hosts.until(11))[-1] == TRIGGER + 1


async def test_of_what_is_due_in_the_database_trigger_mail_is_claimed_first(
    make: Callable[[Ceilings], WayOut],
) -> None:
    way_out = make(Ceilings(sessions_per_destination=1, recipients_per_destination=10))
    claim = way_out.life.claim
    mails = [*batch(range(1, 101)), *trigger()]
    way_out.database.write_now(
        put, [NewMessage(m.message, m.recipients, m.content, m.limits, m.periods, claim) for m in mails]
    )
    await way_out.claimer.claim_round()
    assert await way_out.hosts.until(1) == [TRIGGER]
    way_out.hosts.let_go(0)
    assert (await way_out.hosts.until(2))[1] in range(1, 101)
