"""Claims what is due, destination by destination, never more than the lanes have room for; obeys the operators.

What is due is found in turn over all destinations, so one with a hundred thousand waiting costs the others nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import structlog

from directmail_relay.database.engine import Database
from directmail_relay.database.errors import TROUBLE
from directmail_relay.delivery.dispatcher import Dispatcher
from directmail_relay.delivery.life import Life
from directmail_relay.delivery.settler import Held, Settler
from directmail_relay.mail.message import Kind, Recipient
from directmail_relay.queue.claim import Claim, give_back, read_claimed_keys, read_wanted
from directmail_relay.queue.due import Due, claim_due, next_due_at, read_claimed, walk_destinations

log = structlog.get_logger()

POLL_SECONDS = 1.0  # another worker, or a command, may make something due without telling us
WALK = 200  # destinations looked at in one round


class Claimer:
    """The reading half of one worker's way out. `clock` gives POSIX seconds."""

    def __init__(
        self, database: Database, life: Life, dispatcher: Dispatcher, settler: Settler, clock: Callable[[], float]
    ) -> None:
        self._database = database
        self._life = life
        self._dispatcher = dispatcher
        self._settler = settler
        self._clock = clock
        self._after = dict.fromkeys(Kind, "")
        self._next_due: float | None = None
        self._woken = asyncio.Event()
        settler.next_due = self.note_due

    def note_due(self, when: float) -> None:
        """Something will be due at `when`: the next round comes no later."""
        if self._next_due is None or when < self._next_due:
            self._next_due = when
            self._woken.set()

    async def serve(self) -> None:
        """Claims until cancelled."""
        while True:
            try:
                more = await self.claim_round()
            except TROUBLE as error:
                log.error("claim_failed", error=type(error).__name__)
                self._dispatcher.in_doubt = True  # what was lost may have been the answer to a commit
                more = False
            if not more:
                await self._sleep()

    async def claim_round(self) -> bool:
        """Takes what is due now, as far as there is room. Whether another round may find more at once."""
        # What was noted is past or read anew. Left standing, it would make each pause until the next round empty.
        now, self._next_due = self._clock(), None
        if self._dispatcher.stopping or not self._life.is_sure:
            return False
        if self._dispatcher.in_doubt:
            await self._free_what_nobody_holds()
        earliest = await self._database.read(next_due_at)
        if earliest is None:
            return False
        if earliest > now:
            self.note_due(earliest)
            return False
        taken = [await self._claim_kind(kind, now) for kind in (Kind.TRIGGER, Kind.BATCH)]
        return any(taken)

    async def on_beat(self) -> None:
        """After each beat: what operators want of rows that we hold."""
        claim = self._life.claim
        wanted = await self._database.read(read_wanted, claim)
        dropping = [key for key, what in wanted.items() if what == "drop"]
        # Read before anything is taken out of the lanes: what is out and not written down would be nobody's.
        found = await self._database.read(read_claimed, claim, dropping) if dropping else []
        taken = self._dispatcher.obey(wanted)
        if held := [key for key in taken if wanted[key] == "hold"]:
            self._settler.give_back(claim, held)
        for due in found:
            if (due.recipient.env_id, due.recipient.index) in taken:
                self._settler.drop(Held(due.message, due.recipient, claim))

    async def _free_what_nobody_holds(self) -> None:
        """A row that is claimed by us but not in our hands is never due. In turn with claiming, never beside it."""
        self._dispatcher.in_doubt = False
        claim = self._life.claim
        claimed = await self._database.read(read_claimed_keys, claim)
        lost = [key for key in claimed if not self._dispatcher.holds(key)]
        if lost:
            log.warning("stray_claims_freed", recipients=len(lost))
            await self._database.write(give_back, claim, lost)

    async def _claim_kind(self, kind: Kind, now: float) -> bool:
        lanes = self._dispatcher.lanes
        found = await self._database.read(walk_destinations, kind, self._after[kind], WALK)
        total, room = lanes.room(kind), lanes.offer(found, kind)
        if sum(room.values()) < total:
            self._after[kind] = found[-1] if len(found) == WALK else ""
        else:  # not enough for all of them: the next walk begins behind the last that had some
            self._after[kind] = next(reversed(room), self._after[kind])
        if not room:
            return False
        claim = self._life.claim
        claimed = await self._database.write(claim_due, claim, kind, room, now)
        for group in _by_message(claimed):
            self._hand_over(group, claim)
        # With nothing claimed but the walk not at its end, what is due stands further on.
        return bool(claimed) or bool(self._after[kind])

    def _hand_over(self, group: list[Due], claim: Claim) -> None:
        message = group[0].message
        mine: list[Recipient] = []
        for due in group:
            if due.wanted == "drop":
                self._settler.drop(Held(message, due.recipient, claim))
            else:
                self._dispatcher.hold(due.recipient)
                mine.append(due.recipient)
        self._dispatcher.take(message, tuple(mine), None, claim)

    async def _sleep(self) -> None:
        left = POLL_SECONDS if self._next_due is None else self._next_due - self._clock()
        self._woken.clear()
        try:
            async with asyncio.timeout(min(POLL_SECONDS, max(0.0, left))):
                await self._woken.wait()
        except TimeoutError:
            return


def _by_message(claimed: Iterable[Due]) -> Iterable[list[Due]]:
    groups: dict[int, list[Due]] = {}
    for due in claimed:
        groups.setdefault(due.message.env_id, []).append(due)
    return groups.values()
