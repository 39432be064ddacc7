"""`invalid …` as operators and scripts use it, on both engines."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection
from typer.testing import CliRunner, Result

from directmail_relay.accounts.accounts import add_account
from directmail_relay.accounts.changes import Change, list_audit
from directmail_relay.accounts.invalid_addresses import add_hits
from directmail_relay.cli import invalid_work
from directmail_relay.cli.csv_output import guard, unguard
from directmail_relay.cli.invalid import invalid_app
from directmail_relay.database.engine import Database
from tests.queue.mail import final_event

Run = Callable[..., Result]
DAY = 86_400.0
NOW = time.time()


@pytest.fixture
def run(tmp_path: Path, database_url: str) -> Run:
    path = tmp_path / "config.yaml"
    path.write_text(json.dumps({"hostname": "mail.example.com", "database": {"url": database_url}}))

    def ask(*words: str) -> Result:
        return CliRunner().invoke(invalid_app, [*words, "-c", str(path)])

    return ask


@pytest.fixture(autouse=True)
def filled(database: Database) -> None:
    """`new` is of today, `old` of forty days ago, `=odd` of yesterday."""
    for name in ("shop", "other"):
        database.write_now(add_account, Change("cli:root", NOW), name)
    hits = [("new@x.test", NOW), ("old@x.test", NOW - 40 * DAY), ("=odd@x.test", NOW - DAY)]
    events = [replace(final_event(1), rcpt=rcpt, end_time=at, status=2, err_msg="550 no") for rcpt, at in hits]

    def add(connection: Connection) -> None:
        add_hits(connection, events, after_retries=False)

    database.write_now(add)


def document(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def refused(result: Result) -> str:
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1
    return result.stderr


def test_list_as_json_is_the_promised_array_of_the_last_thirty_days(run: Run) -> None:
    found = document(run("list", "--account", "shop", "--json"))
    assert [one["address"] for one in found] == ["new@x.test", "=odd@x.test"]
    assert list(found[0]) == ["address", "reply", "since", "last"]
    assert found[0]["reply"] == "550 no"
    assert document(run("list", "--account", "other", "--json")) == []


def test_a_span_is_of_whole_days_in_the_zone_of_the_configuration(run: Run) -> None:
    zone = ZoneInfo("Asia/Shanghai")
    day = datetime.fromtimestamp(NOW - 40 * DAY, zone).date().isoformat()
    found = document(run("list", "--account", "shop", "--since", day, "--until", day, "--json"))
    assert [one["address"] for one in found] == ["old@x.test"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--since", "2026-01-01", "--until", "2026-01-31"), "31 days"),
        (("--since", "2026-01-02", "--until", "2026-01-01"), "turn them round"),
        (("--since", "yesterday"), "not yesterday"),
        (("--limit", "none"), "--limit"),
    ],
)
def test_a_span_that_makes_no_sense_is_refused_in_a_sentence(run: Run, words: tuple[str, ...], sentence: str) -> None:
    assert sentence in refused(run("list", "--account", "shop", *words))


def test_thirty_days_are_allowed(run: Run) -> None:
    document(run("list", "--account", "shop", "--since", "2026-01-01", "--until", "2026-01-30", "--json"))


def test_a_limit_says_that_there_may_be_more(run: Run) -> None:
    result = run("list", "--account", "shop", "--limit", "1")
    assert "new@x.test" in result.stdout
    assert "=odd" not in result.stdout
    assert "first 1" in result.stderr


def test_search_finds_any_part_of_an_address_however_old(run: Run) -> None:
    assert [one["address"] for one in document(run("search", "OLD@", "--account", "shop", "--json"))] == ["old@x.test"]
    assert "no invalid address of shop has nothing in it" in run("search", "nothing", "--account", "shop").stdout


def test_export_is_csv_that_no_spreadsheet_takes_for_a_formula(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invalid_work, "PAGE", 2)
    result = run("export", "--account", "shop")
    assert result.exit_code == 0
    rows = list(csv.reader(io.StringIO(result.stdout_bytes.decode("utf-8"))))
    assert rows[0] == ["address", "reply", "since", "last"]
    assert sorted(row[0] for row in rows[1:]) == ["'=odd@x.test", "new@x.test", "old@x.test"]
    assert len(document(run("export", "--account", "shop", "--json"))) == 3


@pytest.mark.parametrize("text", ["", "a", "=1", "+1", "-1", "@x", "'a", "\tx", "'=x"])
def test_what_was_guarded_is_read_back_as_it_was(text: str) -> None:
    assert not guard(text).startswith(("=", "+", "-", "@", "\t", "\r"))
    if not text.startswith("'="):  # who writes an apostrophe before a formula means the guard
        assert unguard(guard(text)) == text


def test_delete_lets_mail_go_out_again_and_is_recorded(run: Run, database: Database) -> None:
    assert run("delete", "NEW@x.test", "--account", "shop").exit_code == 0
    assert document(run("search", "new", "--account", "shop", "--json")) == []
    row = database.read_now(list_audit)[0]
    assert (row["what"], row["object"], row["account"]) == ("invalid.delete", "new@x.test", "shop")
    assert row["who"].startswith("cli:")
    assert "not among the invalid addresses" in refused(run("delete", "new@x.test", "--account", "shop"))


def test_what_belongs_to_another_account_is_not_found(run: Run) -> None:
    result = run("delete", "new@x.test", "--account", "other", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["error"]["code"] == "invalid_address_not_found"


@pytest.mark.parametrize("words", [("list",), ("search", "x"), ("export",), ("delete", "a@x.test")])
def test_an_account_that_is_not_there_is_refused(run: Run, words: tuple[str, ...]) -> None:
    assert "there is no account nobody" in refused(run(*words, "--account", "nobody"))


def test_an_account_must_be_named(run: Run) -> None:
    assert run("list").exit_code == 2
