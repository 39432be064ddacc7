"""One worker's way out on a real database, with couriers that do what the test says instead of going anywhere."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from sqlalchemy import Connection, text

from directmail_relay.database.engine import Database
from directmail_relay.delivery.claimer import Claimer
from directmail_relay.delivery.dispatcher import Dispatcher
from directmail_relay.delivery.hands import Hands
from directmail_relay.delivery.lanes import Ceilings
from directmail_relay.delivery.life import Life
from directmail_relay.delivery.outgoing import Outgoing
from directmail_relay.delivery.settler import Settler
from directmail_relay.mail.attempt import DeliveryAttempt, Stage
from directmail_relay.mail.message import Message
from directmail_relay.mail.reply import Reply
from directmail_relay.policy.retry import RetryPolicy
from directmail_relay.queue.due import read_content
from directmail_relay.queue.put import put
from tests.queue.mail import new_mail

POLICY = RetryPolicy(schedule=(60.0,), lifetime=3 * 86400.0)


class HasTime(Protocol):
    def time(self) -> float: ...
    def monotonic(self) -> float: ...


@dataclass
class Couriers:
    """Their orders: `replies` by address (else 250), after `gate` has opened. They write down what they do."""

    clock: Callable[[], float]
    replies: dict[str, Reply] = field(default_factory=dict)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    began: asyncio.Event = field(default_factory=asyncio.Event)
    opened: list[str] = field(default_factory=list)
    sent: list[Outgoing] = field(default_factory=list)
    closed: int = 0

    def __post_init__(self) -> None:
        self.gate.set()

    def new(self, destination: str) -> Courier:
        self.opened.append(destination)
        return Courier(self)


@dataclass
class Courier:
    orders: Couriers

    async def deliver(self, outgoing: Outgoing, may_begin_data: Callable[[], bool]) -> tuple[DeliveryAttempt, ...]:
        self.orders.began.set()
        await self.orders.gate.wait()
        if not may_begin_data():
            return ()
        self.orders.sent.append(outgoing)
        now = self.orders.clock()
        return tuple(
            DeliveryAttempt(
                outgoing.env_id,
                one.index,
                Stage.RCPT,
                self.orders.replies.get(str(one.rcpt), Reply(250, "Ok")),
                now,
                now,
                mx_host="mx.test",
            )
            for one in outgoing.recipients
        )

    async def close(self) -> None:
        self.orders.closed += 1


class Worker:
    """Life, settler, dispatcher and claimer of worker `owner`; `await worker.begin()` first."""

    def __init__(
        self, database: Database, clock: HasTime, *, owner: int = 32, ceilings: Ceilings | None = None
    ) -> None:
        self.database = database
        self.clock = clock
        self.couriers = Couriers(clock.time)
        self.life = Life(database, owner, clock.monotonic)
        self.settler = Settler(database, POLICY, clock.time, lambda: 0.0)
        self.settler.pause = 0.0
        hands = Hands(self.couriers.new, self._read, self.sign, clock.time)
        self.dispatcher = Dispatcher(self.life, self.settler, hands, ceilings or Ceilings())
        self.claimer = Claimer(database, self.life, self.dispatcher, self.settler, clock.time)
        self.broken_signer: Exception | None = None

    async def begin(self) -> Worker:
        await self.life.begin()
        return self

    async def sign(self, message: Message, content: bytes) -> bytes:  # noqa: ARG002 - as the dispatcher calls it
        if self.broken_signer is not None:
            raise self.broken_signer
        return b"DKIM-Signature: x\r\n" + content

    async def accept(self, env_id: int, *rcpts: str) -> None:
        """As `submission.accept` does it: reserve, store, take."""
        new = new_mail(env_id, *rcpts, claim=self.life.claim)
        claim, mine = self.dispatcher.reserve(new.message, new.recipients)
        await self.database.write(put, [new_mail(env_id, *rcpts, claim=claim, claimed=mine)])
        held = tuple(one for one in new.recipients if one.index in mine)
        self.dispatcher.take(new.message, held, new.content, claim)

    async def settled(self) -> None:
        """Waits until no courier is under way and everything is written down."""
        async with asyncio.timeout(10):
            while self.dispatcher._couriers or self.settler._writing:
                await asyncio.wait({*self.dispatcher._couriers, *self.settler._writing})

    @property
    def is_empty_handed(self) -> bool:
        lanes, held = self.dispatcher.lanes, self.dispatcher._held
        return (lanes.held, lanes.bytes_held, lanes.sessions, lanes._lanes, held) == (0, 0, 0, {}, set())

    async def _read(self, env_id: int) -> bytes | None:
        return await self.database.read(read_content, env_id)


def hide(connection: Connection, table: str) -> None:
    """The table is gone, and with it everything that needs it, until `show`."""
    connection.execute(text(f"ALTER TABLE {table} RENAME TO hidden"))


def show(connection: Connection, table: str) -> None:
    connection.execute(text(f"ALTER TABLE hidden RENAME TO {table}"))


async def until(holds: Callable[[], bool]) -> None:
    """Lets the others run until it holds; fails after ten seconds."""
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110  what is waited for has no event of its own
            await asyncio.sleep(0)
