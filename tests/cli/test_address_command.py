"""`address …` through the command line, on both engines."""

from __future__ import annotations

from pathlib import Path

import pytest

from directmail_relay.accounts.addresses import read_password_hash
from directmail_relay.accounts.passwords import Passwords
from directmail_relay.cli.account import account_app
from directmail_relay.cli.address import address_app
from directmail_relay.cli.audit import audit_app
from directmail_relay.database.engine import Database
from tests.cli.registering import Commands, verify

GOOD, OTHER = "SmtpPass12", "SmtpPass34"


@pytest.fixture
def commands(tmp_path: Path, database_url: str, database: Database) -> Commands:
    made = Commands(tmp_path, database_url)
    made.said(account_app, "add", "shop")
    verify(database, "example.com")
    return made


def test_an_address_is_added_with_a_password_that_is_stored_hashed(commands: Commands, database: Database) -> None:
    words = ("add", "Notice@example.com", "--type", "trigger", "--password-stdin")
    shown = commands.asked(address_app, *words, stdin=f"{GOOD}\n")
    assert (shown["address"], shown["account"], shown["type"], shown["has_password"]) == (
        "notice@example.com",
        "shop",
        "trigger",
        True,
    )
    stored = database.read_now(read_password_hash, "notice@example.com")
    assert stored is not None
    assert Passwords().verify(stored, GOOD.encode())
    assert GOOD not in str(commands.asked(audit_app, "list")) + commands.said(address_app, "list")
    assert commands.asked(address_app, "list", "--account", "shop") == [shown]


def test_without_a_password_people_are_told_how_to_set_one(commands: Commands) -> None:
    said = commands.said(address_app, "add", "news@example.com", "--type", "batch")
    assert "address password news@example.com --password-stdin" in said
    assert commands.asked(address_app, "password", "news@example.com", "--password-stdin", stdin=GOOD)["has_password"]


def test_a_password_is_changed_to_another_one_by_the_rule(commands: Commands) -> None:
    commands.said(address_app, "add", "news@example.com", "--type", "batch", "--password-stdin", stdin=GOOD)
    words = ("password", "news@example.com", "--password-stdin")
    for bad, says in ((GOOD, "is set already"), ("short", "10 to 20 characters"), ("", "no password")):
        code, sentence = commands.refused(address_app, *words, stdin=f"{bad}\n")
        assert code == "bad_password"
        assert says in sentence
    assert commands.said(address_app, *words, stdin=OTHER) == "the password of news@example.com is set\n"
    assert commands.run(address_app, "password", "news@example.com").exit_code == 2


def test_an_address_is_frozen_unfrozen_and_deleted(commands: Commands) -> None:
    commands.said(address_app, "add", "news@example.com", "--type", "batch")
    assert commands.asked(address_app, "freeze", "NEWS@example.com")["frozen"] is True
    assert "yes" in commands.said(address_app, "list")
    assert commands.asked(address_app, "unfreeze", "news@example.com")["frozen"] is False
    assert commands.said(address_app, "delete", "news@example.com") == "address news@example.com deleted\n"
    assert commands.asked(address_app, "list") == []
    assert "address add ADDRESS" in commands.said(address_app, "list")


def test_a_reply_mailbox_waits_for_its_verification(commands: Commands) -> None:
    commands.said(address_app, "add", "news@example.com", "--type", "batch")
    shown = commands.asked(address_app, "reply-to", "news@example.com", "me@example.net")
    assert (shown["reply_to"], shown["reply_to_verified"]) == ("me@example.net", False)


def test_an_address_that_is_taken_is_told_with_what_to_do(commands: Commands) -> None:
    words = ("add", "news@example.com", "--type", "batch")
    commands.said(address_app, *words)
    assert commands.refused(address_app, *words) == (
        "address_exists",
        "news@example.com is registered already: show it with address list, or choose another",
    )


def test_a_mailbox_refused_too_soon_leaves_the_address_as_it_was(commands: Commands) -> None:
    commands.said(address_app, "add", "news@example.com", "--type", "batch")
    commands.said(address_app, "reply-to", "news@example.com", "me@example.net")
    before = commands.asked(address_app, "list"), commands.asked(audit_app, "list")
    assert commands.refused(address_app, "reply-to", "news@example.com", "you@example.net")[0] == "too_soon"
    assert (commands.asked(address_app, "list"), commands.asked(audit_app, "list")) == before


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["add", "news@example.org", "--type", "batch"], "domain_not_found"),
        (["add", "news@example.com", "--type", "bulk"], "bad_value"),
        (["add", "nowhere", "--type", "batch"], "bad_address"),
        (["freeze", "nobody@example.com"], "address_not_found"),
        (["unfreeze", "nobody@example.com"], "address_not_found"),
        (["delete", "nobody@example.com"], "address_not_found"),
        (["reply-to", "nobody@example.com", "me@example.net"], "address_not_found"),
        (["list", "--account", "nobody"], "account_not_found"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_sentence(commands: Commands, words: list[str], code: str) -> None:
    assert commands.refused(address_app, *words)[0] == code
