"""A worker's life in the database: its beat, its fence, and the watch over the other workers.

While the beat is in doubt nothing new may begin: another worker may have taken our rows over. Deaths are judged by
the observer's own monotonic clock, so a step of the wall clock, or a database that was away, kills nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import structlog

from directmail_relay.database.engine import Database
from directmail_relay.database.errors import TROUBLE
from directmail_relay.queue import claim as claims
from directmail_relay.queue.claim import Claim, ClaimLostError
from directmail_relay.queue.lease import end_life_and_duties

log = structlog.get_logger()

BEAT_SECONDS = 2.0
MAX_NAMED = 100  # env_ids in one log line
DEAD_AFTER_SECONDS = 30.0
# Well below the other: who stops to believe in itself must do so before anybody else does.
SURE_FOR_SECONDS = 15.0


@dataclass(slots=True)
class _Seen:
    epoch: int
    beat: int
    since: float


class Life:
    """One worker's claim and beat. `begin` before anything is claimed, `serve` for as long as it lives."""

    def __init__(
        self,
        database: Database,
        owner: int,
        monotonic: Callable[[], float],
        open_sessions: Callable[[], Mapping[str, int]] = dict,
    ) -> None:
        self._database = database
        self._owner = owner
        self._monotonic = monotonic
        self._open_sessions = open_sessions
        self._claim: Claim | None = None
        self._last_beat = float("-inf")
        self._others: dict[int, _Seen] = {}
        self._watched = float("-inf")

    @property
    def claim(self) -> Claim:
        if self._claim is None:
            raise RuntimeError("begin() comes first")
        return self._claim

    @property
    def is_sure(self) -> bool:
        """Whether nobody can have taken our rows over: the fence before DATA and before new claims."""
        return self._monotonic() - self._last_beat < SURE_FOR_SECONDS

    async def begin(self) -> int:
        """Starts a new life; frees what an earlier one still held. Returns how many recipients that were."""
        started = self._monotonic()
        self._claim, freed = await self._database.write(claims.begin_life_anew, self._owner)
        self._last_beat = started
        if freed:  # if one of them had reached its final dot, it is delivered twice: this is the trace of that
            env_ids = [str(env_id) for env_id in dict.fromkeys(env_id for env_id, _ in freed)]
            log.warning("claims_freed", owner=self._owner, recipients=len(freed), env_ids=env_ids[:MAX_NAMED])
        return len(freed)

    async def serve(self, on_beat: Callable[[], Awaitable[None]], on_lost: Callable[[], object]) -> None:
        """Beats until cancelled. `on_beat` runs after each beat that succeeded.

        `on_lost` runs when another worker has ended this life, before a new one begins.
        """
        while True:
            try:
                await self.beat()
                await on_beat()
            except ClaimLostError:
                log.error("claim_lost", owner=self._owner)
                self._last_beat = float("-inf")  # until the next life has begun: what we hold is another's
                on_lost()
                await self._begin_again()
            except TROUBLE as error:
                log.error("beat_failed", owner=self._owner, error=type(error).__name__, sure=self.is_sure)
            await asyncio.sleep(BEAT_SECONDS)

    async def _begin_again(self) -> None:
        try:
            await self.begin()
        except TROUBLE as error:
            log.error("beat_failed", owner=self._owner, error=type(error).__name__, sure=False)

    async def beat(self) -> None:
        """One beat, and a look at the others'. Raises ClaimLostError and what the database raises."""
        started = self._monotonic()  # the row was ours at some moment after this one
        await self._database.write(claims.beat, self.claim, self._open_sessions())
        self._last_beat = started
        await self._watch(await self._database.read(claims.read_beats))

    async def _watch(self, beats: Mapping[int, tuple[int, int]]) -> None:
        now = self._monotonic()
        if now - self._watched > SURE_FOR_SECONDS:
            # We could not look for a while, and perhaps they could not beat: everybody gets the whole time anew.
            self._others.clear()
        self._watched = now
        for owner, (epoch, beat) in beats.items():
            seen = self._others.get(owner)
            if seen is None or (seen.epoch, seen.beat) != (epoch, beat):
                self._others[owner] = _Seen(epoch, beat, now)
            elif owner != self._owner and now - seen.since > DEAD_AFTER_SECONDS:
                await self._bury(owner, seen)

    async def _bury(self, owner: int, seen: _Seen) -> None:
        freed = await self._database.write(claims.bury, owner, seen.epoch, seen.beat)
        if freed:
            log.warning("worker_buried", owner=owner, epoch=seen.epoch, recipients=freed)

    async def end(self) -> int:
        """Gives every claim and duty back. Returns how many recipients went back to the queue."""
        self._last_beat = float("-inf")
        return await self._database.write(end_life_and_duties, self.claim)
