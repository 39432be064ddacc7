"""Commands that register make or migrate the database they need; those that look make nothing."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, text

from directmail_relay.cli.account import account_app
from directmail_relay.cli.domain import domain_app
from directmail_relay.database.engine import Database
from directmail_relay.database.migrate import check_schema
from tests.cli.registering import Commands


def test_registering_in_an_empty_folder_makes_the_database(tmp_path: Path) -> None:
    commands = Commands(tmp_path, f"sqlite:///{tmp_path}/relay.db")
    for words in (["list"], ["show", "shop"]):
        code, sentence = commands.refused(account_app, *words)
        assert (code, "run migrate, or start serve" in sentence) == ("schema", True)
    assert commands.refused(domain_app, "list")[0] == "schema"
    assert [one.name for one in tmp_path.iterdir()] == ["config.yaml"]
    assert commands.asked(account_app, "add", "shop")["name"] == "shop"
    assert [one["name"] for one in commands.asked(account_app, "list")] == ["shop"]


def test_registering_in_a_database_without_tables_migrates_it(tmp_path: Path, database: Database) -> None:
    empty(database)
    commands = Commands(tmp_path, database.url.render_as_string(hide_password=False))
    assert commands.refused(account_app, "list")[0] == "schema"
    assert commands.said(account_app, "add", "shop") == "account shop added\n"
    database.read_now(check_schema)


def test_octets_that_are_no_text_are_refused_in_one_sentence(tmp_path: Path, database: Database) -> None:
    commands = Commands(tmp_path, database.url.render_as_string(hide_password=False))
    commands.said(account_app, "add", "shop")
    for words in (["show", "\udcff"], ["delete", "\udcff"], ["add", "\udcff"]):
        code, sentence = commands.refused(account_app, *words)
        assert code in {"account_not_found", "bad_name", "bad_value"}
        assert sentence


def empty(database: Database) -> None:
    """As a database that was only just created."""
    if database.is_sqlite:
        tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
    else:
        tables = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
    names = [row[0] for row in database.read_now(lambda connection: connection.execute(text(tables)).all())]
    cascade = "" if database.is_sqlite else " CASCADE"
    for name in names:
        drop = text(f'DROP TABLE "{name}"{cascade}')
        database.write_now(Connection.execute, drop)
