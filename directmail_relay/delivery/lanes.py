"""The work in memory, by destination: what is ready, what is under way, and how much room is left.

A destination that is slow or dead fills its own lane and nobody else's: each has a ceiling, and sessions are given
out in turn among the lanes that wait. Batch mail never takes the last tenth of anything, so that trigger mail finds
room and a session however much batch mail there is. Knows no I/O and no clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from directmail_relay.delivery.parcel import Parcel, Work
from directmail_relay.mail.message import Kind

KEPT_FOR_TRIGGER = 10  # one part in so many


def share_of_batch(ceiling: int) -> int:
    """What batch mail may take of a ceiling; a ceiling too small to be parted is everybody's."""
    return ceiling - ceiling // KEPT_FOR_TRIGGER


@dataclass(frozen=True, slots=True)
class Ceilings:
    """`sessions` and `sessions_per_destination` of this worker; recipients and bytes held in memory."""

    sessions: int = 1_000
    sessions_per_destination: int = 20
    recipients: int = 10_000
    recipients_per_destination: int = 1_000
    size: int = 256 * 1024 * 1024


@dataclass(slots=True)
class Lane:
    """One destination: ready works by kind, sessions, and recipients held (ready or under way).

    `opening` are those of the sessions whose courier has not asked for its first work yet.
    """

    destination: str
    ready: dict[Kind, deque[Work]] = field(default_factory=lambda: {kind: deque() for kind in Kind})
    sessions: int = 0
    opening: int = 0
    held: int = 0

    def pop(self) -> Work | None:
        """The next work: trigger mail before batch mail."""
        for kind in (Kind.TRIGGER, Kind.BATCH):
            if self.ready[kind]:
                return self.ready[kind].popleft()
        return None

    @property
    def has_trigger(self) -> bool:
        return bool(self.ready[Kind.TRIGGER])

    @property
    def waiting(self) -> int:
        return sum(len(works) for works in self.ready.values())


class Lanes:
    """All lanes of one worker."""

    def __init__(self, ceilings: Ceilings) -> None:
        self.ceilings = ceilings
        self.held = 0
        self.bytes_held = 0
        self.sessions = 0
        self._lanes: dict[str, Lane] = {}
        # Lanes that wait for a session, in the order in which they came; first those that had trigger mail then.
        self._turns: dict[Kind, dict[str, None]] = {Kind.TRIGGER: {}, Kind.BATCH: {}}

    def get(self, destination: str) -> Lane:
        lane = self._lanes.get(destination)
        if lane is None:
            lane = self._lanes[destination] = Lane(destination)
        return lane

    def fits(self, size: int, kind: Kind) -> bool:
        """Whether there is room for a content of so many bytes."""
        return self.bytes_held + size <= _ceiling(self.ceilings.size, kind)

    def room(self, kind: Kind) -> int:
        """How many more recipients of that kind of mail may be held in all."""
        if self.bytes_held >= _ceiling(self.ceilings.size, kind):
            return 0
        return max(0, _ceiling(self.ceilings.recipients, kind) - self.held)

    def room_of(self, destination: str, kind: Kind) -> int:
        """How many more recipients of this destination may be held."""
        lane = self._lanes.get(destination)
        own = _ceiling(self.ceilings.recipients_per_destination, kind) - (lane.held if lane else 0)
        return max(0, min(own, _ceiling(self.ceilings.recipients, kind) - self.held))

    def offer(self, destinations: Sequence[str], kind: Kind) -> dict[str, int]:
        """Room for each of these, the first of them when it is short; all together never more than there is."""
        left = self.room(kind)
        share = max(1, left // max(1, len(destinations)))
        found: dict[str, int] = {}
        for destination in destinations:
            if room := min(self.room_of(destination, kind), share, left):
                found[destination] = room
                left -= room
        return found

    def reserve(self, destination: str, recipients: int) -> None:
        self.get(destination).held += recipients
        self.held += recipients

    def unreserve(self, destination: str, recipients: int) -> None:
        lane = self.get(destination)
        lane.held -= recipients
        self.held -= recipients
        self._forget_if_empty(lane)

    def add(self, work: Work) -> None:
        """Puts a work whose recipients are reserved at the end of its lane."""
        parcel = work.parcel
        if parcel.open_works == 0:
            self.bytes_held += parcel.bytes_held
        parcel.open_works += 1
        self.get(work.destination).ready[parcel.message.kind].append(work)

    def end(self, work: Work) -> None:
        """The work is over, however it ended: its room is free."""
        self.release(work.parcel)
        self.unreserve(work.destination, len(work.recipients))

    def release(self, parcel: Parcel) -> None:
        parcel.open_works -= 1
        if parcel.open_works == 0:
            self.bytes_held -= parcel.bytes_held

    def wants_session(self, lane: Lane) -> bool:
        """Whether one more session would have something to do: each is worth a ready work that no other comes for."""
        return lane.waiting > lane.opening and lane.sessions < self.ceilings.sessions_per_destination

    def open_session(self, lane: Lane) -> bool:
        """Takes one of the sessions for this lane; False when all are taken (then the lane waits its turn)."""
        kind = Kind.TRIGGER if lane.has_trigger else Kind.BATCH
        if self.sessions >= _ceiling(self.ceilings.sessions, kind):
            self._turns[kind][lane.destination] = None
            return False
        for turn in self._turns.values():
            turn.pop(lane.destination, None)
        self.sessions += 1
        lane.sessions += 1
        lane.opening += 1
        return True

    def next_work(self, lane: Lane) -> Work | None:
        """What a session of the lane does next; nothing when it is one of those that are kept for trigger mail."""
        if not lane.has_trigger and self.sessions > _ceiling(self.ceilings.sessions, Kind.BATCH):
            return None
        return lane.pop()

    def close_session(self, lane: Lane) -> Lane | None:
        """Gives a session back; the answer is the lane whose turn it is, if any waits."""
        self.sessions -= 1
        lane.sessions -= 1
        self._forget_if_empty(lane)
        for turn in self._turns.values():  # it had its turn; if it wants another it asks behind the others
            turn.pop(lane.destination, None)
        return self._next_turn(Kind.TRIGGER) or self._next_turn(Kind.BATCH)

    def _next_turn(self, kind: Kind) -> Lane | None:
        turn = self._turns[kind]
        while turn and self.sessions < _ceiling(self.ceilings.sessions, kind):
            destination = next(iter(turn))
            del turn[destination]
            waiting = self._lanes.get(destination)
            if waiting is None or not self.wants_session(waiting):
                continue
            if kind is Kind.BATCH or waiting.has_trigger:
                return waiting
            self._turns[Kind.BATCH][destination] = None  # another session took its trigger mail meanwhile
        return None

    def others_wait(self, lane: Lane) -> bool:
        """Whether a lane but this one waits for a session, and may have that which this one would give up."""
        return any(
            len(turn) > (lane.destination in turn) and self.sessions <= _ceiling(self.ceilings.sessions, kind)
            for kind, turn in self._turns.items()
        )

    def take_out(self, keys: set[tuple[int, int]]) -> set[tuple[int, int]]:
        """Removes these recipients (env_id, index) as far as their work has not begun; answers which those were."""
        taken: set[tuple[int, int]] = set()
        for lane in list(self._lanes.values()):
            for kind, works in lane.ready.items():
                touched = [work for work in works if any((one.env_id, one.index) in keys for one in work.recipients)]
                if touched:
                    lane.ready[kind] = deque(self._reduce(works, keys, taken))
        for lane in list(self._lanes.values()):
            self._forget_if_empty(lane)
        return taken

    def _reduce(self, works: deque[Work], keys: set[tuple[int, int]], taken: set[tuple[int, int]]) -> list[Work]:
        kept: list[Work] = []
        for work in works:
            gone = {(one.env_id, one.index) for one in work.recipients} & keys
            taken |= gone
            left = work.without(keys)
            if left is None:
                self.release(work.parcel)
            else:
                kept.append(left)
            lane = self.get(work.destination)
            lane.held -= len(gone)
            self.held -= len(gone)
        return kept

    def clear(self) -> list[Work]:
        """Takes out every work that has not begun."""
        works = [work for lane in self._lanes.values() for ready in lane.ready.values() for work in ready]
        for lane in list(self._lanes.values()):
            for ready in lane.ready.values():
                ready.clear()
        for work in works:
            self.end(work)
        return works

    def open_sessions(self) -> dict[str, int]:
        """Sessions by destination, for `queue stats`."""
        return {name: lane.sessions for name, lane in self._lanes.items() if lane.sessions}

    def _forget_if_empty(self, lane: Lane) -> None:
        if not lane.held and not lane.sessions and not lane.waiting:
            self._lanes.pop(lane.destination, None)


def _ceiling(ceiling: int, kind: Kind) -> int:
    return ceiling if kind is Kind.TRIGGER else share_of_batch(ceiling)
