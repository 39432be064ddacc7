"""A disk that takes no more octet: never a 250, and mail flows again as soon as there is room."""

from __future__ import annotations

import resource

from tests.fakes.relay_process import RelayProcess, make_config, route_to, submit
from tests.fakes.remote_mx import RemoteMx
from tests.scenarios.conftest import StartRelay

LARGE = b"From: test@test.com\r\nSubject: x\r\n\r\n" + b"0123456789abcdef\r\n" * 20_000


def limit_files(relay: RelayProcess, octets: int) -> None:
    """No file of the relay may grow beyond this; SQLite then meets the errors of a full disk."""
    _, hard = resource.prlimit(relay.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(relay.pid, resource.RLIMIT_FSIZE, (octets, hard))


async def test_a_full_disk_is_a_temporary_refusal_and_never_a_250(start_relay: StartRelay) -> None:
    async with RemoteMx() as mx:
        relay = await start_relay(make_config(delivery=route_to(mx.port)))
        client = await relay.connect()
        assert (await submit(client, "a@rcpt.test")).startswith(b"250 ")
        await relay.log("delivered")

        limit_files(relay, 100_000)
        for _ in range(3):
            assert (await submit(client, "a@rcpt.test", content=LARGE))[:3] in {b"451", b"452"}
        limit_files(relay, resource.RLIM_INFINITY)

        await relay.until(relay.is_ready, "the relay is ready again")
        assert (await submit(client, "a@rcpt.test", content=LARGE)).startswith(b"250 ")
        await relay.log("delivered", count=2)
        assert await relay.stop() == 0
    assert len(mx.taken) == 2
