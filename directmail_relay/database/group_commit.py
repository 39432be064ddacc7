"""Group commit: what waits together is committed together, in one transaction with one synchronised write.

While one group is being committed the next one gathers, so a quiet system waits for nobody and a busy one pays for
one commit per group. Results are per item: a bad item fails alone and never takes its neighbours with it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from sqlalchemy import Connection

from directmail_relay.database.engine import Database
from directmail_relay.database.errors import is_about_the_database

Item = TypeVar("Item")
Result = TypeVar("Result")


class GroupCommit(Generic[Item, Result]):
    """Takes items one by one; `fn(connection, items)` stores a group and answers with one result an item, in order."""

    def __init__(
        self,
        database: Database,
        fn: Callable[[Connection, Sequence[Item]], Sequence[Result]],
        *,
        max_items: int = 100,
        max_bytes: int = 16 * 1024 * 1024,
        size_of: Callable[[Item], int] = lambda _item: 0,
    ) -> None:
        self._database = database
        self._fn = fn
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._size_of = size_of
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._lanes: set[asyncio.Task[None]] = set()

    async def submit(self, item: Item) -> Result:
        """The item's own result, after the commit; or the error that kept this item from being stored.

        Who cancels the wait does not cancel the write: the item is stored all the same.
        """
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        # Not len(): a lane that has just seen an empty queue stays in the set until its callback runs, and who
        # counted on it would wait for ever.
        if sum(not lane.done() for lane in self._lanes) < self._database.write_lanes:
            lane = asyncio.create_task(self._run_lane())
            self._lanes.add(lane)
            lane.add_done_callback(self._lanes.discard)
        return await asyncio.shield(future)

    async def drain(self) -> None:
        """Waits until everything submitted so far has its result."""
        while self._lanes:
            await asyncio.wait(set(self._lanes))

    async def _run_lane(self) -> None:
        while self._waiting:
            group = self._next_group()
            try:
                await self._commit(group)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer to these items
                _fail(group, error)

    def _next_group(self) -> list[tuple[Item, asyncio.Future[Result]]]:
        group = [self._waiting.popleft()]
        size = self._size_of(group[0][0])
        while self._waiting and len(group) < self._max_items:
            size += self._size_of(self._waiting[0][0])
            if size > self._max_bytes:
                break
            group.append(self._waiting.popleft())
        return group

    async def _commit(self, group: list[tuple[Item, asyncio.Future[Result]]]) -> None:
        try:
            results = await self._database.write(self._fn, [item for item, _ in group])
        except Exception as error:
            if len(group) == 1 or is_about_the_database(error):
                raise
            for pair in group:
                await self._commit_alone(pair)
            return
        for (_, future), result in zip(group, results, strict=True):
            if not future.done():
                future.set_result(result)

    async def _commit_alone(self, pair: tuple[Item, asyncio.Future[Result]]) -> None:
        try:
            await self._commit([pair])
        except Exception as error:  # noqa: BLE001 - the answer to this item, not to its neighbours
            _fail([pair], error)


def _fail(group: list[tuple[Item, asyncio.Future[Result]]], error: Exception) -> None:
    for _, future in group:
        if not future.done():
            future.set_exception(error)
