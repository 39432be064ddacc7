"""`check-config` as a function: what it prints, where, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from directmail_relay.cli.check_config import check_config


@pytest.fixture
def good(files: Path) -> Path:
    path = files / "good.yaml"
    path.write_text(
        "hostname: mail.example.com\n"
        "database: {url: 'postgresql://relay:db-secret@localhost/relay'}\n"
        "accounts: [{name: shop, domains: [{name: example.com, password_file: domain.password}]}]\n"
    )
    path.chmod(0o600)
    return path


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "bad.yaml"
    path.write_text("smtp: {max_rcpt: 0}\n")
    return path


def test_a_good_file_is_summed_up_without_its_secrets(good: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check_config(good) == 0
    out, err = capsys.readouterr()
    assert f"{good} is good" in out
    assert "postgresql://relay:***@localhost/relay" in out
    assert "db-secret" not in out
    assert err == ""


def test_an_exposed_secret_is_a_warning_and_no_error(good: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secret = good.with_name("domain.password")
    secret.chmod(0o644)
    try:
        assert check_config(good) == 0
        assert check_config(good, as_json=True) == 0
    finally:
        secret.chmod(0o600)
    out, err = capsys.readouterr()
    assert err == f"warning: accounts[0].domains[0].password_file: others can read {secret}: chmod 600 {secret}\n"
    document = json.loads(out.splitlines()[-1])
    assert document["ok"] is True
    assert document["warnings"][0]["path"] == "accounts[0].domains[0].password_file"


def test_a_bad_file_ends_with_78_and_a_line_for_each_problem(bad: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check_config(bad) == 78
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "hostname: is missing: give it a value\nsmtp.max_rcpt: must be 1 or more\n"


def test_a_file_with_a_password_in_it_should_be_private_too(good: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good.chmod(0o644)
    assert check_config(good) == 0
    assert capsys.readouterr().err == f"warning: others can read {good}: chmod 600 {good}\n"
    good.write_text("hostname: mail.example.com\n")
    assert check_config(good) == 0
    assert capsys.readouterr().err == ""


def test_json_has_the_problems_in_one_document_on_stdout(bad: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check_config(bad, as_json=True) == 78
    out, err = capsys.readouterr()
    assert err == ""
    assert json.loads(out) == {
        "error": {
            "code": "config",
            "message": "hostname: is missing: give it a value",
            "problems": [
                {"path": "hostname", "message": "is missing: give it a value"},
                {"path": "smtp.max_rcpt", "message": "must be 1 or more"},
            ],
        }
    }
