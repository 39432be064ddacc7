from __future__ import annotations

import asyncio

from tests.fakes.relay_process import RelayProcess, make_config, route_to, submit
from tests.fakes.remote_mx import RemoteMx
from tests.fakes.smtp_front import Client
from tests.scenarios.conftest import StartRelay

SENDERS = 200
LIMIT = 313


async def send_two_messages(client: Client) -> tuple[int, list[bytes]]:
    """To two recipients and to one; how many recipients were taken, and what the refusals said."""
    taken, refusals = 0, list[bytes]()
    for rcpt_to in (("a@rcpt.test", "b@rcpt.test"), ("c@rcpt.test",)):
        reply = await submit(client, *rcpt_to)
        if reply.startswith(b"250"):
            taken += len(rcpt_to)
        else:
            refusals.append(reply)
    return taken, refusals


async def connect_all(relay: RelayProcess) -> list[Client]:
    first = await relay.connect()
    return [first, *await asyncio.gather(*(relay.connect() for _ in range(SENDERS - 1)))]


async def test_a_daily_quota_is_exact_under_200_senders_at_once(
    start_relay: StartRelay, storage: dict[str, str]
) -> None:
    async with RemoteMx() as mx:
        config = make_config(workers=2, database=storage, delivery=route_to(mx.port))
        config["smtp"]["max_connections_per_ip"] = 1000
        config["accounts"][0]["daily_quota"] = LIMIT
        relay = await start_relay(config)
        clients = await connect_all(relay)
        results = await asyncio.gather(*(send_two_messages(client) for client in clients))
    assert sum(taken for taken, _ in results) == LIMIT
    assert {reply for _, refusals in results for reply in refusals} == {b"552 Daily sending quota exceeded\r\n"}
