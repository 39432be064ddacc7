"""Database, disk, clock and secrets: good, about to go wrong, and wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from directmail_relay.accounts.changes import read_version
from directmail_relay.accounts.secret_key import load_or_make_cipher
from directmail_relay.cli.doctor.finding import Severity
from directmail_relay.cli.doctor.place import is_clock_synchronised
from directmail_relay.database.engine import Database
from tests.fakes.doctor_place import (
    GIB,
    MACHINE,
    NOW,
    Examine,
    only,
)


async def test_a_commit_is_made_and_changes_nothing(consult: Examine, sqlite_url: str) -> None:
    database = Database(sqlite_url)
    before = database.read_now(read_version)
    found = await only(consult("database"))
    assert found.severity in {Severity.OK, Severity.WARNING}  # a busy machine may be slow
    assert "a commit took" in found.found
    assert database.read_now(read_version) == before
    database.close()


async def test_no_database_yet_and_an_older_one_are_warnings(consult: Examine, tmp_path: Path) -> None:
    (tmp_path / "relay.db").unlink()
    assert (await only(consult("database"))).severity is Severity.WARNING
    (tmp_path / "relay.db").touch()
    assert "run migrate" in (await only(consult("database"))).found


async def test_a_broken_and_a_newer_database_fail(consult: Examine, tmp_path: Path, sqlite_url: str) -> None:
    database = Database(sqlite_url)
    database.write_now(lambda connection: connection.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    database.close()
    assert (await only(consult("database"))).severity is Severity.FAIL
    for name in ("relay.db", "relay.db-wal", "relay.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    (tmp_path / "relay.db").write_bytes(b"not a database" * 1000)
    broken = await only(consult("database"))
    assert (broken.severity, broken.found) == (Severity.FAIL, "file is not a database")


async def test_postgresql_is_examined_as_well(consult: Examine, postgres_url: str) -> None:
    found = await only(consult("database", database={"url": postgres_url}))
    assert "a commit took" in found.found


@pytest.mark.parametrize(
    ("free", "severity"), [(50, Severity.OK), (5, Severity.WARNING), (0.9, Severity.FAIL), (0, Severity.FAIL)]
)
async def test_room_is_told_before_it_ends(consult: Examine, free: float, severity: Severity) -> None:
    usage = (100 * GIB, round((100 - free) * GIB), round(free * GIB))
    found = await consult("disk", machine=replace(MACHINE, disk_usage=lambda _: usage))
    assert {one.severity for one in found} == {severity}


@pytest.mark.parametrize(
    ("known", "now", "severity"),
    [
        (True, NOW, Severity.OK),
        (False, NOW, Severity.WARNING),
        (None, NOW, Severity.WARNING),
        (True, 1_000_000_000.0, Severity.FAIL),
    ],
)
async def test_the_clock_is_kept_or_not(consult: Examine, known: bool | None, now: float, severity: Severity) -> None:  # noqa: FBT001 - a table
    machine = replace(MACHINE, is_clock_synchronised=lambda: known, clock=lambda: now)
    assert (await only(consult("clock", machine=machine))).severity is severity


def test_the_kernel_tells_or_does_not() -> None:
    assert is_clock_synchronised() in {True, False, None}


async def test_secrets_that_others_read_are_told(consult: Examine, tmp_path: Path) -> None:
    fresh = await only(consult("secret_files"))
    assert fresh.severity is Severity.OK
    assert not (tmp_path / "secret.key").exists()  # the doctor makes nothing
    load_or_make_cipher(tmp_path / "secret.key")
    assert (await only(consult("secret_files"))).severity is Severity.OK
    (tmp_path / "secret.key").chmod(0o644)
    exposed = await only(consult("secret_files"))
    assert exposed.severity is Severity.FAIL
    assert "chmod 600" in exposed.found
