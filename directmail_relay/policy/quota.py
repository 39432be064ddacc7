"""How many recipients an account may still send to: today, this month, and in its life (发信额度).

Counts recipients, never messages. Decides from numbers that the caller read under its own lock; knows no
clock, and never reserves anything itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from directmail_relay.mail import replies
from directmail_relay.policy.verdict import Accept, Refuse, Verdict


@dataclass(frozen=True, slots=True)
class Limits:
    """The most recipients in a day, in a month and in all; None is no limit, 0 lets nothing through."""

    daily: int | None = None
    monthly: int | None = None
    total: int | None = None


@dataclass(frozen=True, slots=True)
class Used:
    """The recipients that were accepted so far, in the same three spans."""

    daily: int = 0
    monthly: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True)
class Periods:
    """The names under which a moment is counted: `day` is `2026-11-23`, `month` is `2026-11`."""

    day: str
    month: str


# The longest span first: whoever is told "daily" comes back tomorrow, which is wrong advice when the month is
# used up as well, and so on. The first refusal is thus the one that holds longest.
_SPANS = (
    ("total", replies.TOTAL_QUOTA, "total_quota"),
    ("monthly", replies.MONTHLY_QUOTA, "monthly_quota"),
    ("daily", replies.DAILY_QUOTA, "daily_quota"),
)


def check_quota(limits: Limits, used: Used, n: int) -> Verdict:
    """Whether `n` recipients more fit into every span. All of them or none: a message is never taken in part."""
    for span, reply, why in _SPANS:
        limit: int | None = getattr(limits, span)
        if limit is not None and getattr(used, span) + n > limit:
            return Refuse(reply, why)
    return Accept()


def period_keys(now: float, zone: ZoneInfo) -> Periods:
    """The day and the month of `now` (POSIX seconds) as the clocks of `zone` show them."""
    day = datetime.fromtimestamp(now, zone).date().isoformat()
    return Periods(day, day[:7])
