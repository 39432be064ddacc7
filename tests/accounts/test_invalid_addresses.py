"""Invalid addresses: what adds one, what renews it, whose it is, and how it ends."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from directmail_relay.accounts.accounts import add_account
from directmail_relay.accounts.changes import Change, RefusedError, list_audit, read_version
from directmail_relay.accounts.invalid_addresses import (
    add_hits,
    delete_invalid,
    list_invalid,
    purge_invalid,
    read_page,
    search_invalid,
)
from directmail_relay.accounts.listed import Listed, find_listed, read_last_number, read_listed
from directmail_relay.database.clock import iso, to_ms
from directmail_relay.database.engine import Database
from directmail_relay.mail.event import FinalEvent
from tests.queue.mail import NOW, final_event

DAY = 86_400.0
CHANGE = Change("cli:root", NOW)


def bounce(rcpt: str = "Gone@example.net", at: float = NOW, **facts: Any) -> FinalEvent:
    """A final event that calls its recipient invalid."""
    given = {"status": 2, "err_code": 550, "err_msg": "550 5.1.1 no such user", "suppress": "yes", **facts}
    return replace(final_event(1), rcpt=rcpt, end_time=at, **given)


def hit(database: Database, *events: FinalEvent, after_retries: bool = False) -> int:
    def add(connection: Connection) -> int:
        return add_hits(connection, events, after_retries=after_retries)

    return database.write_now(add)


@pytest.fixture(autouse=True)
def accounts(database: Database) -> None:
    for name in ("shop", "other"):
        database.write_now(add_account, CHANGE, name)


def addresses(database: Database, account: str = "shop") -> list[str]:
    return [one["address"] for one in database.read_now(list_invalid, account)]


def test_a_recipient_that_its_host_calls_wrong_is_added_in_lower_case_with_reply_and_time(database: Database) -> None:
    assert hit(database, bounce()) == 1
    assert database.read_now(list_invalid, "shop") == [
        {
            "address": "gone@example.net",
            "reply": "550 5.1.1 no such user",
            "since": iso(to_ms(NOW)),
            "last": iso(to_ms(NOW)),
        }
    ]
    assert database.read_now(find_listed, "shop", "gone@example.net") is Listed.INVALID


@pytest.mark.parametrize(
    ("facts", "option", "added"),
    [
        ({"status": 0, "suppress": "no"}, True, False),
        ({"status": 3, "suppress": "no"}, True, False),
        ({"status": 4, "suppress": "no", "attempts": 9}, True, False),
        ({"status": 4, "suppress": "after_retries", "attempts": 9}, False, False),
        ({"status": 4, "suppress": "after_retries", "attempts": 2}, True, False),
        ({"status": 4, "suppress": "after_retries", "attempts": 3}, True, True),
        # A 4xx that said "no such user" to the end (A19): the retry policy gave it status 2.
        ({"status": 2, "suppress": "after_retries"}, False, True),
    ],
)
def test_what_adds_an_address(database: Database, facts: dict[str, Any], option: bool, added: bool) -> None:  # noqa: FBT001 - parameters of a table
    hit(database, bounce(**facts), after_retries=option)
    assert bool(addresses(database)) is added


def test_an_address_hit_again_is_renewed_and_an_event_that_comes_twice_changes_nothing(database: Database) -> None:
    first, second = bounce(), bounce("gone@EXAMPLE.net", NOW + 5, err_msg="550 5.1.1 still not")
    for events in ([first], [second], [first], [second, first]):
        hit(database, *events)
    (found,) = database.read_now(list_invalid, "shop")
    assert (found["since"], found["last"]) == (iso(to_ms(NOW)), iso(to_ms(NOW + 5)))
    assert found["reply"] == "550 5.1.1 still not"


def test_several_hits_of_one_address_in_a_batch_are_one_row(database: Database) -> None:
    assert hit(database, bounce(at=NOW + 2, err_msg="late"), bounce(at=NOW, err_msg="early"), bounce("b@x.test")) == 2
    found = {one["address"]: one for one in database.read_now(list_invalid, "shop")}
    assert found["gone@example.net"]["reply"] == "late"
    assert found["gone@example.net"]["since"] == iso(to_ms(NOW))


def test_two_accounts_never_see_each_others(database: Database) -> None:
    hit(database, bounce())
    assert addresses(database, "other") == []
    assert database.read_now(search_invalid, "other", "gone") == []
    assert database.read_now(find_listed, "other", "gone@example.net") is None
    with pytest.raises(RefusedError) as refused:
        database.write_now(delete_invalid, CHANGE, "other", "gone@example.net")
    assert refused.value.code == "invalid_address_not_found"
    assert addresses(database) == ["gone@example.net"]


def test_an_account_that_is_not_there_is_refused_by_every_reader(database: Database) -> None:
    with pytest.raises(RefusedError, match="nobody"):
        database.read_now(list_invalid, "nobody")
    with pytest.raises(RefusedError, match="nobody"):
        database.read_now(search_invalid, "nobody", "x")
    with pytest.raises(RefusedError, match="nobody"):
        database.read_now(read_page, "nobody", "", None, None, 9)


def test_the_list_shows_what_is_new_in_a_span_of_time(database: Database) -> None:
    hit(database, *(bounce(f"n{n}@x.test", NOW + n * DAY) for n in range(4)))
    hit(database, bounce("n0@x.test", NOW + 2 * DAY))  # an old one, hit again: not new
    found = database.read_now(list_invalid, "shop", NOW + DAY, NOW + 3 * DAY)
    assert [one["address"] for one in found] == ["n2@x.test", "n1@x.test"]
    page = database.read_now(read_page, "shop", "n1@x.test", NOW, None, 1)
    assert [one["address"] for one in page] == ["n2@x.test"]


@pytest.mark.parametrize(("word", "found"), [("GONE", True), ("@example", True), ("%", False), ("_one", False)])
def test_a_search_takes_its_word_as_it_stands(database: Database, word: str, found: bool) -> None:  # noqa: FBT001 - as above
    hit(database, bounce())
    assert bool(database.read_now(search_invalid, "shop", word)) is found


def test_a_deletion_is_recorded_and_the_next_hit_counts_anew(database: Database) -> None:
    hit(database, bounce())
    database.write_now(delete_invalid, CHANGE, "shop", "GONE@example.net")
    assert addresses(database) == []
    assert database.read_now(list_audit)[0]["what"] == "invalid.delete"
    hit(database, bounce(at=NOW + DAY))
    assert database.read_now(list_invalid, "shop")[0]["since"] == iso(to_ms(NOW + DAY))


def test_a_text_that_is_no_address_cannot_be_deleted(database: Database) -> None:
    with pytest.raises(RefusedError, match="is no address"):
        database.write_now(delete_invalid, CHANGE, "shop", "nonsense")


def test_what_was_not_hit_for_long_is_forgotten_a_bite_at_a_time(database: Database) -> None:
    hit(database, *(bounce(f"n{n}@x.test", NOW + n) for n in range(5)))
    hit(database, bounce("n0@x.test", NOW + 9))
    assert database.write_now(purge_invalid, NOW + 4, 2) == 2
    assert database.write_now(purge_invalid, NOW + 4, 2) == 1
    assert set(addresses(database)) == {"n0@x.test", "n4@x.test"}


def test_new_addresses_are_numbered_onwards_and_make_nobody_read_the_directory_again(database: Database) -> None:
    before = database.read_now(read_version)
    hit(database, bounce("a@x.test"), bounce("b@x.test"))
    seen = database.read_now(read_last_number)
    hit(database, bounce("c@x.test"), bounce("a@x.test", NOW + 1))
    last = database.read_now(read_last_number)
    assert [row[2] for row in database.read_now(read_listed, 0, seen, 9)] == ["a@x.test", "b@x.test"]
    assert [row[2] for row in database.read_now(read_listed, seen, last, 9)] == ["c@x.test"]
    assert database.read_now(read_version) == before


def test_two_workers_that_add_at_once_number_in_the_order_of_their_commits(database: Database) -> None:
    """A number that became visible late would be missed by those who have read past it."""
    if database.is_sqlite:
        pytest.skip("there is one writer anyway")
    engine, _ = database.engine_for_migrations()
    with engine.connect() as slow, engine.connect() as fast:
        with slow.begin():
            add_hits(slow, [bounce("a@x.test")], after_retries=False)
            waiting = fast.begin()
            fast.execute(text("SET LOCAL lock_timeout = '50ms'"))
            with pytest.raises(OperationalError, match="lock timeout"):
                add_hits(fast, [bounce("b@x.test")], after_retries=False)
            waiting.rollback()
        with fast.begin():
            add_hits(fast, [bounce("b@x.test")], after_retries=False)
    last = database.read_now(read_last_number)
    assert [row[2] for row in database.read_now(read_listed, 0, last, 9)] == ["a@x.test", "b@x.test"]
