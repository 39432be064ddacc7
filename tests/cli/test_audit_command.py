from __future__ import annotations

from pathlib import Path

import pytest

from directmail_relay.cli.account import account_app
from directmail_relay.cli.audit import audit_app
from directmail_relay.cli.registering import who
from directmail_relay.cli.tag import tag_app
from tests.cli.registering import Commands


@pytest.fixture
def commands(tmp_path: Path, database_url: str) -> Commands:
    return Commands(tmp_path, database_url)


def test_every_change_is_listed_with_who_and_when_the_newest_first(
    commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUDO_USER", "anna")
    commands.said(account_app, "add", "shop")
    commands.said(account_app, "add", "blog")
    commands.said(tag_app, "add", "spring", "--account", "shop")
    log = commands.asked(audit_app, "list")
    assert [(one["who"], one["what"], one["object"]) for one in log] == [
        ("cli:anna", "tag.add", "spring"),
        ("cli:anna", "account.add", "blog"),
        ("cli:anna", "account.add", "shop"),
    ]
    assert all(one["at"].endswith("Z") for one in log)
    assert [one["object"] for one in commands.asked(audit_app, "list", "--account", "shop")] == ["spring", "shop"]
    assert len(commands.asked(audit_app, "list", "--limit", "1")) == 1
    assert "tag.add" in commands.said(audit_app, "list")


def test_nothing_changed_yet_is_said(commands: Commands) -> None:
    assert commands.said(audit_app, "list") == "nothing has been changed yet\n"
    assert commands.asked(audit_app, "list") == []


def test_a_limit_that_is_no_number_is_refused(commands: Commands) -> None:
    assert commands.refused(audit_app, "list", "--limit", "some")[0] == "bad_value"


def test_who_it_was_is_the_user_where_nobody_used_sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUDO_USER", raising=False)
    monkeypatch.setenv("LOGNAME", "bert")
    assert who() == "cli:bert"
