"""How many connections are open, in all and by client address, over all workers of the node.

Clients are not spread evenly over the workers, so a limit cut into shares would refuse the 120th of 200. Each worker
keeps its own row of counters in shared memory and reads the sum of all rows: no locks, and a row belongs to one
writer. Addresses share a counter when their keyed hashes meet, which is rare and cannot be aimed at.
"""

from __future__ import annotations

import hashlib
import mmap
import secrets
import struct

SLOTS = 32_768
_TOTAL = SLOTS  # the last counter of a row is that of all addresses
_COUNTER = struct.Struct("<i")
_ROW_SIZE = (SLOTS + 1) * _COUNTER.size


def table_size(workers: int) -> int:
    """The bytes of a table for so many workers; the system gives memory only to pages that are used."""
    return _ROW_SIZE * workers


def clear_row(table: mmap.mmap, worker: int) -> None:
    """Forgets what a dead worker had open. For its parent, before the successor starts."""
    table[worker * _ROW_SIZE : (worker + 1) * _ROW_SIZE] = bytes(_ROW_SIZE)


class ConnectionCounts:
    """The counters as worker `worker` sees them; without a table, those of one process alone."""

    def __init__(
        self, worker: int = 0, workers: int = 1, key: bytes | None = None, table: mmap.mmap | None = None
    ) -> None:
        self._key = secrets.token_bytes(32) if key is None else key
        self._table = memoryview(bytearray(table_size(workers)) if table is None else table)
        self._own = worker * _ROW_SIZE
        self._rows = [number * _ROW_SIZE for number in range(workers)]

    @property
    def total(self) -> int:
        return self._sum(_TOTAL)

    def of(self, client_ip: str) -> int:
        return self._sum(self._slot(client_ip))

    def enter(self, client_ip: str) -> None:
        self._add(self._slot(client_ip), 1)
        self._add(_TOTAL, 1)

    def leave(self, client_ip: str) -> None:
        self._add(self._slot(client_ip), -1)
        self._add(_TOTAL, -1)

    def _slot(self, client_ip: str) -> int:
        digest = hashlib.blake2b(client_ip.encode(), digest_size=4, key=self._key).digest()
        return int.from_bytes(digest, "big") % SLOTS

    def _sum(self, slot: int) -> int:
        offset = slot * _COUNTER.size
        return sum(_COUNTER.unpack_from(self._table, row + offset)[0] for row in self._rows)

    def _add(self, slot: int, change: int) -> None:
        offset = self._own + slot * _COUNTER.size
        (count,) = _COUNTER.unpack_from(self._table, offset)
        _COUNTER.pack_into(self._table, offset, count + change)
