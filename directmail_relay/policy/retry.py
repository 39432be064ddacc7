"""After an attempt: delivered, try again at some time, or give up. Pure: time and chance are arguments.

The guide's general rule decides first: 4xx is tried again, 5xx is final; a row of its table that says "later" beats
it for 5xx (docs/bounces.md). A recipient is given up for its age only after an attempt that was made past its
lifetime, so that a step of the clock expires nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from directmail_relay.mail.attempt import DeliveryAttempt
from directmail_relay.mail.reply import Origin
from directmail_relay.policy.bounces import Category, Classification, Retry
from directmail_relay.policy.verdict import Delivered, GiveUp, NextStep, RetryAt

MINUTE = 60.0
JITTER = 0.1  # of each wait, added: what failed together does not come back together

# "Later" means: behave as if so many attempts had been made already. With the default schedule that is half an hour.
LATER_STEPS = 3

# The daily limits that the table knows are those of Chinese providers, and their day begins there (guide, A12).
RECEIVER_ZONE = timezone(timedelta(hours=8))


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """`schedule` and `lifetime` in seconds; the last step repeats. `obey_no_retry`: a row's 不要重试 ends a 4xx too."""

    schedule: tuple[float, ...]
    lifetime: float
    obey_no_retry: bool = False


def next_step(
    attempt: DeliveryAttempt,
    meaning: Classification,
    attempts: int,
    recv_time: float,
    policy: RetryPolicy,
    rand: Callable[[], float],
) -> NextStep:
    """What follows `attempt`, the `attempts`-th of this recipient; `rand` gives numbers in [0, 1)."""
    if attempt.reply.is_success:
        return Delivered()
    if _is_final(attempt, meaning, policy):
        return GiveUp(meaning.status)
    expires = recv_time + policy.lifetime
    if attempt.started_at >= expires:
        return GiveUp(_status_when_used_up(meaning))
    wait = _wait(attempt, meaning, attempts, policy) * (1 + JITTER * rand())
    when = attempt.ended_at + wait
    if meaning.next_day:
        when = max(when, _next_day(attempt.ended_at) + 30 * MINUTE * rand())
    # The last attempt is made as the lifetime ends, not hours behind it.
    return RetryAt(min(when, max(expires, attempt.ended_at + min(wait, MINUTE))))


def _is_final(attempt: DeliveryAttempt, meaning: Classification, policy: RetryPolicy) -> bool:
    if attempt.reply.is_permanent:
        return meaning.retry is Retry.NO
    return policy.obey_no_retry and meaning.retry is Retry.NO


def _status_when_used_up(meaning: Classification) -> int:
    """A 4xx that says "no such user" to the end was an invalid address; other failures keep their status."""
    return 2 if meaning.category is Category.RECIPIENT_NOT_FOUND else meaning.status


def _wait(attempt: DeliveryAttempt, meaning: Classification, attempts: int, policy: RetryPolicy) -> float:
    # What we found out ourselves (no connection, no answer from DNS) says nothing about how much mail is welcome.
    is_asked_to_slow_down = meaning.retry is Retry.LATER and attempt.reply.origin is Origin.REMOTE
    step = attempts - 1 + (LATER_STEPS if is_asked_to_slow_down else 0)
    return policy.schedule[min(max(step, 0), len(policy.schedule) - 1)]


def _next_day(now: float) -> float:
    day = datetime.fromtimestamp(now, UTC).astimezone(RECEIVER_ZONE).date() + timedelta(days=1)
    return datetime(day.year, day.month, day.day, tzinfo=RECEIVER_ZONE).timestamp()
