"""What parent and worker tell each other arrives whole, or not at all."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from directmail_relay.accounts.registered import read_picture
from directmail_relay.app.declared import declare, read_declared_keys, without_passwords
from directmail_relay.database.engine import Database
from directmail_relay.submission.node import make_node_memory
from directmail_relay.workers.link import Assignment, encode, read_assignment
from directmail_relay.workers.reloading import load
from tests.conftest import START
from tests.fakes.relay_process import make_config

PASSWORD = "correct-horse-battery"


@pytest.fixture
def assignment(tmp_path: Path, sqlite_url: str) -> Assignment:
    file = tmp_path / "config.yaml"
    made = make_config(workers=2, database={"url": sqlite_url})
    made["accounts"][0]["addresses"][0]["password"] = PASSWORD
    file.write_text(yaml.safe_dump(made), encoding="utf-8")
    loaded = load(file)
    memory = make_node_memory(2)
    memory.close()
    return Assignment(
        version=3,
        config=loaded.config,
        worker=1,
        workers=2,
        smtp_fds=(7,),
        http_fd=8,
        memory=memory,
        log_format="json",
    )


def test_assignments_come_out_as_they_went_in_one_after_the_other(assignment: Assignment) -> None:
    stream = io.BytesIO(encode(assignment) * 2)
    assert read_assignment(stream) == assignment
    assert read_assignment(stream) == assignment
    assert read_assignment(stream) is None


def test_a_password_in_the_file_does_not_travel(assignment: Assignment) -> None:
    """The hashes are in the database: a worker, which talks to strangers, never knows a password."""
    assert PASSWORD.encode() in encode(assignment)
    travelling = replace(assignment, config=without_passwords(assignment.config))
    assert PASSWORD.encode() not in encode(travelling)
    database = Database(travelling.config.database.location)
    declare(database, assignment.config)
    keys = read_declared_keys(travelling.config)
    found = database.read_now(read_picture, START, grace=0.0, declared_keys=keys).directory
    database.close()
    assert found.find_login("test@test.com") is not None


@pytest.mark.parametrize("cut", [1, 3, 4, 100])
def test_an_assignment_that_is_cut_off_is_the_end(assignment: Assignment, cut: int) -> None:
    assert read_assignment(io.BytesIO(encode(assignment)[:cut])) is None
