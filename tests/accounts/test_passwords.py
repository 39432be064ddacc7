from __future__ import annotations

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.low_level import Type
from hypothesis import given, settings
from hypothesis import strategies as st

from directmail_relay.accounts.passwords import Passwords, hash_password, parse_password_hash

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
passwords = Passwords(CHEAP)


def test_a_password_is_hashed_with_argon2id_at_owasps_minimum() -> None:
    cost = extract_parameters(hash_password("secret"))
    assert (cost.type, cost.memory_cost, cost.time_cost, cost.parallelism) == (Type.ID, 19456, 2, 1)


def test_two_hashes_of_one_password_differ() -> None:
    assert hash_password("secret", CHEAP) != hash_password("secret", CHEAP)


@given(st.text(min_size=1, max_size=80), st.text(min_size=1, max_size=80))
@settings(max_examples=30)
def test_a_password_verifies_against_its_own_hash_alone(right: str, other: str) -> None:
    stored = hash_password(right, CHEAP)
    assert passwords.verify(stored, right.encode())
    assert passwords.verify(stored, other.encode()) is (right == other)


@pytest.mark.parametrize("length", [0, 1025])
def test_an_empty_or_over_long_password_is_neither_stored_nor_right(length: int) -> None:
    with pytest.raises(ValueError, match="between 1 and 1024 bytes"):
        hash_password("x" * length, CHEAP)
    assert not passwords.verify(CHEAP.hash("x" * length), b"x" * length)


def test_a_kibibyte_is_counted_in_bytes_of_utf_8() -> None:
    assert passwords.verify(hash_password("邮" * 341, CHEAP), ("邮" * 341).encode())
    with pytest.raises(ValueError, match="between 1 and 1024 bytes"):
        hash_password("邮" * 342, CHEAP)


def test_the_dummy_hash_costs_what_a_stored_one_costs_and_is_new_each_time() -> None:
    assert extract_parameters(passwords.dummy_hash) == extract_parameters(hash_password("x", CHEAP))
    assert extract_parameters(Passwords().dummy_hash) == extract_parameters(hash_password("x"))
    assert Passwords(CHEAP).dummy_hash != passwords.dummy_hash


@pytest.mark.parametrize("stored", ["", "plain", "$argon2id$v=19$m=8,t=1,p=1$!!!!$!!!!", "$argon2id$"])
def test_an_unreadable_stored_hash_is_an_error_and_never_a_right_password(stored: str) -> None:
    with pytest.raises(ValueError, match="stored password hash"):
        passwords.verify(stored, b"secret")


def test_a_declared_hash_of_argon2id_is_taken_as_it_is() -> None:
    stored = hash_password("secret", CHEAP)
    assert parse_password_hash(stored) == stored


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("secret", "argon2's form"),
        ("$2b$12$abcdefghijklmnopqrstuv", "argon2's form"),
        ("$argon2id$v=19$m=x,t=1,p=1$c2FsdHNhbHQ$aGFzaA", "argon2's form"),
        ("$argon2i$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaA", "not of the type argon2id"),
        ("$argon2id$v=19$m=4194304,t=1,p=1$c2FsdHNhbHQ$aGFzaA", "costs more"),
        ("$argon2id$v=19$m=8,t=1000,p=1$c2FsdHNhbHQ$aGFzaA", "costs more"),
    ],
)
def test_a_declared_hash_of_another_sort_or_of_an_absurd_cost_is_refused(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_password_hash(text)
