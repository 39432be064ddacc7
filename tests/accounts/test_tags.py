from __future__ import annotations

import pytest

from directmail_relay.accounts.accounts import add_account
from directmail_relay.accounts.changes import list_audit
from directmail_relay.accounts.tags import add_tag, delete_tag, list_tags
from directmail_relay.database.engine import Database
from tests.accounts.registering import refused, write


@pytest.fixture
def two(database: Database) -> Database:
    write(database, add_account, "shop")
    write(database, add_account, "blog")
    return database


@pytest.mark.parametrize("name", ["a", "Spring_2026", "_", "9" * 128])
def test_a_tag_has_letters_digits_and_underscores(two: Database, name: str) -> None:
    shown = write(two, add_tag, "shop", name, "what it is for")
    assert (shown["name"], shown["account"], shown["description"]) == (name, "shop", "what it is for")
    assert two.read_now(list_tags, "shop") == [shown]


@pytest.mark.parametrize("name", ["", "9" * 129, "spring-2026", "two words", "春", "a\n"])
def test_other_names_are_refused(two: Database, name: str) -> None:
    with refused("bad_name"):
        write(two, add_tag, "shop", name)


@pytest.mark.parametrize("description", ["x" * 501, "two\nlines"])
def test_a_description_is_one_line(two: Database, description: str) -> None:
    with refused("bad_value"):
        write(two, add_tag, "shop", "spring", description)


def test_each_account_has_its_own_tags(two: Database) -> None:
    write(two, add_tag, "shop", "spring")
    write(two, add_tag, "blog", "spring")
    with refused("tag_exists"):
        write(two, add_tag, "shop", "spring")
    write(two, delete_tag, "shop", "spring")
    assert two.read_now(list_tags, "shop") == []
    assert [one["account"] for one in two.read_now(list_tags)] == ["blog"]
    with refused("tag_not_found"):
        write(two, delete_tag, "shop", "spring")


def test_tags_are_told_apart_by_letter_case(two: Database) -> None:
    write(two, add_tag, "shop", "spring")
    write(two, add_tag, "shop", "Spring")
    assert len(two.read_now(list_tags, "shop")) == 2


def test_tags_of_an_account_that_is_not_there(two: Database) -> None:
    for act in (add_tag, delete_tag):
        with refused("account_not_found"):
            write(two, act, "nobody", "spring")
    with refused("account_not_found"):
        two.read_now(list_tags, "nobody")


def test_changes_of_tags_are_in_the_audit_log(two: Database) -> None:
    write(two, add_tag, "shop", "spring")
    write(two, delete_tag, "shop", "spring")
    log = two.read_now(list_audit, "shop")
    assert [(one["what"], one["object"]) for one in log][:2] == [("tag.delete", "spring"), ("tag.add", "spring")]
