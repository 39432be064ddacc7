"""`queue list|show|stats|retry|hold|release|drop` on a running relay."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.fakes.relay_process import RelayProcess, make_config, route_to
from tests.fakes.remote_mx import Peer, RemoteMx, Script
from tests.scenarios.conftest import StartRelay

LATER = {"retry": {"schedule": ["1h"], "lifetime": "3d"}}


async def state_of(relay: RelayProcess, env_id: str) -> tuple[str, Any]:
    (recipient,) = (await relay.queue("show", env_id))["recipients"]
    return recipient["state"], recipient["status"]


async def test_what_waits_can_be_listed_held_released_retried_and_dropped(
    start_relay: StartRelay, storage: dict[str, str]
) -> None:
    script = Script({"RCPT": ["450 4.2.0 Try again later", "250 2.1.5 Ok"]})
    async with RemoteMx(script) as mx:
        relay = await start_relay(make_config(database=storage, delivery={**route_to(mx.port), **LATER}))
        env_id = await relay.send("a@rcpt.test")
        await relay.log("deferred")

        (listed,) = await relay.queue("list")
        assert (listed["env_id"], listed["rcpt"], listed["account"]) == (env_id, "a@rcpt.test", "shop")
        assert (listed["state"], listed["attempts"], listed["destination"]) == ("queued", 1, "rcpt.test")
        stats = await relay.queue("stats")
        assert stats["recipients"]["queued"] == 1
        assert stats["destinations"][0]["destination"] == "rcpt.test"

        await relay.queue("hold", env_id)
        assert await state_of(relay, env_id) == ("held", None)
        await relay.queue("release", env_id)
        await relay.log("delivered", env_id=env_id)

        mx.script.answers["RCPT"] = "450 4.2.0 Try again later"
        dropped = await relay.send("b@rcpt.test")
        await relay.log("deferred", count=2)
        await relay.queue("drop", dropped)
        assert await state_of(relay, dropped) == ("failed", 4)

        retried = await relay.send("c@rcpt.test")
        await relay.log("deferred", count=3)
        mx.script.answers["RCPT"] = "250 2.1.5 Ok"
        await relay.queue("retry", "--rcpt", "c@rcpt.test")
        await relay.log("delivered", env_id=retried, seconds=10)


async def test_orders_for_rows_in_a_worker_s_hands_are_obeyed_within_10_seconds(start_relay: StartRelay) -> None:
    greeted = asyncio.Event()

    async def greet(peer: Peer) -> None:
        await greeted.wait()
        await peer.send(b"220 mx.test ESMTP\r\n")

    async with RemoteMx(Script({"GREETING": greet})) as mx:
        delivery = {**route_to(mx.port), "sessions_per_destination": 1}
        relay = await start_relay(make_config(delivery=delivery))
        client = await relay.connect()
        first, held, dropped = [
            await relay.send(f"user{number}@rcpt.test", client=client) for number in range(3)
        ]  # the first occupies the only session; the others wait in memory
        await relay.queue("hold", held)
        await relay.queue("drop", dropped)
        await relay.log("dropped", env_id=dropped, seconds=10)
        await relay.until(
            lambda: relay.metrics().get('directmail_queue_recipients{state="held"}') == 1, "it is held", 10
        )
        greeted.set()
        await relay.log("delivered", env_id=first)
        assert await state_of(relay, held) == ("held", None)
        await relay.queue("release", held)
        await relay.log("delivered", env_id=held)
    assert len(mx.taken) == 2
