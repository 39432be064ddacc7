"""SIGTERM: what was accepted stays, what is under way finishes, and it is over within 30 seconds."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.fakes.relay_process import RelayProcess, make_config, route_to, submit
from tests.fakes.remote_mx import Peer, RemoteMx, Script
from tests.scenarios.conftest import StartRelay
from tests.scenarios.test_killed_after_250_still_delivers import numbered, subjects

SENDERS = 12


async def send_until_it_stops(relay: RelayProcess, sender: int, acknowledged: set[str]) -> None:
    """One message after the other; remembers those that had their 250."""
    client = await relay.connect()
    for number in range(sender * 10_000, sender * 10_000 + 10_000):
        try:
            reply = await submit(client, "user@rcpt.test", content=numbered(number))
        except ConnectionError:
            return
        if not reply.startswith(b"250"):
            return
        acknowledged.add(str(number))


@pytest.mark.parametrize("workers", [1, 2])
async def test_under_load_no_acknowledged_message_is_lost_and_none_comes_twice(
    start_relay: StartRelay, workers: int
) -> None:
    acknowledged: set[str] = set()
    async with RemoteMx() as mx:
        relay = await start_relay(make_config(workers=workers, delivery=route_to(mx.port)))
        async with asyncio.TaskGroup() as senders:
            for sender in range(SENDERS):
                senders.create_task(send_until_it_stops(relay, sender, acknowledged))
            await relay.until(lambda: len(acknowledged) > 100, "there is load")
            began = time.monotonic()
            assert await relay.stop() == 0
            assert time.monotonic() - began < 30
        await relay.start()
        await relay.until(lambda: acknowledged <= set(subjects(mx)), "all are delivered")
        assert await relay.stop() == 0
    assert not [subject for subject, times in subjects(mx).items() if times > 1]


async def test_a_delivery_that_waits_for_its_last_reply_gets_it(start_relay: StartRelay) -> None:
    dot, answer = asyncio.Event(), asyncio.Event()

    async def think(peer: Peer) -> None:
        dot.set()
        await answer.wait()
        await peer.send(b"250 2.0.0 Queued\r\n")

    async with RemoteMx(Script({"END": think})) as mx:
        relay = await start_relay(make_config(delivery=route_to(mx.port)))
        env_id = await relay.send("user@rcpt.test")
        await dot.wait()
        stop = asyncio.create_task(relay.stop())
        await relay.log("stopping")
        answer.set()
        assert await stop == 0
    assert len(relay.logs("delivered", env_id=env_id)) == 1
    assert relay.logs("worker_stopped")[0]["given_back"] == 0


async def test_a_stopping_relay_begins_no_content_and_the_next_one_delivers(start_relay: StartRelay) -> None:
    named, answer = asyncio.Event(), asyncio.Event()

    async def think(peer: Peer) -> None:
        named.set()
        await answer.wait()
        await peer.send(b"250 2.1.5 Ok\r\n")

    async with RemoteMx(Script({"RCPT": think})) as mx:
        relay = await start_relay(make_config(delivery=route_to(mx.port)))
        env_id = await relay.send("user@rcpt.test")
        await named.wait()
        stop = asyncio.create_task(relay.stop())
        await relay.log("stopping")
        await relay.until(lambda: not relay.logs("worker_stopped"), "it waits for the host")
        answer.set()
        assert await stop == 0
        assert mx.taken == []
        await relay.start()
        (delivered,) = await relay.log("delivered", env_id=env_id)
        assert delivered["attempts"] == 1
    assert len(mx.taken) == 1
