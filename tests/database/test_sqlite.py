"""SQLite's log: it is moved beside the writers, and begins anew however busy they are."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from directmail_relay.database.engine import Database
from directmail_relay.database.migrate import migrate
from directmail_relay.database.sqlite import WriteLock, checkpoint

BIG = text("INSERT INTO outbox (created, xact, event) VALUES (1, 0, :event)")


@pytest.fixture
def database(sqlite_url: str) -> Iterator[Database]:
    opened = Database(sqlite_url)
    yield opened
    opened.close()


def write_kilobytes(database: Database, kilobytes: int) -> None:
    database.write_now(lambda connection: connection.execute(BIG, {"event": "x" * kilobytes * 1024}))


def log_of(database: Database) -> Path:
    assert database.path
    return database.path.with_name(database.path.name + "-wal")


def test_a_small_log_is_left_alone(database: Database) -> None:
    write_kilobytes(database, 10)
    assert database.path
    before = database.path.read_bytes()
    assert 0 < checkpoint(database.path) < 4 * 1024 * 1024
    assert database.path.read_bytes() == before


def test_what_is_moved_is_in_the_file_itself_and_the_log_is_written_from_its_beginning_again(
    database: Database,
) -> None:
    assert database.path
    write_kilobytes(database, 600)
    size = log_of(database).stat().st_size
    before = database.path.stat().st_size
    assert checkpoint(database.path, at_least_bytes=100 * 1024) == size
    assert database.path.stat().st_size > before + 500 * 1024
    write_kilobytes(database, 600)
    assert log_of(database).stat().st_size == pytest.approx(size, rel=0.05)


def test_a_checkpoint_beside_a_reader_and_a_writer_waits_for_neither(database: Database) -> None:
    assert database.path
    path = database.path
    write_kilobytes(database, 200)
    done = threading.Event()

    def move_log() -> None:
        checkpoint(path, at_least_bytes=100 * 1024)
        done.set()

    def move(_connection: Connection) -> None:
        thread = threading.Thread(target=move_log)
        thread.start()
        thread.join(10)

    def read_meanwhile(connection: Connection) -> None:
        connection.execute(text("SELECT count(*) FROM outbox")).scalar_one()
        database.write_now(move)

    database.read_now(read_meanwhile)
    assert done.is_set()


def beginnings(database: Database) -> int:
    """How often the log began anew: the `checkpoint sequence number` in its header (SQLite, file format, 4.1)."""
    with log_of(database).open("rb") as log:
        return int.from_bytes(log.read(16)[12:], "big")


def test_the_log_begins_anew_under_a_writer_that_never_pauses(database: Database) -> None:
    """Moved beside the writers alone, some page always remains, and the log grows until the disk is full."""
    assert database.path
    stop = threading.Event()
    written = 0

    def write_on() -> None:
        nonlocal written
        while not stop.is_set():
            write_kilobytes(database, 20)
            written += 20

    write_kilobytes(database, 20)
    before = beginnings(database)
    writer = threading.Thread(target=write_on)
    writer.start()
    try:
        while beginnings(database) < before + 3 and written < 400_000:
            checkpoint(database.path, at_least_bytes=256 * 1024)
    finally:
        stop.set()
        writer.join()
    assert beginnings(database) >= before + 3


def test_the_write_lock_lets_one_in_at_a_time(tmp_path: Path) -> None:
    locks = [WriteLock(tmp_path / "lock") for _ in range(2)]  # as two processes have them
    inside, most = 0, 0

    def enter(lock: WriteLock) -> None:
        nonlocal inside, most
        for _ in range(200):
            with lock:
                inside += 1
                most = max(most, inside)
                inside -= 1

    threads = [threading.Thread(target=enter, args=(lock,)) for lock in locks * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for lock in locks:
        lock.close()
    assert most == 1


def test_the_files_are_nobody_elses_to_read(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        database = Database(f"sqlite:///{tmp_path / 'relay.db'}")
        migrate(database)
        modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    finally:
        os.umask(before)
    database.close()
    assert {"relay.db", "relay.db-wal", "relay.db-shm", "relay.db-lock"} <= set(modes)
    assert set(modes.values()) == {0o600}


def test_a_second_database_object_leaves_the_locks_of_the_first_alone(tmp_path: Path) -> None:
    """Else another process, closing the file, would remove the log that this one writes to."""
    url = f"sqlite:///{tmp_path / 'relay.db'}"
    first = Database(url)
    migrate(first)
    Database(url).close()
    other = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT 1 FROM outbox').fetchall(); c.close()"
    )
    subprocess.run([sys.executable, "-c", other, str(tmp_path / "relay.db")], check=True)
    assert (tmp_path / "relay.db-wal").exists()
    write_kilobytes(first, 1)
    first.close()
    second = Database(url)
    assert second.read_now(lambda connection: connection.execute(text("SELECT count(*) FROM outbox")).scalar_one()) == 1
    second.close()
