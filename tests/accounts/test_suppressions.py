"""The do-not-send list: what the account puts there stays there, for that account alone."""

from __future__ import annotations

import pytest

from directmail_relay.accounts.accounts import add_account
from directmail_relay.accounts.changes import Change, RefusedError, list_audit
from directmail_relay.accounts.listed import Listed, find_listed, read_last_number, read_listed
from directmail_relay.accounts.suppressions import (
    add_suppression,
    add_suppressions,
    delete_suppression,
    list_suppressions,
    record_import,
)
from directmail_relay.database.clock import iso, to_ms
from directmail_relay.database.engine import Database
from tests.queue.mail import NOW

CHANGE = Change("cli:root", NOW)
LATER = Change("cli:root", NOW + 60)


@pytest.fixture(autouse=True)
def accounts(database: Database) -> None:
    for name in ("shop", "other"):
        database.write_now(add_account, CHANGE, name)


def listed(database: Database, account: str = "shop") -> list[str]:
    return [one["address"] for one in database.read_now(list_suppressions, account)]


def test_an_address_is_listed_in_lower_case_and_a_second_time_changes_nothing(database: Database) -> None:
    for change in (CHANGE, LATER):
        found = database.write_now(add_suppression, change, "shop", "Anna@Example.NET")
        assert found == {"address": "anna@example.net", "since": iso(to_ms(NOW))}
    assert database.read_now(find_listed, "shop", "anna@example.net") is Listed.SUPPRESSED
    assert [row["what"] for row in database.read_now(list_audit)].count("suppress.add") == 1


def test_many_are_listed_at_once_and_only_the_new_ones_are_counted(database: Database) -> None:
    assert database.write_now(add_suppressions, CHANGE, "shop", ["b@x.test", "a@x.test"]) == 2
    assert database.write_now(add_suppressions, CHANGE, "shop", ["b@x.test", "c@x.test", "c@x.test"]) == 1
    assert database.write_now(add_suppressions, CHANGE, "shop", []) == 0
    assert listed(database) == ["a@x.test", "b@x.test", "c@x.test"]
    last = database.read_now(read_last_number)
    assert sorted(row[2] for row in database.read_now(read_listed, 0, last, 9)) == ["a@x.test", "b@x.test", "c@x.test"]


def test_a_list_belongs_to_its_account(database: Database) -> None:
    database.write_now(add_suppression, CHANGE, "shop", "a@x.test")
    assert listed(database, "other") == []
    assert database.read_now(find_listed, "other", "a@x.test") is None
    with pytest.raises(RefusedError, match="not in the do-not-send list of other"):
        database.write_now(delete_suppression, CHANGE, "other", "a@x.test")
    database.write_now(delete_suppression, CHANGE, "shop", "A@x.test")
    assert listed(database) == []
    assert database.read_now(list_audit)[0]["what"] == "suppress.delete"


def test_the_list_is_read_page_by_page(database: Database) -> None:
    database.write_now(add_suppressions, CHANGE, "shop", [f"{letter}@x.test" for letter in "abcde"])
    first = database.read_now(list_suppressions, "shop", "", 2)
    rest = database.read_now(list_suppressions, "shop", first[-1]["address"], 9)
    assert [one["address"][0] for one in [*first, *rest]] == list("abcde")


@pytest.mark.parametrize("address", ["", "anna", "a@b@c", "a b@x.test", "user@[192.0.2.1]"])
def test_what_is_no_address_is_refused(database: Database, address: str) -> None:
    with pytest.raises(RefusedError, match="is no address"):
        database.write_now(add_suppression, CHANGE, "shop", address)


def test_an_import_is_recorded_as_it_begins_and_as_it_ends(database: Database) -> None:
    database.write_now(record_import, CHANGE, "shop", "list.csv")
    database.write_now(record_import, CHANGE, "shop", "list.csv", {"added": 2, "known": 1, "refused": 0})
    end, begin = database.read_now(list_audit)[:2]
    assert (begin["what"], end["what"]) == ("suppress.import", "suppress.imported")
    assert end["detail"] == {"added": 2, "known": 1, "refused": 0}


def test_an_account_that_is_not_there_is_refused(database: Database) -> None:
    with pytest.raises(RefusedError, match="nobody"):
        database.write_now(add_suppression, CHANGE, "nobody", "a@x.test")
    with pytest.raises(RefusedError, match="nobody"):
        database.write_now(record_import, CHANGE, "nobody", "list.csv")
