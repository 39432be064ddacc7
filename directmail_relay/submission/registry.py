"""Who is connected, and what is being stored for them: the limits on connections, and an orderly end to all of it.

One registry serves all listeners of a process. Nothing here speaks to a client but through its connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol, TypeVar

from directmail_relay.submission.connection_counts import ConnectionCounts

T = TypeVar("T")


class Session(Protocol):
    """What the registry asks of a connection."""

    task: asyncio.Task[None] | None

    def stop(self) -> None: ...


class Registry:
    """`max_connections` in all and `max_per_ip` of one client address, over all who share `counts`."""

    def __init__(
        self, max_connections: int = 10_000, max_per_ip: int = 200, counts: ConnectionCounts | None = None
    ) -> None:
        self.max_connections = max_connections
        self.max_per_ip = max_per_ip
        self.stopping = False
        self._counts = counts or ConnectionCounts()
        self._sessions: set[Session] = set()
        self._storing: set[asyncio.Future[Any]] = set()

    @property
    def connected(self) -> int:
        """How many sessions there are now."""
        return len(self._sessions)

    def admit(self, session: Session, client_ip: str) -> bool:
        """Whether there is room; who was admitted is released once."""
        counts = self._counts
        full = counts.total >= self.max_connections or counts.of(client_ip) >= self.max_per_ip
        if full or self.stopping:
            return False
        counts.enter(client_ip)
        self._sessions.add(session)
        return True

    def release(self, session: Session, client_ip: str) -> None:
        self._sessions.discard(session)
        self._counts.leave(client_ip)

    def keep(self, storing: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Runs it as a task that outlives the session, referenced until it ends (the loop alone holds tasks weakly)."""
        task = asyncio.ensure_future(storing)
        self._storing.add(task)
        task.add_done_callback(self._storing.discard)
        return task

    async def stop(self, grace: float) -> None:
        """Idle sessions get 421 now, the others when their transaction has ended; after `grace` seconds they are cut.

        What is being stored is waited for within the same time, and is never cancelled.
        """
        self.stopping = True
        deadline = asyncio.get_running_loop().time() + grace
        for session in list(self._sessions):
            session.stop()
        tasks = {session.task for session in self._sessions if session.task is not None}
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=grace)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        if self._storing:
            left = max(0.0, deadline - asyncio.get_running_loop().time())
            await asyncio.wait(self._storing, timeout=left)
