"""A reload takes the whole file or nothing, and keeps the hashes of passwords that stayed."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from structlog.testing import capture_logs

from directmail_relay.accounts.accounts import add_account
from directmail_relay.accounts.changes import Change
from directmail_relay.accounts.declared import read_declared_hashes
from directmail_relay.accounts.passwords import Passwords
from directmail_relay.app.declared import declare
from directmail_relay.database.engine import Database
from directmail_relay.workers.reloading import Loaded, load, reload
from tests.conftest import START
from tests.fakes.relay_process import make_config
from tests.fakes.way_out import hide


@pytest.fixture
def config(sqlite_url: str) -> dict[str, Any]:
    made = make_config(database={"url": sqlite_url})
    made["accounts"][0]["addresses"].append({"address": "b@test.com", "password": "stays"})
    return made


def write(path: Path, config: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


@pytest.fixture
def database(sqlite_url: str) -> Iterator[Database]:
    opened = Database(sqlite_url)
    yield opened
    opened.close()


@pytest.fixture
def loaded(tmp_path: Path, config: dict[str, Any], database: Database) -> Loaded:
    """As at the start: what it declares is in the database."""
    loaded = load(write(tmp_path / "config.yaml", config))
    declare(database, loaded.config)
    return loaded


def test_versions_count_and_a_hash_changes_with_its_password_alone(
    tmp_path: Path, config: dict[str, Any], loaded: Loaded, database: Database
) -> None:
    before = database.read_now(read_declared_hashes)
    changed = copy.deepcopy(config)
    changed["accounts"][0]["addresses"][0]["password"] = "changed"
    with capture_logs() as logs:
        new = reload(write(tmp_path / "config.yaml", changed), loaded)
    assert new is not None
    assert (loaded.version, new.version) == (1, 2)
    after = database.read_now(read_declared_hashes)
    assert after["b@test.com"] == before["b@test.com"]
    assert after["test@test.com"] != before["test@test.com"]
    assert Passwords().verify(after["test@test.com"], b"changed")
    assert [(line["event"], line["version"]) for line in logs] == [("config_reloaded", 2)]


@pytest.mark.parametrize("text", ["", "hostname: [", "hostname: x y", "\x00", "no_such_key: 1", "a: &a [*a]"])
def test_a_bad_file_changes_nothing_and_every_problem_is_logged(tmp_path: Path, loaded: Loaded, text: str) -> None:
    (tmp_path / "config.yaml").write_text(text, encoding="utf-8")
    with capture_logs() as logs:
        assert reload(tmp_path / "config.yaml", loaded) is None
    (line,) = logs
    assert (line["event"], line["kept_version"]) == ("config_refused", 1)
    assert line["problems"]


def test_a_file_that_is_gone_changes_nothing(tmp_path: Path, loaded: Loaded) -> None:
    (tmp_path / "config.yaml").unlink()
    with capture_logs() as logs:
        assert reload(tmp_path / "config.yaml", loaded) is None
    assert [line["event"] for line in logs] == ["config_refused"]


def test_a_file_that_declares_what_is_registered_changes_nothing(
    tmp_path: Path, config: dict[str, Any], loaded: Loaded, database: Database
) -> None:
    database.write_now(add_account, Change("cli:root", START), "taken")
    before = database.read_now(read_declared_hashes)
    clashing = copy.deepcopy(config)
    clashing["accounts"][0]["addresses"][0]["password"] = "changed"
    clashing["accounts"].append({"name": "taken"})
    with capture_logs() as logs:
        assert reload(write(tmp_path / "config.yaml", clashing), loaded) is None
    (line,) = logs
    assert (line["event"], line["kept_version"]) == ("config_refused", 1)
    assert "taken" in line["problems"][0]
    assert database.read_now(read_declared_hashes) == before


def test_a_database_in_trouble_refuses_the_file(
    tmp_path: Path, config: dict[str, Any], loaded: Loaded, database: Database
) -> None:
    database.write_now(hide, "accounts")
    with capture_logs() as logs:
        assert reload(write(tmp_path / "config.yaml", config), loaded) is None
    (line,) = logs
    assert (line["event"], line["kept_version"]) == ("config_refused", 1)
    assert "cannot be used" in line["problems"][0]


def test_keys_that_wait_for_a_restart_are_named_beside_the_rest(
    tmp_path: Path, config: dict[str, Any], loaded: Loaded
) -> None:
    with capture_logs() as logs:
        new = reload(write(tmp_path / "config.yaml", {**config, "node": 9, "workers": 3}), loaded)
    assert new is not None
    assert [line["event"] for line in logs] == ["config_needs_restart", "config_reloaded"]
    assert logs[0]["keys"] == ["node", "workers"]
