"""What is no error but probably not meant is told as a warning, with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from directmail_relay.config import find_doubts, load_config


def doubts(folder: Path, text: str) -> list[str]:
    path = folder / "config.yaml"
    path.write_text(f"hostname: mail.example.com\n{text}")
    return [f"{doubt.path}: {doubt.message}" for doubt in find_doubts(load_config(path), path)]


def test_an_ordinary_file_raises_none(tmp_path: Path) -> None:
    assert doubts(tmp_path, "smtp: {listeners: [{address: 127.0.0.1, port: 2525}]}\n") == []


@pytest.mark.parametrize(
    ("listener", "beginning"),
    [
        ("{address: 0.0.0.0, port: 2525}", "smtp.listeners[0]: only programs on this machine can log in here"),
        ("{address: 127.0.0.1, port: 2525, auth_without_tls: never}", "smtp.listeners[0]: nobody can log in here"),
    ],
)
def test_a_listener_where_nobody_can_log_in_is_told(tmp_path: Path, listener: str, beginning: str) -> None:
    (found,) = doubts(tmp_path, f"smtp: {{listeners: [{listener}]}}\n")
    assert found.startswith(beginning)


def test_an_open_network_by_choice_is_not_told(tmp_path: Path) -> None:
    assert doubts(tmp_path, "smtp: {listeners: [{address: 0.0.0.0, port: 2525, auth_without_tls: always}]}\n") == []


def test_a_database_in_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    (found,) = doubts(tmp_path, "database: {url: 'sqlite:///nowhere/relay.db'}\n")
    assert found.startswith(f"database.url: the folder {tmp_path / 'nowhere'} does not exist yet")


def test_mail_that_will_not_be_signed_is_told(tmp_path: Path) -> None:
    account = "accounts: [{name: shop, addresses: [{address: a@example.org, password_hash: %s}]}]\n"
    password_hash = "'$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g'"
    (found,) = doubts(tmp_path, account % password_hash)
    assert found.startswith("accounts[0].addresses[0].address: mail from example.org is not signed")
