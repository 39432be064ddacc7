"""env_id: the number of a message, ordered by time and unique without asking anybody (docs/design.md).

63 bits: 41 of milliseconds since 2020-01-01 (enough until 2089), 10 node, 5 worker, 7 sequence. A step back of
the clock may make a number that exists: the primary key refuses it and the caller makes another.
"""

from __future__ import annotations

from collections.abc import Callable

EPOCH_MS = 1_577_836_800_000  # 2020-01-01T00:00:00Z
WORKERS_PER_NODE = 32
NODES = 1024
_SEQUENCES = 128
_MILLISECONDS = 1 << 41


def owner_id(node: int, worker: int) -> int:
    """The number of a worker in the whole installation."""
    if not (0 <= node < NODES and 0 <= worker < WORKERS_PER_NODE):
        raise ValueError(f"node must be 0-{NODES - 1} and worker 0-{WORKERS_PER_NODE - 1}, not {node} and {worker}")
    return node * WORKERS_PER_NODE + worker


class EnvIds:
    """Makes env_ids for one worker. `clock` gives POSIX seconds."""

    def __init__(self, owner: int, clock: Callable[[], float]) -> None:
        self._owner = owner
        self._clock = clock
        self._last_ms = 0
        self._sequence = 0

    def make(self) -> int:
        """A number larger than all this object made before; runs ahead of the clock rather than repeat one."""
        now = int(self._clock() * 1000) - EPOCH_MS
        if now > self._last_ms:
            self._last_ms, self._sequence = now, 0
        else:
            self._sequence += 1
            if self._sequence == _SEQUENCES:
                self._last_ms, self._sequence = self._last_ms + 1, 0
        return ((self._last_ms % _MILLISECONDS) << 22) | (self._owner << 7) | self._sequence


def first_env_id(seconds: float) -> int:
    """The smallest env_id that a message of that time can have."""
    return max(0, int(seconds * 1000) - EPOCH_MS) << 22


def seconds_of(env_id: int) -> float:
    """When a message with this env_id was accepted, in POSIX seconds."""
    return ((env_id >> 22) + EPOCH_MS) / 1000
