"""The rule for SMTP passwords that people set (设置 SMTP 密码; ModifyMailAddress), a clause for each way to break it.

A declared password may be anything: whoever writes the configuration answers for it. No password gets into a sentence.
"""

from __future__ import annotations

from directmail_relay.accounts.changes import RefusedError
from directmail_relay.accounts.passwords import Passwords, hash_password

MIN_LENGTH = 10
MAX_LENGTH = 20
LEAST_OF_EACH = 2
_ASCII = range(ord("!"), ord("~") + 1)


def check_password(password: str) -> None:
    """RefusedError `bad_password` unless the vendor would take it; it tells all that is wrong at once."""
    digits = [char for char in password if char.isdigit()]
    letters = [char for char in password if char.isalpha()]
    failures = {
        # A client's SASL library may prepare other characters in its own way, and then never match.
        "the password has a character that is not printable ASCII": any(ord(char) not in _ASCII for char in password),
        f"the password needs {MIN_LENGTH} to {MAX_LENGTH} characters": not MIN_LENGTH <= len(password) <= MAX_LENGTH,
        f"the password needs {LEAST_OF_EACH} digits at least": len(digits) < LEAST_OF_EACH,
        f"the password needs {LEAST_OF_EACH} capital letters at least": sum(map(str.isupper, letters)) < LEAST_OF_EACH,
        f"the password needs {LEAST_OF_EACH} small letters at least": sum(map(str.islower, letters)) < LEAST_OF_EACH,
        "the digits of the password are all the same: use different ones": _are_same(digits),
        "the letters of the password are all the same: use different ones": _are_same(letters),
    }
    broken = [sentence for sentence, fails in failures.items() if fails]
    if broken:
        raise RefusedError("bad_password", "; ".join(broken))


def _are_same(characters: list[str]) -> bool:
    """Of a single one there are too few, which another sentence tells."""
    return len(characters) > 1 and len({one.lower() for one in characters}) == 1


def prepare_password(password: str, previous_hash: str | None = None) -> str:
    """The hash to store for a new password. Takes some 40 ms by intent: never within a transaction or on a loop.

    RefusedError `bad_password` when the rule refuses it, or when it is the previous one.
    """
    check_password(password)
    if previous_hash is not None and Passwords().verify(previous_hash, password.encode()):
        raise RefusedError("bad_password", "the password is the one that is set already: choose another")
    return hash_password(password)
