"""What a decision can say: let it in or refuse it; and after an attempt: delivered, try again, give up."""

from __future__ import annotations

from dataclasses import dataclass

from directmail_relay.mail.reply import Reply


@dataclass(frozen=True, slots=True)
class Accept:
    """Go on."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """Say `reply` and change nothing. `why` labels `directmail_refused_total{reason}`: snake_case, few values."""

    reply: Reply
    why: str


Verdict = Accept | Refuse


@dataclass(frozen=True, slots=True)
class Delivered:
    """The MX took it."""


@dataclass(frozen=True, slots=True)
class RetryAt:
    """Try again at `when` (POSIX seconds), not before."""

    when: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Final failure, reported with `status` (2 invalid address, 3 spam, 4 failed)."""

    status: int


NextStep = Delivered | RetryAt | GiveUp
