from __future__ import annotations

from pathlib import Path

import pytest

from directmail_relay.cli.account import account_app
from directmail_relay.cli.ip import ip_app
from tests.cli.registering import Commands

SHOP = ("--account", "shop")


@pytest.fixture
def commands(tmp_path: Path, database_url: str) -> Commands:
    made = Commands(tmp_path, database_url)
    made.said(account_app, "add", "shop")
    return made


def test_protection_is_filled_turned_on_and_off(commands: Commands) -> None:
    assert commands.asked(ip_app, "add", "220.181.12.9/24", *SHOP)["entry"] == "220.181.12.0/24"
    assert commands.asked(ip_app, "on", *SHOP) == {"account": "shop", "ip_protection": True}
    assert [one["entry"] for one in commands.asked(ip_app, "list", *SHOP)] == ["220.181.12.0/24"]
    assert commands.said(ip_app, "list", *SHOP).startswith("IP protection of shop is on, 1 of 10 entries\n")
    assert commands.asked(account_app, "show", "shop")["ip_protection"] is True
    assert commands.asked(ip_app, "off", *SHOP) == {"account": "shop", "ip_protection": False}
    assert (
        commands.said(ip_app, "remove", "220.181.12.0/24", *SHOP) == "220.181.12.0/24 removed from the list of shop\n"
    )
    assert commands.said(ip_app, "list", *SHOP) == "IP protection of shop is off, 0 of 10 entries\n"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["on", *SHOP], "empty_list"),
        (["add", "10.0.0.1", *SHOP], "private_range"),
        (["add", "here", *SHOP], "bad_entry"),
        (["remove", "220.181.12.1", *SHOP], "entry_not_found"),
        (["list", "--account", "nobody"], "account_not_found"),
        (["off", "--account", "nobody"], "account_not_found"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_sentence(commands: Commands, words: list[str], code: str) -> None:
    assert commands.refused(ip_app, *words)[0] == code


@pytest.mark.parametrize("word", ["add", "remove"])
def test_what_is_no_entry_is_told_with_what_to_write(commands: Commands, word: str) -> None:
    assert commands.refused(ip_app, word, "junk", *SHOP) == (
        "bad_entry",
        "'junk' is not an IP address: write one address, a range a-b, or a CIDR block",
    )


def test_the_configuration_may_allow_private_addresses(tmp_path: Path, database_url: str) -> None:
    commands = Commands(tmp_path, database_url, ip_protection={"allow_private": True})
    commands.said(account_app, "add", "shop")
    assert commands.asked(ip_app, "add", "10.0.0.1", *SHOP)["entry"] == "10.0.0.1"
