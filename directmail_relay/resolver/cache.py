"""A cache of DNS answers that asks each question once, however many want to know (single flight).

An answer is kept for its own time to live within the given limits; the oldest go when there are too many. A question
under way belongs to nobody: an asker that is cancelled leaves it running for the others.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Aged(Generic[Value]):
    """An answer and how long it may be kept, in seconds."""

    value: Value
    ttl: float


class Cache(Generic[Key, Value]):
    """`ask` fetches what is not known. `monotonic` is the clock, in seconds; `capacity` counts answers."""

    def __init__(
        self, fetch: Callable[[Key], Awaitable[Aged[Value]]], *, capacity: int, monotonic: Callable[[], float]
    ) -> None:
        self._fetch = fetch
        self._capacity = capacity
        self._monotonic = monotonic
        self._known: OrderedDict[Key, tuple[float, Value]] = OrderedDict()
        self._flights: dict[Key, asyncio.Task[Value]] = {}

    async def ask(self, key: Key) -> Value:
        """The answer, from memory or fetched. Raises what `fetch` raises."""
        known = self._known.get(key)
        if known is not None and self._monotonic() < known[0]:
            self._known.move_to_end(key)
            return known[1]
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = asyncio.create_task(self._fly(key))
        # shield: our caller's timeout or cancellation must not take the answer away from the others.
        return await asyncio.shield(flight)

    async def close(self) -> None:
        """Gives up the questions under way; who still waits for them is cancelled."""
        flights = list(self._flights.values())
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)

    async def _fly(self, key: Key) -> Value:
        try:
            aged = await self._fetch(key)
        finally:
            del self._flights[key]
        if aged.ttl > 0:
            self._keep(key, aged)
        return aged.value

    def _keep(self, key: Key, aged: Aged[Value]) -> None:
        self._known[key] = (self._monotonic() + aged.ttl, aged.value)
        self._known.move_to_end(key)
        while len(self._known) > self._capacity:
            self._known.popitem(last=False)
