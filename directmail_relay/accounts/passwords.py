"""SMTP passwords: hashed with argon2id, verified, and nothing else. No password is ever kept, logged or shown.

Hashing takes some 20 ms of CPU and 19 MiB by intent (and lets other threads run meanwhile): never call it on
an event loop.
"""

from __future__ import annotations

import secrets

from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError
from argon2.low_level import Type

# OWASP Password Storage Cheat Sheet, "Argon2id": "a minimum configuration of 19 MiB of memory, an iteration
# count of 2, and 1 degree of parallelism". The memory is that of one verification; two run on two cores.
MEMORY_KIB = 19 * 1024
ITERATIONS = 2
PARALLELISM = 1
# A longer one is wrong without being looked at (bytes of UTF-8).
MAX_PASSWORD_SIZE = 1024
# A declared hash may cost more than ours, but not stop the relay.
_MAX_MEMORY_KIB = 256 * 1024
_MAX_ITERATIONS = 20


_OURS = PasswordHasher(time_cost=ITERATIONS, memory_cost=MEMORY_KIB, parallelism=PARALLELISM, type=Type.ID)


def hash_password(password: str, hasher: PasswordHasher = _OURS) -> str:
    """The hash to store, in PHC form (`$argon2id$v=19$…`). ValueError for an empty or over-long password."""
    secret = password.encode()
    if not 0 < len(secret) <= MAX_PASSWORD_SIZE:
        raise ValueError(f"a password has between 1 and {MAX_PASSWORD_SIZE} bytes")
    return hasher.hash(secret)


class Passwords:
    """Verifies passwords. Safe to call from several threads.

    `dummy_hash` costs as much to verify as any hash made by the same hasher and belongs to no password that
    anybody knows: unknown logins are verified against it, so that their answer takes as long as a wrong password's.
    """

    def __init__(self, hasher: PasswordHasher = _OURS) -> None:
        self._hasher = hasher
        self.dummy_hash = hash_password(secrets.token_urlsafe(32), hasher)

    def verify(self, password_hash: str, password: bytes) -> bool:
        """Whether the password is the one. An empty or over-long one costs the same and is wrong.

        Raises ValueError when the hash itself is unreadable, which `parse_password_hash` finds beforehand.
        """
        fits = 0 < len(password) <= MAX_PASSWORD_SIZE
        try:
            self._hasher.verify(password_hash, password if fits else b"")
        except VerifyMismatchError:
            return False
        except (VerificationError, InvalidHashError) as error:
            raise ValueError("the stored password hash cannot be verified") from error
        return fits


def parse_password_hash(text: str) -> str:
    """A declared `password_hash` → itself; ValueError unless it is an argon2id hash of a bearable cost."""
    try:
        cost = extract_parameters(text)
    except InvalidHashError:
        raise ValueError("the password hash is not in argon2's form $argon2id$v=19$m=…,t=…,p=…$salt$hash") from None
    if cost.type is not Type.ID:
        raise ValueError("the password hash is not of the type argon2id")
    if cost.memory_cost > _MAX_MEMORY_KIB or cost.time_cost > _MAX_ITERATIONS:
        raise ValueError(f"the password hash costs more than m={_MAX_MEMORY_KIB},t={_MAX_ITERATIONS}")
    return text
