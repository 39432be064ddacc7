"""The commit is shielded from the client: who leaves after the dot has sent a message all the same."""

from __future__ import annotations

import asyncio

from tests.fakes.relay_process import MESSAGE, make_config, route_to
from tests.fakes.remote_mx import RemoteMx
from tests.fakes.smtp_front import Client
from tests.scenarios.conftest import StartRelay


async def up_to_the_content(client: Client) -> None:
    for command in ("MAIL FROM:<test@test.com>", "RCPT TO:<a@rcpt.test>", "DATA"):
        await client.ask(command)


async def test_a_message_is_stored_when_the_client_leaves_with_the_dot(start_relay: StartRelay) -> None:
    async with RemoteMx() as mx:
        relay = await start_relay(make_config(delivery=route_to(mx.port)))
        client = await relay.connect()
        await up_to_the_content(client)
        await client.send(MESSAGE + b".\r\n")
        client.writer.transport.abort()
        await relay.log("accepted")
        await relay.log("delivered")
        half = await relay.connect()
        await up_to_the_content(half)
        await half.send(MESSAGE)
        half.writer.transport.abort()
        await relay.until(lambda: relay.metrics()["directmail_smtp_sessions"] == 0, "both sessions are over")
    assert len(relay.logs("accepted")) == len(mx.taken) == 1


async def test_a_client_that_closes_its_side_after_the_dot_still_gets_its_250(start_relay: StartRelay) -> None:
    async with RemoteMx() as mx:
        relay = await start_relay(make_config(delivery=route_to(mx.port)))
        client = await relay.connect()
        await up_to_the_content(client)
        await client.send(MESSAGE + b".\r\n")
        client.writer.write_eof()
        reply = await client.reply()
        assert reply.startswith(b"250 Data Ok: queued as freedom ###envid=")
        assert await asyncio.wait_for(client.reader.read(), 5) == b""
        await relay.log("delivered")
