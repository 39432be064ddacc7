"""Which recipients RCPT refuses: the filter never lets a listed one through, and the database has the last word."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from directmail_relay.accounts.accounts import add_account
from directmail_relay.accounts.changes import Change
from directmail_relay.accounts.listed import Listed, find_listed, recipient_key
from directmail_relay.accounts.suppressions import add_suppressions, delete_suppression
from directmail_relay.database.engine import Database
from directmail_relay.mail.address import parse_address
from directmail_relay.submission import listed_recipients
from directmail_relay.submission.listed_recipients import REBUILD_SECONDS, ListedRecipients
from directmail_relay.submission.sieve import Sieve
from tests.conftest import Clock
from tests.queue.mail import NOW

CHANGE = Change("cli:root", NOW)
ANNA = parse_address("Anna@x.test")


class Counting(Database):
    """A database that counts the look-ups of single recipients."""

    look_ups = 0

    async def read(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        self.look_ups += fn is find_listed
        return await super().read(fn, *args, **kwargs)


@pytest.fixture
def counting(database_url: str) -> Any:
    opened = Counting(database_url)
    opened.write_now(add_account, CHANGE, "shop")
    yield opened
    opened.close()


def suppress(database: Database, *keys: str) -> None:
    database.write_now(add_suppressions, CHANGE, "shop", keys)


async def test_before_the_first_refresh_the_database_is_asked(counting: Counting, clock: Clock) -> None:
    suppress(counting, "anna@x.test")
    listed = ListedRecipients(counting, clock.monotonic)
    assert await listed.find("shop", ANNA) is Listed.SUPPRESSED
    assert await listed.find("shop", parse_address("bert@x.test")) is None
    assert counting.look_ups == 2


async def test_afterwards_only_what_may_be_listed_costs_a_look_up(counting: Counting, clock: Clock) -> None:
    suppress(counting, "anna@x.test")
    listed = ListedRecipients(counting, clock.monotonic)
    await listed.refresh()
    for n in range(1000):
        assert await listed.find("shop", parse_address(f"n{n}@x.test")) is None
    assert await listed.find("other", ANNA) is None
    assert counting.look_ups == 0
    assert await listed.find("shop", ANNA) is Listed.SUPPRESSED
    assert counting.look_ups == 1


async def test_a_new_address_is_refused_after_the_next_refresh_and_a_deleted_one_is_free_at_once(
    counting: Counting, clock: Clock
) -> None:
    listed = ListedRecipients(counting, clock.monotonic)
    await listed.refresh()
    suppress(counting, "bert@x.test", "anna@x.test")
    await listed.refresh()
    assert await listed.find("shop", ANNA) is Listed.SUPPRESSED
    counting.write_now(delete_suppression, CHANGE, "shop", "anna@x.test")
    assert await listed.find("shop", ANNA) is None
    suppress(counting, "anna@x.test")
    assert await listed.find("shop", ANNA) is Listed.SUPPRESSED


async def test_more_than_one_page_is_taken_in(
    counting: Counting, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listed_recipients, "PAGE", 3)
    listed = ListedRecipients(counting, clock.monotonic)
    suppress(counting, *(f"n{n}@x.test" for n in range(10)))
    await listed.refresh()
    suppress(counting, *(f"n{n}@x.test" for n in range(8, 20)))
    await listed.refresh()
    for n in range(20):
        assert await listed.find("shop", parse_address(f"n{n}@x.test")) is Listed.SUPPRESSED


async def test_what_was_taken_off_costs_nothing_any_more_a_day_later(counting: Counting, clock: Clock) -> None:
    suppress(counting, "anna@x.test", "bert@x.test")
    listed = ListedRecipients(counting, clock.monotonic)
    await listed.refresh()
    counting.write_now(delete_suppression, CHANGE, "shop", "anna@x.test")
    clock.advance(REBUILD_SECONDS)
    await listed.refresh()
    assert await listed.find("shop", ANNA) is None
    assert counting.look_ups == 0
    assert await listed.find("shop", parse_address("bert@x.test")) is Listed.SUPPRESSED


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.text(), st.text()), max_size=50))
def test_a_sieve_never_denies_what_it_was_given(keys: list[tuple[str, str]]) -> None:
    sieve = Sieve(10)
    for key in keys:
        sieve.add(key)
    assert all(sieve.may_hold(key) for key in keys)


def test_a_full_sieve_is_wrong_about_few_and_says_that_it_is_full() -> None:
    sieve = Sieve(1)
    for n in range(sieve.capacity):
        assert not sieve.is_full
        sieve.add(("shop", f"in{n}@x.test"))
    assert sieve.is_full
    wrong = sum(sieve.may_hold(("shop", f"out{n}@x.test")) for n in range(100_000))
    assert 0 < wrong < 1000


@pytest.mark.parametrize(
    ("typed", "key"),
    [
        ("Anna@Example.NET", "anna@example.net"),
        ('"A B"@x.test', '"a b"@x.test'),
        ("\u212aim@x.test", "\u212aim@x.test"),  # the Kelvin sign is no K
        ("ÄRGER@x.test", "ÄRGER@x.test"),
    ],
)
def test_the_one_form_of_an_address(typed: str, key: str) -> None:
    assert recipient_key(typed) == key
