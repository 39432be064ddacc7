"""The mail host of sandbox.test: listens on loopback and keeps what it takes, the latest thousand messages.

One task a connection; a client's mistake or absence ends that connection alone.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Self

from directmail_relay.sandbox.mailboxes import GREYLIST_SECONDS, Greylist
from directmail_relay.sandbox.mx_session import Host, MxSession, TakenMessage

__all__ = ["MxHost", "TakenMessage"]

KEPT = 1000
LINE_LIMIT = 256 * 1024  # octets: content lines are taken whole


class MxHost:
    """`async with MxHost(name, tls) as host`: then it listens on 127.0.0.1, `host.port`.

    `monotonic` and `pause` are in seconds.
    """

    def __init__(
        self,
        name: str,
        tls: ssl.SSLContext,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.taken: deque[TakenMessage] = deque(maxlen=KEPT)
        self.port = 0
        self._host = Host(name, tls, Greylist(GREYLIST_SECONDS, monotonic), self.taken.append, pause)
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._begin, "127.0.0.1", 0, limit=LINE_LIMIT)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(MxSession(self._host, reader, writer).serve())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
