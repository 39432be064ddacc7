"""Accounts: added, changed, deleted, and who owns what."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import Connection, func, select

from directmail_relay.accounts.accounts import (
    add_account,
    delete_account,
    list_accounts,
    set_account,
    show_account,
)
from directmail_relay.accounts.addresses import NewAddress, add_address, list_addresses
from directmail_relay.accounts.changes import RefusedError, list_audit, read_version
from directmail_relay.accounts.ip_protection import add_entry, turn_on
from directmail_relay.accounts.tags import add_tag
from directmail_relay.database.accounts_schema import addresses, allow_entries, dkim_keys, domains, tags
from directmail_relay.database.engine import Database
from directmail_relay.mail.message import Kind, Status
from tests.accounts.registering import GRACE, add_shop, add_verified_domain, refused, write


def test_a_new_account_is_normal_and_has_the_quotas_that_were_given(database: Database) -> None:
    shown = write(database, add_account, "shop", {"daily_quota": 200, "monthly_quota": 0})
    assert shown == database.read_now(show_account, "shop")
    assert (shown["status"], shown["daily_quota"], shown["monthly_quota"], shown["total_quota"]) == (
        "normal",
        200,
        0,
        None,
    )
    assert (shown["ip_protection"], shown["declared"]) == (False, False)
    assert shown["created_at"] == "2026-11-18T11:06:40.000Z"


@pytest.mark.parametrize("name", ["", "-shop", "two words", "a" * 65, "shop/1", "商店", "shop\n"])
def test_a_name_that_no_account_can_have_is_refused(database: Database, name: str) -> None:
    with refused("bad_name"):
        write(database, add_account, name)


@pytest.mark.parametrize("quota", [-1, 10**15 + 1])
def test_a_quota_that_cannot_be_is_refused(database: Database, quota: int) -> None:
    with refused("bad_value"):
        write(database, add_account, "shop", {"daily_quota": quota})


def test_a_name_is_taken_once(database: Database) -> None:
    write(database, add_account, "shop")
    with refused("account_exists"):
        write(database, add_account, "shop")
    write(database, add_account, "Shop")
    assert [one["name"] for one in database.read_now(list_accounts)] == ["Shop", "shop"]


def test_of_two_at_once_one_gets_the_name(database: Database) -> None:
    outcomes: list[str] = []

    def add() -> None:
        try:
            write(database, add_account, "shop")
            outcomes.append("added")
        except RefusedError as error:
            outcomes.append(error.code)

    threads = [threading.Thread(target=add) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["account_exists", "added"]


def test_a_change_changes_what_is_given_and_nothing_else(database: Database) -> None:
    write(database, add_account, "shop", {"daily_quota": 5, "total_quota": 9})
    shown = write(database, set_account, "shop", status=Status.FROZEN, quotas={"daily_quota": None, "monthly_quota": 7})
    assert (shown["status"], shown["daily_quota"], shown["monthly_quota"], shown["total_quota"]) == (
        "frozen",
        None,
        7,
        9,
    )
    assert write(database, set_account, "shop", status=Status.NORMAL)["monthly_quota"] == 7


def test_a_change_to_what_is_so_already_is_none(database: Database) -> None:
    write(database, add_account, "shop", {"daily_quota": 5})
    before = database.read_now(read_version)
    write(database, set_account, "shop", status=Status.NORMAL, quotas={"daily_quota": 5})
    assert database.read_now(read_version) == before
    assert len(database.read_now(list_audit)) == 1


def test_an_account_that_is_not_there_cannot_be_changed_shown_or_deleted(database: Database) -> None:
    with refused("account_not_found"):
        write(database, set_account, "shop", status=Status.FROZEN)
    with refused("account_not_found"):
        write(database, delete_account, "shop")
    with refused("account_not_found"):
        database.read_now(show_account, "shop")


def test_an_account_is_deleted_by_its_own_command_only(database: Database) -> None:
    write(database, add_account, "shop")
    with refused("bad_value") as caught:
        write(database, set_account, "shop", status=Status.DELETED)
    assert "account delete shop" in str(caught.value)


def fill(database: Database) -> None:
    add_shop(database)
    write(database, add_tag, "shop", "spring")
    write(database, add_entry, "shop", "198.51.100.1")
    write(database, turn_on, "shop")


def count(database: Database) -> list[int]:
    def ask(connection: Connection) -> list[int]:
        tables = (domains, dkim_keys, addresses, tags, allow_entries)
        return [connection.execute(select(func.count()).select_from(table)).scalar_one() for table in tables]

    return database.read_now(ask)


def test_with_an_account_goes_all_that_it_registered_and_nobody_elses(database: Database) -> None:
    fill(database)
    write(database, add_account, "blog")
    add_verified_domain(database, "example.org", "blog")
    write(database, add_address, NewAddress("me@example.org", Kind.BATCH), grace=GRACE)
    write(database, delete_account, "shop")
    assert count(database) == [1, 1, 1, 0, 0]
    assert [one["address"] for one in database.read_now(list_addresses)] == ["me@example.org"]
    assert [one["name"] for one in database.read_now(list_accounts)] == ["blog"]
    shown = database.read_now(show_account, "shop")
    assert (shown["status"], shown["ip_protection"]) == ("deleted", False)


def test_the_name_of_a_deleted_account_may_be_taken_again_and_begins_with_nothing(database: Database) -> None:
    fill(database)
    write(database, set_account, "shop", quotas={"daily_quota": 5})
    write(database, delete_account, "shop")
    with refused("account_not_found"):
        write(database, set_account, "shop", status=Status.NORMAL)
    shown = write(database, add_account, "shop")
    assert (shown["status"], shown["daily_quota"], shown["ip_protection"]) == ("normal", None, False)
    assert count(database) == [0, 0, 0, 0, 0]
    add_verified_domain(database, "example.com", "shop")


def test_every_change_is_in_the_audit_log_with_who_and_when_and_raises_the_version(database: Database) -> None:
    before = database.read_now(read_version)
    write(database, add_account, "shop", {"daily_quota": 5})
    write(database, set_account, "shop", status=Status.FROZEN)
    write(database, delete_account, "shop")
    log = database.read_now(list_audit)
    assert [(one["what"], one["who"], one["object"], one["account"]) for one in log] == [
        ("account.delete", "cli:tester", "shop", "shop"),
        ("account.set", "cli:tester", "shop", "shop"),
        ("account.add", "cli:tester", "shop", "shop"),
    ]
    assert [one["detail"] for one in log] == [{}, {"status": "frozen"}, {"daily_quota": 5}]
    assert log[0]["at"] == "2026-11-18T11:06:40.000Z"
    assert database.read_now(read_version) == before + 3
    assert database.read_now(list_audit, "blog") == []
