"""`export`: what it prints is what the configuration takes, and declares the same."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from directmail_relay.accounts.accounts import list_accounts, show_account
from directmail_relay.accounts.addresses import list_addresses, set_domain_password
from directmail_relay.accounts.passwords import hash_password
from directmail_relay.app.declared import declare
from directmail_relay.cli.account import account_app
from directmail_relay.cli.address import address_app
from directmail_relay.cli.export import export_command
from directmail_relay.cli.ip import ip_app
from directmail_relay.cli.options import AsJson, ConfigFile
from directmail_relay.cli.tag import tag_app
from directmail_relay.config import load_config
from directmail_relay.database.engine import Database
from directmail_relay.database.migrate import migrate
from tests.accounts.registering import write
from tests.cli.registering import Commands, verify

export_app = typer.Typer()


@export_app.command()
def _export(*, config: ConfigFile = None, as_json: AsJson = False) -> None:
    export_command(config, as_json=as_json)


@pytest.fixture
def commands(tmp_path: Path, database_url: str) -> Commands:
    return Commands(tmp_path, database_url)


@pytest.fixture
def filled(commands: Commands, database: Database) -> Commands:
    commands.said(account_app, "add", "shop", "--daily-quota", "200", "--total-quota", "9")
    commands.said(account_app, "add", "blog")
    commands.said(account_app, "set", "blog", "--status", "frozen")
    verify(database, "example.com", "example.net")
    write(database, set_domain_password, "example.net", hash_password("SmtpPass12"))
    for name in ("notice", "cold"):
        words = ("add", f"{name}@example.com", "--type", "batch", "--password-stdin")
        commands.said(address_app, *words, stdin="SmtpPass12")
    commands.said(address_app, "add", "mute@example.com", "--type", "trigger")
    commands.said(address_app, "freeze", "cold@example.com")
    commands.said(ip_app, "add", "220.181.12.0/24", "--account", "shop")
    commands.said(ip_app, "on", "--account", "shop")
    commands.said(tag_app, "add", "spring", "--account", "shop")
    return commands


def load_elsewhere(folder: Path, exported: str) -> Path:
    path = folder / "elsewhere.yaml"
    path.write_text(f"hostname: mail.example.com\ndatabase: {{url: 'sqlite:///elsewhere.db'}}\n{exported}")
    return path


def test_what_is_exported_declares_the_same(filled: Commands, database: Database, tmp_path: Path) -> None:
    config = load_config(load_elsewhere(tmp_path, filled.said(export_app)))
    elsewhere = Database(config.database.location)
    try:
        migrate(elsewhere)
        declare(elsewhere, config)
        for name in ("shop", "blog"):
            here, there = database.read_now(show_account, name), elsewhere.read_now(show_account, name)
            same = ("status", "daily_quota", "monthly_quota", "total_quota", "ip_protection")
            assert [here[key] for key in same] == [there[key] for key in same]
        assert [one["address"] for one in elsewhere.read_now(list_addresses)] == ["notice@example.com"]
        assert elsewhere.read_now(list_addresses)[0]["type"] == "batch"
        assert not declare(elsewhere, config)
    finally:
        elsewhere.close()
    domains = {one.name: one for account in config.accounts for one in account.domains}
    assert {name for name, one in domains.items() if one.verified} == {"example.com", "example.net"}
    assert domains["example.net"].has_password


def test_what_a_file_cannot_say_stands_in_comments(filled: Commands) -> None:
    exported = filled.said(export_app)
    assert "# left out, for it is frozen: cold@example.com" in exported
    assert "# left out, for it is without a password: mute@example.com" in exported
    assert "# tags, to be added by command: spring" in exported
    assert "key_file: example.com.s20261118.pem" in exported
    assert "not a key" not in exported


def test_json_has_the_same_section(filled: Commands) -> None:
    document = filled.asked(export_app)
    assert [one["name"] for one in document["accounts"]] == ["blog", "shop"]
    assert "tags, to be added by command: spring" in document["notes"]["shop"]


def test_what_is_declared_is_in_the_file_already(commands: Commands, database: Database) -> None:
    shop = {"name": "shop", "domains": [{"name": "example.com", "verified": True}]}
    declaring = Commands(commands.file.parent, str(database.url.render_as_string(hide_password=False)), accounts=[shop])
    declare(database, load_config(declaring.file))
    assert [one["name"] for one in database.read_now(list_accounts)] == ["shop"]
    assert declaring.said(export_app).endswith("accounts: []\n")
    declaring.said(
        address_app, "add", "notice@example.com", "--type", "trigger", "--password-stdin", stdin="SmtpPass12"
    )
    document = declaring.asked(export_app)
    assert list(document["accounts"][0]) == ["name", "addresses"]
    assert document["notes"]["shop"] == ["shop is declared already: merge what follows into its entry"]
