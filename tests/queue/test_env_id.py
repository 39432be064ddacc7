"""env_ids: ordered by time, never twice, whatever the clock does."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directmail_relay.queue.env_id import EPOCH_MS, EnvIds, first_env_id, owner_id, seconds_of
from tests.queue.mail import NOW

owners = st.integers(0, 32 * 1024 - 1)
# From 2020 until the 41 bits of milliseconds are used up.
clocks = st.lists(st.floats(EPOCH_MS / 1000, 3.7e9), min_size=1, max_size=300)


@given(owners, clocks)
def test_each_is_larger_than_the_one_before_whatever_the_clock_does(owner: int, times: list[float]) -> None:
    clock = iter(times)
    made = EnvIds(owner, lambda: next(clock))
    numbers = [made.make() for _ in times]
    assert all(one < next_one for one, next_one in pairwise(numbers))
    assert all(0 < number < 1 << 63 for number in numbers)


@given(st.sets(owners, min_size=2, max_size=5), clocks)
def test_workers_never_make_the_same(owners: set[int], times: list[float]) -> None:
    numbers: list[int] = []
    for owner in owners:
        made = EnvIds(owner, iter(times).__next__)
        numbers += [made.make() for _ in times]
    assert len(numbers) == len(set(numbers))


def test_a_thousand_within_one_moment_are_a_thousand() -> None:
    made = EnvIds(7, lambda: NOW)
    numbers = [made.make() for _ in range(1000)]
    assert len(set(numbers)) == 1000
    assert numbers == sorted(numbers)
    assert seconds_of(numbers[-1]) - NOW < 0.01


@given(owners, st.floats(EPOCH_MS / 1000 + 1, 3.7e9))
def test_its_time_can_be_read_from_it(owner: int, when: float) -> None:
    number = EnvIds(owner, lambda: when).make()
    assert seconds_of(number) == pytest.approx(when, abs=0.002)
    assert first_env_id(when) <= number < first_env_id(when + 0.002)


def test_before_2020_there_was_no_mail() -> None:
    assert first_env_id(0) == 0


def test_owners_are_numbered_by_node_and_worker() -> None:
    assert owner_id(0, 0) == 0
    assert owner_id(1, 0) == 32
    assert owner_id(1023, 31) == 32 * 1024 - 1


@pytest.mark.parametrize(("node", "worker"), [(-1, 0), (1024, 0), (0, 32), (0, -1)])
def test_numbers_out_of_range_are_refused(node: int, worker: int) -> None:
    with pytest.raises(ValueError, match="node must be 0-1023 and worker 0-31"):
        owner_id(node, worker)
