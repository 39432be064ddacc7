"""`kill -9`, of everything and of one worker: what had its 250 is delivered, and nothing twice."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter

from tests.fakes.relay_process import make_config, route_to, submit
from tests.fakes.remote_mx import Peer, RemoteMx, Script
from tests.scenarios.conftest import StartRelay

MESSAGES = 20


def subjects(mx: RemoteMx) -> Counter[str]:
    """How often each message came, by its Subject."""
    lines = [line for taken in mx.taken for line in taken.content.split(b"\r\n") if line.startswith(b"Subject: ")]
    return Counter(line.decode().removeprefix("Subject: ") for line in lines)


def numbered(number: int) -> bytes:
    return b"From: test@test.com\r\nSubject: %d\r\n\r\nHello\r\n" % number


def gate(opened: asyncio.Event) -> Script:
    """A host that greets nobody before it is opened."""

    async def greet(peer: Peer) -> None:
        await opened.wait()
        await peer.send(b"220 mx.test ESMTP\r\n")

    return Script({"GREETING": greet})


async def test_what_had_its_250_is_delivered_once_after_a_power_cut(
    start_relay: StartRelay, storage: dict[str, str]
) -> None:
    opened = asyncio.Event()
    async with RemoteMx(gate(opened)) as mx:
        relay = await start_relay(make_config(database=storage, delivery=route_to(mx.port)))
        client = await relay.connect()
        for number in range(MESSAGES):
            await relay.send(f"user{number}@rcpt{number % 3}.test", content=numbered(number), client=client)
        relay.kill()
        opened.set()
        await relay.start()
        await relay.log("delivered", count=MESSAGES)
        assert await relay.stop() == 0
    assert subjects(mx) == Counter(str(number) for number in range(MESSAGES))
    assert [line["freed"] for line in relay.logs("worker_ready")] == [0, MESSAGES]


async def test_a_worker_that_is_killed_is_replaced_and_loses_nothing(
    start_relay: StartRelay, storage: dict[str, str]
) -> None:
    opened = asyncio.Event()
    async with RemoteMx(gate(opened)) as mx:
        relay = await start_relay(make_config(workers=2, database=storage, delivery=route_to(mx.port)))
        clients = [await relay.connect() for _ in range(MESSAGES)]
        replies = await asyncio.gather(
            *(submit(one, "user@rcpt.test", content=numbered(number)) for number, one in enumerate(clients))
        )
        assert all(reply.startswith(b"250 ") for reply in replies)
        before = relay.metrics()
        killed, survivor = relay.worker_pids().values()
        os.kill(killed, signal.SIGKILL)
        opened.set()
        await relay.log("worker_died")
        await relay.log("worker_started", count=3)
        await relay.until(lambda: sum(subjects(mx).values()) >= MESSAGES, "all are delivered")
        after = relay.metrics()
        assert await relay.stop() == 0

    assert subjects(mx) == Counter(str(number) for number in range(MESSAGES))
    assert survivor in relay.worker_pids().values()
    counters = {name for name in before if "_total" in name}
    assert before["directmail_accepted_total"] == MESSAGES
    assert {name for name in counters if after[name] < before[name]} == set()
