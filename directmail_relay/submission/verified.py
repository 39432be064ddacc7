"""The logins that were verified before: a right password costs microseconds the second time.

A fixed table of proofs in shared memory, so that all workers of a node know what one of them verified. A proof is an
HMAC over login, password and stored hash: a changed password never matches, so nothing ever needs emptying.
Holds no password, and nothing from which one could be guessed without the key.
"""

from __future__ import annotations

import hashlib
import hmac
import mmap
import secrets
import struct
import time
from collections.abc import Callable, Iterator

# A slot: when it was last good (seconds of the system-wide monotonic clock), and the proof.
_SLOT = struct.Struct("<d24s")
_WAYS = 8
_SET_SIZE = _SLOT.size * _WAYS
_TIME = struct.Struct("<d")
# 65,536 logins; the system gives memory only to pages that are used.
TABLE_SIZE = 8192 * _SET_SIZE
# Since it was last used. An application that sends at least daily is verified once.
TTL = 24 * 3600.0


class VerifiedLogins:
    """A table in which eight slots are searched for each proof, and the one longest unused is overwritten.

    `table` is zeroed memory of a multiple of 256 bytes; workers that are given the same table and the same
    `key` share it, without locks: a torn write makes a proof that matches nothing, which costs one verification.
    """

    def __init__(
        self,
        key: bytes | None = None,
        table: mmap.mmap | bytearray | None = None,
        ttl: float = TTL,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._key = secrets.token_bytes(32) if key is None else key
        self._table = memoryview(mmap.mmap(-1, TABLE_SIZE) if table is None else table)
        self._sets = len(self._table) // _SET_SIZE
        self._ttl = ttl
        self._clock = clock

    def prove(self, login: str, password: bytes, password_hash: str) -> bytes:
        """What stands for these three together, and for no others: each goes in with its length."""
        proof = hmac.new(self._key, digestmod=hashlib.sha256)
        for part in (login.encode("utf-8", "surrogatepass"), password, password_hash.encode()):
            proof.update(len(part).to_bytes(8, "big") + part)
        return proof.digest()

    def __contains__(self, proof: bytes) -> bool:
        """Whether it was added within the time to live, or found; finding it renews it."""
        now = self._clock()
        for offset, used_at, tag in self._slots(proof):
            if hmac.compare_digest(tag, proof[8:]) and now - used_at <= self._ttl:
                _TIME.pack_into(self._table, offset, now)
                return True
        return False

    def add(self, proof: bytes) -> None:
        """Remember that it was right."""
        offset, _, _ = min(self._slots(proof), key=lambda slot: (slot[2] != proof[8:], slot[1]))
        _SLOT.pack_into(self._table, offset, self._clock(), proof[8:])

    def _slots(self, proof: bytes) -> Iterator[tuple[int, float, bytes]]:
        start = int.from_bytes(proof[:8], "big") % self._sets * _SET_SIZE
        for offset in range(start, start + _SET_SIZE, _SLOT.size):
            yield offset, *_SLOT.unpack_from(self._table, offset)
