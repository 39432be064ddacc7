"""One listening socket: a session for each client that connects, until it is stopped.

The socket is bound already, since the parent process opens it for all workers (workers/sockets.py).
"""

from __future__ import annotations

import asyncio
import socket

from directmail_relay.submission.door import Parts
from directmail_relay.submission.registry import Registry
from directmail_relay.submission.session import SubmissionSession
from directmail_relay.submission.settings import SessionSettings

# Also how many connections one worker takes at once when many wait: the other workers want theirs.
BACKLOG = 256


class Listener:
    """`settings` may be replaced while it runs (a new certificate, new limits): new connections go by the new ones."""

    def __init__(self, sock: socket.socket, settings: SessionSettings, parts: Parts, registry: Registry) -> None:
        self.socket = sock
        self.settings = settings
        self.parts = parts
        self.registry = registry
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Begins to accept. The socket belongs to the listener from now on."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._new_session, sock=self.socket, backlog=BACKLOG)

    def close(self) -> None:
        """Accepts no more; sessions go on until `Registry.stop`."""
        if self._server is not None:
            self._server.close()

    def _new_session(self) -> SubmissionSession:
        return SubmissionSession(self.settings, self.parts, self.registry)


async def stop_listeners(listeners: list[Listener], registry: Registry, grace: float) -> None:
    """Stop accepting, send idle sessions away, let transactions finish for at most `grace` seconds, cut the rest."""
    for listener in listeners:
        listener.close()
    await registry.stop(grace)
