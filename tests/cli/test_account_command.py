"""`account …` and `audit list` through the command line, on both engines."""

from __future__ import annotations

import time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from directmail_relay.cli.account import account_app
from directmail_relay.database.engine import Database
from directmail_relay.policy.quota import period_keys
from directmail_relay.queue.usage import add_used, lock_used
from tests.cli.registering import Commands


@pytest.fixture
def commands(tmp_path: Path, database_url: str) -> Commands:
    return Commands(tmp_path, database_url, time_zone="Asia/Shanghai")


def use(database: Database, account: str, count: int) -> None:
    periods = period_keys(time.time(), ZoneInfo("Asia/Shanghai"))

    def reserve(connection: object) -> None:
        lock_used(connection, [account], periods)  # type: ignore[arg-type] # a Connection, which this test does not name
        add_used(connection, {account: count}, periods)  # type: ignore[arg-type] # as above

    database.write_now(reserve)


def test_an_account_is_shown_in_the_promised_shape(commands: Commands, database: Database) -> None:
    added = commands.asked(account_app, "add", "shop", "--daily-quota", "200")
    use(database, "shop", 12)
    shown = commands.asked(account_app, "show", "shop")
    assert shown == {
        "name": "shop",
        "status": "normal",
        "daily": {"used": 12, "limit": 200},
        "monthly": {"used": 12, "limit": None},
        "total": {"used": 12, "limit": None},
        "ip_protection": False,
        "declared": False,
        "created_at": added["created_at"],
    }
    assert added["daily"] == {"used": 0, "limit": 200}
    assert commands.asked(account_app, "list") == [shown]
    assert "12 of 200" in commands.said(account_app, "show", "shop")
    assert "12 of no limit" in commands.said(account_app, "list")


def test_quotas_and_status_are_set_and_a_quota_is_taken_away(commands: Commands) -> None:
    commands.said(account_app, "add", "shop", "--daily-quota", "5", "--monthly-quota", "6", "--total-quota", "7")
    shown = commands.asked(account_app, "set", "shop", "--status", "frozen", "--daily-quota", "none")
    assert (shown["status"], shown["daily"]["limit"], shown["monthly"]["limit"], shown["total"]["limit"]) == (
        "frozen",
        None,
        6,
        7,
    )
    assert commands.said(account_app, "set", "shop", "--status", "normal") == "account shop is normal\n"


def test_what_an_account_used_stays_counted_when_it_is_deleted_and_its_name_taken_again(
    commands: Commands, database: Database
) -> None:
    commands.said(account_app, "add", "shop")
    use(database, "shop", 3)
    assert commands.asked(account_app, "delete", "shop") == {"name": "shop", "status": "deleted"}
    assert commands.asked(account_app, "list") == []
    assert commands.asked(account_app, "add", "shop")["daily"]["used"] == 3


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["show", "nobody"], "account_not_found", "there is no account nobody"),
        (["set", "nobody", "--status", "frozen"], "account_not_found", "there is no account nobody"),
        (["delete", "nobody"], "account_not_found", "there is no account nobody"),
        (["add", "shop"], "account_exists", "there is an account shop already"),
        (["add", "two words"], "bad_name", "is not an account name"),
        (["add", "new", "--daily-quota", "many"], "bad_value", "--daily-quota takes a number of recipients, or none"),
        (["add", "new", "--total-quota", "9" * 18], "bad_value", "from 0 to"),
        (["set", "shop"], "bad_value", "set what?"),
        (["set", "shop", "--status", "asleep"], "bad_value", "normal, frozen, overdue, restricted, not asleep"),
        (["set", "shop", "--status", "deleted"], "bad_value", "account delete"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_sentence(
    commands: Commands, words: list[str], code: str, says: str
) -> None:
    commands.said(account_app, "add", "shop")
    found, sentence = commands.refused(account_app, *words)
    assert found == code
    assert says in sentence


def test_an_empty_list_says_how_to_begin(commands: Commands) -> None:
    assert "account add NAME" in commands.said(account_app, "list")


def test_a_missing_argument_or_an_unknown_option_is_exit_code_two(commands: Commands) -> None:
    assert commands.run(account_app, "add").exit_code == 2
    assert commands.run(account_app, "add", "shop", "--colour", "red").exit_code == 2
