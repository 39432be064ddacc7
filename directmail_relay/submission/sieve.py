"""A Bloom filter: says of nearly everything that it is not in a set, from two bytes an element. No I/O.

It may say "perhaps" of what is not there (one in four hundred when it is full), and never "no" of what is.
"""

from __future__ import annotations

_BITS_AN_ELEMENT = 16
_PROBES = 4
_LEAST = 1 << 16


class Sieve:
    """For `capacity` elements, at least 65,536; with more of them it says "perhaps" too often: then make a larger one.

    Keys are what `hash` takes: 64 bits, seeded at random for each process, so nobody can choose addresses that collide.
    """

    __slots__ = ("_bits", "_mask", "capacity", "count")

    def __init__(self, capacity: int) -> None:
        self.capacity = 1 << (max(capacity, _LEAST) - 1).bit_length()
        self.count = 0
        self._mask = self.capacity * _BITS_AN_ELEMENT - 1
        self._bits = bytearray(self.capacity * _BITS_AN_ELEMENT // 8)

    @property
    def is_full(self) -> bool:
        return self.count >= self.capacity

    def add(self, key: tuple[str, str]) -> None:
        place, step = self._start(key)
        for _ in range(_PROBES):
            self._bits[place >> 3] |= 1 << (place & 7)
            place = (place + step) & self._mask
        self.count += 1

    def may_hold(self, key: tuple[str, str]) -> bool:
        """False: it was never added."""
        place, step = self._start(key)
        bits, mask = self._bits, self._mask
        for _ in range(_PROBES):
            if not bits[place >> 3] & (1 << (place & 7)):
                return False
            place = (place + step) & mask
        return True

    def _start(self, key: tuple[str, str]) -> tuple[int, int]:
        """Where to look first, and how far on each time (odd, so that it comes through everything)."""
        number = hash(key)
        return number & self._mask, (number >> 32) | 1
