from __future__ import annotations

import mmap
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directmail_relay.submission.verified import VerifiedLogins

SMALL = 256  # one set of eight
parts = st.tuples(st.text(max_size=20), st.binary(max_size=20), st.text(alphabet="ab$", max_size=20))
logins = VerifiedLogins(table=bytearray(SMALL))


class Clock:
    now = 50.0

    def __call__(self) -> float:
        return self.now


def proofs(verified: VerifiedLogins, count: int) -> list[bytes]:
    return [verified.prove(f"user{n}@example.com", b"secret", "hash") for n in range(count)]


def test_what_was_added_is_found_and_nothing_else() -> None:
    verified = VerifiedLogins()
    first, second = proofs(verified, 2)
    verified.add(first)
    assert first in verified
    assert second not in verified


@given(parts, parts)
def test_different_parts_never_make_the_same_proof(a: tuple[str, bytes, str], b: tuple[str, bytes, str]) -> None:
    assert (logins.prove(*a) == logins.prove(*b)) is (a == b)


def test_moving_a_letter_from_one_part_to_the_next_makes_another_proof() -> None:
    assert logins.prove("ab", b"c", "d") != logins.prove("a", b"bc", "d") != logins.prove("a", b"b", "cd")


def test_a_changed_password_hash_is_not_found() -> None:
    verified = VerifiedLogins()
    verified.add(verified.prove("a@example.com", b"secret", "old hash"))
    assert verified.prove("a@example.com", b"secret", "new hash") not in verified


def test_each_process_has_a_key_of_its_own_unless_it_is_given_one() -> None:
    assert VerifiedLogins().prove("a", b"b", "c") != VerifiedLogins().prove("a", b"b", "c")


def test_it_is_forgotten_when_it_was_not_used_for_the_time_to_live() -> None:
    clock = Clock()
    verified = VerifiedLogins(ttl=100.0, clock=clock)
    (proof,) = proofs(verified, 1)
    verified.add(proof)
    for _ in range(5):
        clock.now += 90.0
        assert proof in verified
    clock.now += 101.0
    assert proof not in verified


def test_a_full_set_forgets_what_was_longest_unused() -> None:
    clock = Clock()
    verified = VerifiedLogins(table=bytearray(SMALL), clock=clock)
    *eight, ninth = proofs(verified, 9)
    for proof in eight:
        clock.now += 1.0
        verified.add(proof)
    assert eight[0] in verified  # and so used again
    clock.now += 1.0
    verified.add(ninth)
    assert [proof in verified for proof in (eight[0], eight[1], ninth)] == [True, False, True]


def test_adding_again_takes_no_second_slot() -> None:
    clock = Clock()
    verified = VerifiedLogins(table=bytearray(SMALL), clock=clock)
    eight = proofs(verified, 8)
    for proof in (*eight, eight[-1], eight[3]):
        clock.now += 1.0
        verified.add(proof)
    assert all(proof in verified for proof in eight)


@pytest.mark.parametrize("size", [SMALL, 1024 * 1024])
def test_the_table_never_grows(size: int) -> None:
    table = bytearray(size)
    verified = VerifiedLogins(table=table)
    for proof in proofs(verified, 500):
        verified.add(proof)
    assert len(table) == size


def test_a_slot_that_was_half_overwritten_matches_nothing() -> None:
    table = bytearray(SMALL)
    verified = VerifiedLogins(table=table)
    (proof,) = proofs(verified, 1)
    verified.add(proof)
    for offset in range(16, SMALL, 32):
        table[offset : offset + 16] = bytes(16)
    assert proof not in verified


def test_workers_that_share_table_and_key_know_what_one_of_them_verified() -> None:
    descriptor = os.memfd_create("verified")
    os.truncate(descriptor, SMALL)
    one, two = (VerifiedLogins(b"k" * 32, mmap.mmap(descriptor, SMALL)) for _ in range(2))
    stranger = VerifiedLogins(b"x" * 32, mmap.mmap(descriptor, SMALL))
    os.close(descriptor)
    parts = ("a@example.com", b"secret", "hash")
    one.add(one.prove(*parts))
    assert two.prove(*parts) in two
    assert stranger.prove(*parts) not in stranger
