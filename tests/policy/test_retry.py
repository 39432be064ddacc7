"""What follows an attempt: the guide's general rule, its exceptions, and the end of a recipient's life."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directmail_relay.mail import replies
from directmail_relay.mail.attempt import DeliveryAttempt, Stage
from directmail_relay.mail.reply import Reply
from directmail_relay.policy.bounces import Advice, Category, Classification, Retry, Suppress
from directmail_relay.policy.retry import JITTER, RetryPolicy, next_step
from directmail_relay.policy.verdict import Delivered, GiveUp, NextStep, RetryAt

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
RECEIVED = 1_795_000_000.0  # 2026-11-18T11:06:40Z, in China 19:06:40
POLICY = RetryPolicy((MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR), lifetime=3 * DAY)
PLAIN = Classification(Category.RECEIVER_TEMPORARY_FAILURE, Retry.YES, Suppress.NO, 4, "r", Advice("", ""))


def attempt(code: int, at: float = RECEIVED, lasted: float = 0.0) -> DeliveryAttempt:
    return DeliveryAttempt(1, 0, Stage.RCPT, Reply(code, "said the host"), at, at + lasted)


def step(
    made: DeliveryAttempt,
    meaning: Classification = PLAIN,
    attempts: int = 1,
    policy: RetryPolicy = POLICY,
    chance: float = 0.0,
) -> NextStep:
    return next_step(made, meaning, attempts, RECEIVED, policy, lambda: chance)


def means(retry: Retry, **more: object) -> Classification:
    return replace(PLAIN, retry=retry, **more)  # type: ignore[arg-type]  # values of the fields that are named


@pytest.mark.parametrize("retry", list(Retry))
def test_a_2xx_is_delivered_whatever_its_text_means(retry: Retry) -> None:
    assert step(attempt(250), means(retry)) == Delivered()
    assert step(attempt(251), means(retry)) == Delivered()


@pytest.mark.parametrize("status", [2, 3, 4])
def test_a_5xx_is_final_with_the_status_of_its_meaning(status: int) -> None:
    assert step(attempt(550), means(Retry.NO, status=status)) == GiveUp(status)


def test_a_5xx_whose_row_says_later_is_tried_again_after_the_pause_of_the_fourth_attempt() -> None:
    assert step(attempt(554), means(Retry.LATER)) == RetryAt(RECEIVED + 30 * MINUTE)
    assert step(attempt(554), means(Retry.YES)) == RetryAt(RECEIVED + MINUTE)


def test_a_4xx_is_tried_again_even_where_the_row_says_no() -> None:
    assert step(attempt(450), means(Retry.NO)) == RetryAt(RECEIVED + MINUTE)


def test_a_4xx_is_final_where_the_row_says_no_and_rows_are_obeyed() -> None:
    obeying = replace(POLICY, obey_no_retry=True)
    assert step(attempt(450), means(Retry.NO, status=3), policy=obeying) == GiveUp(3)
    assert step(attempt(450), means(Retry.YES), policy=obeying) == RetryAt(RECEIVED + MINUTE)
    assert step(attempt(450), means(Retry.LATER), policy=obeying) == RetryAt(RECEIVED + 30 * MINUTE)


def test_our_own_local_codes_follow_the_same_rule() -> None:
    dns = replace(attempt(423), reply=replies.DNS_ERROR)
    gone = replace(attempt(524), reply=replies.NO_SUCH_DOMAIN)
    assert step(dns) == RetryAt(RECEIVED + MINUTE)
    assert step(gone, means(Retry.NO)) == GiveUp(4)


def test_each_attempt_takes_the_next_step_of_the_schedule_and_the_last_one_repeats() -> None:
    waits = [step(attempt(450), attempts=n) for n in range(1, 8)]
    minutes = [1, 5, 15, 30, 60, 60, 60]
    assert waits == [RetryAt(RECEIVED + n * MINUTE) for n in minutes]


def test_the_wait_begins_when_the_attempt_ends() -> None:
    assert step(attempt(450, lasted=600.0)) == RetryAt(RECEIVED + 600 + MINUTE)


@given(chance=st.floats(0, 1, exclude_max=True), attempts=st.integers(1, 50), retry=st.sampled_from(list(Retry)))
def test_jitter_adds_at_most_a_tenth_and_never_shortens_the_wait(chance: float, attempts: int, retry: Retry) -> None:
    without = step(attempt(450), means(retry), attempts)
    with_jitter = step(attempt(450), means(retry), attempts, chance=chance)
    assert isinstance(without, RetryAt)
    assert isinstance(with_jitter, RetryAt)
    wait = without.when - RECEIVED
    assert wait <= with_jitter.when - RECEIVED <= wait * (1 + JITTER) + 1e-6


def test_an_attempt_before_the_end_of_the_lifetime_gives_nobody_up() -> None:
    late = attempt(450, at=RECEIVED + 3 * DAY - 1)
    assert step(late, attempts=30) == RetryAt(RECEIVED + 3 * DAY - 1 + MINUTE)


def test_the_last_attempt_is_made_as_the_lifetime_ends() -> None:
    late = attempt(450, at=RECEIVED + 3 * DAY - HOUR / 2)
    assert step(late, attempts=30) == RetryAt(RECEIVED + 3 * DAY)


def test_an_attempt_past_the_lifetime_is_the_last() -> None:
    assert step(attempt(450, at=RECEIVED + 3 * DAY)) == GiveUp(4)
    assert step(attempt(450, at=RECEIVED + 30 * DAY)) == GiveUp(4)


def test_a_clock_that_steps_far_ahead_allows_one_more_attempt() -> None:
    began_before_the_step = DeliveryAttempt(1, 0, Stage.RCPT, Reply(450, "x"), RECEIVED + 5, RECEIVED + 30 * DAY)
    assert step(began_before_the_step) == RetryAt(RECEIVED + 30 * DAY + MINUTE)


def test_a_user_who_was_unknown_by_4xx_to_the_end_was_an_invalid_address() -> None:
    meaning = means(Retry.YES, category=Category.RECIPIENT_NOT_FOUND, suppress=Suppress.AFTER_RETRIES)
    assert step(attempt(450, at=RECEIVED + 4 * DAY), meaning) == GiveUp(2)


@pytest.mark.parametrize(
    ("at", "next_day"),
    [
        (datetime(2026, 11, 18, 11, 6, 40, tzinfo=UTC), datetime(2026, 11, 18, 16, tzinfo=UTC)),
        (datetime(2026, 11, 18, 15, 59, 59, tzinfo=UTC), datetime(2026, 11, 18, 16, tzinfo=UTC)),
        (datetime(2026, 11, 18, 16, 0, 0, tzinfo=UTC), datetime(2026, 11, 19, 16, tzinfo=UTC)),
        (datetime(2026, 12, 31, 20, 0, 0, tzinfo=UTC), datetime(2027, 1, 1, 16, tzinfo=UTC)),
    ],
)
def test_a_daily_limit_is_waited_out_until_midnight_in_china(at: datetime, next_day: datetime) -> None:
    made = attempt(450, at=at.timestamp())
    meaning = means(Retry.LATER, next_day=True)
    policy = replace(POLICY, schedule=(MINUTE,), lifetime=60 * DAY)
    first = next_step(made, meaning, 1, made.started_at, policy, lambda: 0.0)
    spread = next_step(made, meaning, 1, made.started_at, policy, lambda: 0.5)
    midnight = next_day.timestamp()
    assert first == RetryAt(max(midnight, made.ended_at + MINUTE))
    assert spread == RetryAt(midnight + 15 * MINUTE)


def test_a_daily_limit_does_not_outlive_the_message() -> None:
    short = replace(POLICY, lifetime=HOUR)
    assert step(attempt(450), means(Retry.LATER, next_day=True), policy=short) == RetryAt(RECEIVED + HOUR)


@pytest.mark.parametrize("reply", [replies.UNREACHABLE, replies.DNS_ERROR])
def test_what_we_found_out_ourselves_keeps_the_normal_schedule(reply: Reply) -> None:
    ours = replace(attempt(450), reply=reply)
    assert step(ours, means(Retry.LATER)) == RetryAt(RECEIVED + MINUTE)
