from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directmail_relay.mail import replies
from directmail_relay.mail.reply import Reply
from directmail_relay.policy.quota import Limits, Periods, Used, check_quota, period_keys
from directmail_relay.policy.verdict import Accept, Refuse

SHANGHAI = ZoneInfo("Asia/Shanghai")
counts = st.integers(0, 10**9)
limits = st.builds(Limits, st.none() | counts, st.none() | counts, st.none() | counts)
used = st.builds(Used, counts, counts, counts)


def moment(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def test_the_last_recipient_of_a_quota_still_fits_and_the_next_does_not() -> None:
    limit = Limits(daily=100)
    assert check_quota(limit, Used(daily=70), 30) == Accept()
    assert check_quota(limit, Used(daily=70), 31) == Refuse(replies.DAILY_QUOTA, "daily_quota")


@pytest.mark.parametrize(
    ("limit", "reply", "why"),
    [
        (Limits(daily=1), replies.DAILY_QUOTA, "daily_quota"),
        (Limits(daily=1, monthly=1), replies.MONTHLY_QUOTA, "monthly_quota"),
        (Limits(daily=1, monthly=1, total=1), replies.TOTAL_QUOTA, "total_quota"),
        (Limits(daily=1, total=1), replies.TOTAL_QUOTA, "total_quota"),
    ],
)
def test_of_several_exceeded_quotas_the_one_that_holds_longest_is_told(limit: Limits, reply: Reply, why: str) -> None:
    assert check_quota(limit, Used(5, 5, 5), 1) == Refuse(reply, why)


def test_a_quota_of_zero_lets_nothing_through_and_none_lets_everything() -> None:
    assert isinstance(check_quota(Limits(daily=0), Used(), 1), Refuse)
    assert check_quota(Limits(), Used(10**12, 10**12, 10**12), 10**6) == Accept()


@given(limits, used, st.integers(1, 10**6))
def test_what_is_accepted_never_takes_any_span_past_its_limit(limit: Limits, before: Used, n: int) -> None:
    spans = [
        (limit.daily, before.daily + n),
        (limit.monthly, before.monthly + n),
        (limit.total, before.total + n),
    ]
    fits = all(most is None or after <= most for most, after in spans)
    assert isinstance(check_quota(limit, before, n), Accept) is fits


@given(limits, used, st.integers(1, 1000))
def test_more_allowance_never_turns_an_acceptance_into_a_refusal(limit: Limits, before: Used, n: int) -> None:
    if isinstance(check_quota(limit, before, n), Accept):
        assert check_quota(replace(limit, daily=None), before, n) == Accept()


def test_a_day_begins_at_midnight_of_the_zone_and_not_of_utc() -> None:
    assert period_keys(moment("2026-11-30T15:59:59"), SHANGHAI) == Periods("2026-11-30", "2026-11")
    assert period_keys(moment("2026-11-30T16:00:00"), SHANGHAI) == Periods("2026-12-01", "2026-12")


def test_the_hour_that_a_zone_repeats_belongs_to_one_day_only() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    both = {period_keys(moment(f"2026-10-25T0{hour}:30:00"), berlin) for hour in (0, 1)}
    assert both == {Periods("2026-10-25", "2026-10")}


@given(st.floats(0, 4e9))
def test_the_month_is_always_the_month_of_the_day(now: float) -> None:
    periods = period_keys(now, SHANGHAI)
    assert periods.day.startswith(periods.month + "-")
    assert len(periods.day) == len("2026-11-23")
