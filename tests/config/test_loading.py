"""Finding and reading the file; what the result holds and what it never shows."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from directmail_relay.config import Config, ConfigError, find_config, load_config, needs_restart
from directmail_relay.config.loading import ENVIRONMENT
from directmail_relay.config.yaml_text import MAX_OCTETS, parse_yaml
from directmail_relay.mail.address import Address
from directmail_relay.mail.message import Kind, Status

Load = Callable[[str], Config]
BARE = "hostname: mail.example.com\n"


def test_hostname_is_enough(load: Load, files: Path) -> None:
    config = load(BARE)
    assert config.database.location == f"sqlite:///{files}/relay.db"
    assert config.database.path == files / "relay.db"
    assert config.secret_key_file == files / "secret.key"
    assert config.domains.spf_include == "spf.mail.example.com"
    assert config.workers is None
    assert config.smtp.listeners[0].tls == "none"


def test_a_full_file_is_read_with_the_files_that_it_names(load: Load, full: str) -> None:
    config = load(full)
    (account,) = config.accounts
    notice, news, hashed = account.addresses
    assert config.hostname == "mail.example.com"
    assert (account.status, account.daily_quota) == (Status.NORMAL, None)
    assert notice.address == Address("notice", "example.com")
    assert (notice.type, news.type) == (Kind.TRIGGER, Kind.BATCH)
    assert news.plain_password is not None
    assert news.plain_password.get_secret_value() == "file-secret"
    assert hashed.plain_password is None
    assert hashed.password_hash is not None
    assert hashed.password_hash.get_secret_value().startswith("$argon2id$v=19$")
    assert account.domains[0].name == "example.com"
    assert account.domains[0].dkim is not None
    assert account.domains[0].dkim.load_key() is not None


def test_a_certificate_turns_silent_listeners_into_starttls(load: Load) -> None:
    tls = "  tls: {certificate: cert.pem, key: key.pem}\n"
    assert load(f"{BARE}smtp:\n{tls}").smtp.listeners[0].tls == "starttls"
    mixed = load(
        f"{BARE}smtp:\n{tls}  listeners: [{{port: 25}}, {{port: 80, tls: none}}, {{port: 465, tls: implicit}}]\n"
    )
    assert [one.tls for one in mixed.smtp.listeners] == ["starttls", "none", "implicit"]


def test_a_config_survives_pickling_with_its_secrets(load: Load, full: str) -> None:
    config = load(full)
    copy = pickle.loads(pickle.dumps(config))
    assert copy == config
    assert copy.accounts[0].addresses[1].plain_password.get_secret_value() == "file-secret"


def test_an_error_survives_pickling() -> None:
    error = ConfigError([])
    with pytest.raises(ConfigError) as caught:
        parse_yaml(b"")
    assert pickle.loads(pickle.dumps(caught.value)).problems == caught.value.problems
    assert pickle.loads(pickle.dumps(error)).problems == []


def test_a_config_cannot_be_changed(load: Load) -> None:
    config = load(BARE)
    with pytest.raises(ValidationError, match="frozen"):
        config.node = 2


def test_a_pipe_or_a_directory_is_no_file(files: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, tmp_path / "missing"):
        with pytest.raises(ConfigError, match="there is no file"):
            load_config(path)


def test_a_file_without_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    path.write_bytes(b"#" * (MAX_OCTETS + 1))
    with pytest.raises(ConfigError, match="larger"):
        load_config(path)


def test_the_file_is_found_in_the_order_of_the_interface(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    Path("config.yaml").touch()
    assert find_config() == Path("config.yaml")
    monkeypatch.setenv(ENVIRONMENT, "/named")
    assert find_config() == Path("/named")
    assert find_config(Path("explicit")) == Path("explicit")


@pytest.mark.skipif(Path("/etc/directmail-relay/config.yaml").exists(), reason="this machine has a configuration")
def test_no_file_at_all_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    with pytest.raises(ConfigError, match="-c FILE"):
        find_config()


@pytest.mark.parametrize(
    ("change", "keys"),
    [
        ("", []),
        ("smtp: {max_rcpt: 10}", []),
        ("node: 2", ["node"]),
        ("workers: 3", ["workers"]),
        ("database: {url: sqlite:///other.db}", ["database"]),
        ("smtp: {listeners: [{port: 2526}]}", ["smtp.listeners"]),
        ("smtp: {listeners: [{auth_without_tls: never}]}", []),
        ("http: {listen: 127.0.0.1:8081}", ["http.listen"]),
        ("http: {trusted_proxies: [127.0.0.1]}", []),
        ("log: {level: debug}", ["log"]),
    ],
)
def test_keys_that_need_a_restart_are_named_when_they_change(load: Load, change: str, keys: list[str]) -> None:
    assert needs_restart(load(BARE), load(BARE + change)) == keys


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
@given(
    content=st.one_of(st.binary(max_size=200), st.text("{}[]:,-&*!?|>#%@`'\"\n\t a0\x00", max_size=60).map(str.encode))
)
def test_any_octets_give_a_mapping_or_a_configerror(content: bytes) -> None:
    try:
        assert isinstance(parse_yaml(content), dict)
    except ConfigError as error:
        assert error.problems  # noqa: PT017 - either outcome is right, a third is not
