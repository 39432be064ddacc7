from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directmail_relay.submission.limits import AuthLimits, TokenBuckets, client_group

OWNER, STRANGER = "192.0.2.1", "198.51.100.1"
LOGIN = "notice@example.com"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def fail(limits: AuthLimits, client: str, login: str, times: int) -> int:
    """Wrong passwords until they are no longer verified; how many were."""
    for count in range(times):
        if not limits.allows(client, login):
            return count
        limits.count_wrong(client, login)
    return times


def test_a_bucket_gives_its_tokens_at_once_and_then_as_many_a_minute(clock: Clock) -> None:
    buckets = TokenBuckets(20, clock)
    assert [buckets.take("a") for _ in range(21)] == [True] * 20 + [False]
    clock.now += 3.0
    assert [buckets.take("a") for _ in range(2)] == [True, False]
    clock.now += 60.0
    assert [buckets.take("a") for _ in range(21)] == [True] * 20 + [False]
    assert buckets.take("b")


@given(st.integers(1, 60), st.lists(st.floats(0.0, 90.0), max_size=100))
def test_a_bucket_never_gives_more_than_its_size_and_its_rate_allow(per_minute: int, pauses: list[float]) -> None:
    clock = Clock()
    buckets = TokenBuckets(per_minute, clock)
    start, taken = clock.now, 0
    for pause in pauses:
        clock.now += pause
        taken += buckets.take("a")
        assert taken <= per_minute + (clock.now - start) * per_minute / 60 + 0.01


def test_buckets_remember_no_more_keys_than_they_are_told(clock: Clock) -> None:
    buckets = TokenBuckets(1, clock, max_keys=2)
    for key in ("a", "b", "c"):
        buckets.take(key)
    assert [buckets.has_token(key) for key in ("a", "b", "c")] == [True, False, False]


def test_a_bucket_without_tokens_makes_no_sense(clock: Clock) -> None:
    with pytest.raises(ValueError, match="at least one token"):
        TokenBuckets(0, clock)


def test_one_address_gets_twenty_wrong_passwords_a_minute_over_all_logins(clock: Clock) -> None:
    limits = AuthLimits(20, clock)
    assert sum(fail(limits, STRANGER, f"user{n}@example.com", 1) for n in range(30)) == 20
    assert limits.allows(OWNER, LOGIN)
    clock.now += 3.0
    assert fail(limits, STRANGER, LOGIN, 5) == 1


def test_one_login_gets_a_bounded_number_of_wrong_passwords_from_all_addresses(clock: Clock) -> None:
    limits = AuthLimits(20, clock)
    assert sum(fail(limits, f"198.51.100.{n}", LOGIN, 10) for n in range(100)) == 20 + 5
    clock.now += 60.0
    assert sum(fail(limits, f"203.0.113.{n}", LOGIN, 10) for n in range(100)) == 20 + 5


def test_a_stranger_at_one_address_does_not_lock_the_owner_out(clock: Clock) -> None:
    limits = AuthLimits(20, clock)
    for _ in range(100):
        fail(limits, STRANGER, LOGIN, 50)
        assert limits.allows(OWNER, LOGIN)
        clock.now += 10.0


def test_a_swarm_does_not_lock_out_an_address_where_the_login_was_right_before(clock: Clock) -> None:
    limits = AuthLimits(20, clock)
    limits.count_right(OWNER, LOGIN)
    for n in range(100):
        fail(limits, f"198.51.100.{n}", LOGIN, 10)
    assert limits.allows(OWNER, LOGIN)
    assert not limits.allows("192.0.2.2", LOGIN)


def test_what_a_login_keeps_for_newcomers_is_not_for_addresses_that_have_failed(clock: Clock) -> None:
    limits = AuthLimits(20, clock)
    assert fail(limits, STRANGER, LOGIN, 50) == 20
    assert fail(limits, "198.51.100.2", LOGIN, 50) == 1
    assert limits.allows(OWNER, LOGIN)
    clock.now += 3600.0 + 60.0
    fail(limits, "198.51.100.3", LOGIN, 50)
    assert fail(limits, STRANGER, LOGIN, 50) == 1


def test_an_address_that_is_trusted_for_one_login_is_not_for_another(clock: Clock) -> None:
    limits = AuthLimits(20, clock)
    limits.count_right(OWNER, "other@example.com")
    for n in range(100):
        fail(limits, f"198.51.100.{n}", LOGIN, 10)
    assert not limits.allows(OWNER, LOGIN)


def test_a_trusted_address_still_gets_no_more_than_its_own_bucket(clock: Clock) -> None:
    limits = AuthLimits(20, clock)
    limits.count_right(OWNER, LOGIN)
    assert fail(limits, OWNER, LOGIN, 100) == 20


def test_right_passwords_never_count(clock: Clock) -> None:
    limits = AuthLimits(1, clock)
    for _ in range(100):
        limits.count_right(OWNER, LOGIN)
    assert limits.allows(OWNER, LOGIN)


@pytest.mark.parametrize(
    ("ip", "group"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("nonsense", "nonsense"),
    ],
)
def test_an_ipv6_site_is_one_client(ip: str, group: str) -> None:
    assert client_group(ip) == group
