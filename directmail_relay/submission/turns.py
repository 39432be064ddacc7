"""A place in the verification pool, given to the waiting clients in rotation, one each.

So whoever sends five hundred logins at once waits for himself, and a client with one waits for one of each other
client at most. Belongs to one event loop; never holds more waiting logins than it was told.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque


class LineFullError(Exception):
    """Too many wait already; nothing was started."""


class FairTurns:
    """`places` at once. `max_waiting` in all; when they are full, the client with the most gives one up."""

    def __init__(self, places: int, *, max_waiting: int, max_waiting_per_client: int) -> None:
        self._free = places
        self._max_waiting = max_waiting
        self._max_waiting_per_client = max_waiting_per_client
        self._waiting = 0
        # In the order in which they are served next.
        self._lines: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    async def wait(self, client: str) -> None:
        """Returns with a place, which must be given back by `leave`. Raises LineFullError."""
        if self._free:  # then nobody waits: `leave` hands on each place while anybody does
            self._free -= 1
            return
        self._make_room(client)
        turn = asyncio.get_running_loop().create_future()
        self._lines.setdefault(client, deque()).append(turn)
        self._waiting += 1
        try:
            await turn
        except asyncio.CancelledError:
            # The race of every semaphore: the place was given in the same moment, and nobody is there to take it.
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.leave()
            raise

    def leave(self) -> None:
        """Gives the place back, to the next that waits."""
        self._free += 1
        while self._free and self._waiting:
            turn = self._pop_next()
            if not turn.done():  # done: its client has left
                self._free -= 1
                turn.set_result(None)

    def _pop_next(self) -> asyncio.Future[None]:
        client, line = self._lines.popitem(last=False)
        turn = line.popleft()
        if line:
            self._lines[client] = line
        self._waiting -= 1
        return turn

    def _make_room(self, client: str) -> None:
        own = len(self._lines.get(client, ()))
        if own >= self._max_waiting_per_client:
            raise LineFullError
        if self._waiting < self._max_waiting:
            return
        longest = max(self._lines.values(), key=len)
        if len(longest) <= own + 1:
            raise LineFullError
        self._waiting -= 1
        turn = longest.pop()
        if not turn.done():
            turn.set_exception(LineFullError())
