from __future__ import annotations

from pathlib import Path

import pytest

from directmail_relay.cli.account import account_app
from directmail_relay.cli.tag import tag_app
from tests.cli.registering import Commands


@pytest.fixture
def commands(tmp_path: Path, database_url: str) -> Commands:
    made = Commands(tmp_path, database_url)
    made.said(account_app, "add", "shop")
    return made


def test_tags_are_added_listed_and_deleted(commands: Commands) -> None:
    shown = commands.asked(tag_app, "add", "spring", "--account", "shop", "--description", "for May")
    assert (shown["name"], shown["account"], shown["description"]) == ("spring", "shop", "for May")
    assert commands.asked(tag_app, "list") == commands.asked(tag_app, "list", "--account", "shop") == [shown]
    assert "for May" in commands.said(tag_app, "list")
    assert commands.said(tag_app, "delete", "spring", "--account", "shop") == "tag spring of shop deleted\n"
    assert "tag add NAME" in commands.said(tag_app, "list")


def test_a_tag_that_is_there_is_told_with_what_to_do(commands: Commands) -> None:
    commands.said(tag_app, "add", "spring", "--account", "shop")
    assert commands.refused(tag_app, "add", "spring", "--account", "shop") == (
        "tag_exists",
        "the account shop has a tag spring already: show it with tag list, or choose another",
    )


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["add", "a-b", "--account", "shop"], "bad_name"),
        (["add", "spring", "--account", "nobody"], "account_not_found"),
        (["delete", "spring", "--account", "shop"], "tag_not_found"),
        (["list", "--account", "nobody"], "account_not_found"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_sentence(commands: Commands, words: list[str], code: str) -> None:
    assert commands.refused(tag_app, *words)[0] == code


def test_a_tag_needs_an_account(commands: Commands) -> None:
    assert commands.run(tag_app, "add", "spring").exit_code == 2
