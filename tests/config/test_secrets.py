"""Secrets: where they may stand, and that they never show."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from directmail_relay.config import Config, ConfigError, find_exposed_files

Load = Callable[[str], Config]
BARE = "hostname: mail.example.com\n"


def test_no_secret_shows_in_text(load: Load, full: str) -> None:
    config = load(full)
    shown = f"{config!r} {config} {config.model_dump()} {config.model_dump_json()} {config.database.shown}"
    for secret in ("db-secret", "query-secret", "inline-secret", "file-secret", "domain-secret", "$argon2id$v=19$"):
        assert secret not in shown
    assert config.database.shown == "postgresql://relay:***@localhost/relay"


def test_an_error_beside_a_secret_does_not_show_it(load: Load, full: str) -> None:
    text = full.replace("type: batch", "typ: batch").replace("inline-secret", "[inline-secret]")
    with pytest.raises(ConfigError) as caught:
        load(text)
    assert "secret" not in str(caught.value)
    with pytest.raises(ValidationError) as raw:
        Config.model_validate({"hostname": "x", "accounts": "inline-secret"})
    assert "inline-secret" not in str(raw.value)


def test_the_secret_key_lies_beside_a_database_elsewhere(load: Load, files: Path, tmp_path: Path) -> None:
    elsewhere = load(f'{BARE}database: {{url: "sqlite:///{tmp_path}/relay.db"}}\n')
    assert elsewhere.secret_key_file == tmp_path / "secret.key"
    named = load(f'{BARE}database: {{url: "sqlite:///{tmp_path}/relay.db"}}\nsecret_key_file: secret.key\n')
    assert named.secret_key_file == files / "secret.key"


def test_the_database_url_may_come_from_a_file(load: Load, files: Path) -> None:
    (files / "url").write_text("postgresql://relay:db-secret@localhost/relay\n")
    config = load(f"{BARE}database: {{url_file: url}}\n")
    assert config.database.location == "postgresql://relay:db-secret@localhost/relay"
    assert config.database.path is None


def test_one_newline_at_the_end_of_a_password_file_is_the_editors(load: Load, full: str, files: Path) -> None:
    (files / "odd").write_bytes(b" two spaces  \n\n")
    text = full.replace("password_file: notice.password", "password_file: odd")
    password = load(text).accounts[0].addresses[1].plain_password
    assert password is not None
    assert password.get_secret_value() == " two spaces  \n"


def test_files_that_others_can_read_are_named(load: Load, full: str, files: Path) -> None:
    config = load(full)
    assert find_exposed_files(config) == []
    (files / "notice.password").chmod(0o640)
    try:
        (warning,) = find_exposed_files(config)
    finally:
        (files / "notice.password").chmod(0o600)
    assert warning.path == "accounts[0].addresses[1].password_file"


def test_the_key_of_automatic_dns_may_stand_in_a_file_and_shows_nowhere(load: Load, files: Path) -> None:
    config = load(
        f"{BARE}domains: {{automatic_dns: {{server: 127.0.0.1, key_name: relay, key_secret_file: tsig.secret}}}}\n"
    )
    automatic = config.domains.automatic_dns
    assert automatic is not None
    assert (automatic.key.secret, str(automatic.server)) == ("dHNpZy1zZWNyZXQ=", "127.0.0.1:53")
    assert "dHNpZy" not in f"{config!r} {config.model_dump()} {automatic.key!r}"
    (files / "tsig.secret").chmod(0o644)
    assert [problem.path for problem in find_exposed_files(config)] == ["domains.automatic_dns.key_secret_file"]
    (files / "tsig.secret").chmod(0o600)
