"""Waiting for a client, never longer than until a deadline, and the ways in which that can end a conversation.

A wait ends by a wake, never by cancelling the task: whatever a session has begun for a client, it finishes.
"""

from __future__ import annotations

import asyncio


class WireError(Exception):
    """The conversation is over; which of them it is says why."""


class HangUpError(WireError):
    """The client has closed its side, or the connection is gone."""


class DeadlineError(WireError):
    """The client was too slow. Not TimeoutError: that may come from a database, and then says nothing of the client."""


class InterruptedWaitError(WireError):
    """`interrupt` was called: the server is stopping."""


class Patience:
    """One waiter at a time. A wake without one is forgotten, so who waits looks again at what it waits for."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiter: asyncio.Future[None] | None = None

    async def wait(self, deadline: float) -> None:
        """Until `wake`, or DeadlineError at that moment of the loop's clock."""
        self._waiter = waiter = self._loop.create_future()
        timer = self._loop.call_at(deadline, _expire, waiter)
        try:
            await waiter
        finally:
            timer.cancel()
            self._waiter = None

    def wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def _expire(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_exception(DeadlineError())
