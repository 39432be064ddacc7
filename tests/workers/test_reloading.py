"""A reload takes the whole file or nothing, and keeps the hashes of passwords that stayed."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from structlog.testing import capture_logs

from directmail_relay.accounts.passwords import Passwords
from directmail_relay.workers.reloading import Loaded, load, reload
from tests.fakes.relay_process import make_config


@pytest.fixture
def config() -> dict[str, Any]:
    made = make_config()
    made["accounts"][0]["addresses"].append({"address": "b@test.com", "password": "stays"})
    return made


def write(path: Path, config: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


@pytest.fixture
def loaded(tmp_path: Path, config: dict[str, Any]) -> Loaded:
    return load(write(tmp_path / "config.yaml", config))


def test_versions_count_and_a_hash_changes_with_its_password_alone(
    tmp_path: Path, config: dict[str, Any], loaded: Loaded
) -> None:
    changed = copy.deepcopy(config)
    changed["accounts"][0]["addresses"][0]["password"] = "changed"
    with capture_logs() as logs:
        new = reload(write(tmp_path / "config.yaml", changed), loaded)
    assert new is not None
    assert (loaded.version, new.version) == (1, 2)
    assert new.hashes["b@test.com"] == loaded.hashes["b@test.com"]
    assert new.hashes["test@test.com"] != loaded.hashes["test@test.com"]
    assert Passwords().verify(new.hashes["test@test.com"], b"changed")
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


def test_keys_that_wait_for_a_restart_are_named_beside_the_rest(
    tmp_path: Path, config: dict[str, Any], loaded: Loaded
) -> None:
    with capture_logs() as logs:
        new = reload(write(tmp_path / "config.yaml", {**config, "node": 9, "workers": 3}), loaded)
    assert new is not None
    assert [line["event"] for line in logs] == ["config_needs_restart", "config_reloaded"]
    assert logs[0]["keys"] == ["node", "workers"]
