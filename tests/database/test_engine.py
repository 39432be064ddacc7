"""The engine: one transaction a call, readers that cannot write, writers that take turns, nothing lost silently."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from directmail_relay.database.engine import Database, parse_database_url
from directmail_relay.database.schema import leases


def put_lease(connection: Connection, duty: str) -> None:
    connection.execute(leases.insert().values(duty=duty, owner=1, epoch=1))


def duties(connection: Connection) -> list[str]:
    return list(connection.execute(select(leases.c.duty).order_by(leases.c.duty)).scalars())


def test_what_was_written_can_be_read(database: Database) -> None:
    database.write_now(put_lease, "purge")
    assert database.read_now(duties) == ["purge"]


async def test_the_same_functions_run_in_threads(database: Database) -> None:
    await asyncio.gather(*(database.write(put_lease, f"{n:02}") for n in range(12)))
    assert await database.read(duties) == [f"{n:02}" for n in range(12)]


def test_a_write_that_raises_has_not_happened(database: Database) -> None:
    def fail(connection: Connection) -> None:
        put_lease(connection, "purge")
        raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        database.write_now(fail)
    assert database.read_now(duties) == []


def test_a_read_cannot_write(database: Database) -> None:
    with pytest.raises(DBAPIError, match=r"readonly|read-only"):
        database.read_now(put_lease, "purge")
    database.write_now(put_lease, "purge")  # and the connection it had is none the worse
    assert database.read_now(duties) == ["purge"]


def test_foreign_keys_hold(database: Database) -> None:
    orphan = text("INSERT INTO contents (env_id, content) VALUES (7, 'x')")
    with pytest.raises(IntegrityError):
        database.write_now(lambda connection: connection.execute(orphan))


@pytest.mark.parametrize(
    ("pragma", "value"), [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("wal_autocheckpoint", 0)]
)
def test_sqlite_writes_as_a_queue_needs_it(sqlite_url: str, pragma: str, value: object) -> None:
    database = Database(sqlite_url)
    ask = text(f"PRAGMA {pragma}")
    assert database.write_now(lambda connection: connection.execute(ask).scalar_one()) == value
    database.close()


def test_sqlite_transactions_see_one_moment(sqlite_url: str) -> None:
    database = Database(sqlite_url)

    def read_twice(connection: Connection) -> tuple[list[str], list[str]]:
        before = duties(connection)
        database.write_now(put_lease, "purge")
        return before, duties(connection)

    assert database.read_now(read_twice) == ([], [])
    database.close()


WRITE_MANY = """
import sys
from directmail_relay.database.engine import Database
from directmail_relay.database.schema import leases
database = Database(sys.argv[1])
print("ready", flush=True)
sys.stdin.read(1)
for n in range(200):
    row = {"duty": f"{sys.argv[2]} {n}", "owner": 1, "epoch": 1}
    database.write_now(lambda connection: connection.execute(leases.insert(), row))
database.close()
"""


def test_two_processes_write_to_one_sqlite_file_in_turn(sqlite_url: str) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WRITE_MANY, sqlite_url, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in ("one", "two")
    ]
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    errors = [""] * len(processes)

    def finish(index: int) -> None:
        errors[index] = processes[index].communicate("x", timeout=30)[1]

    threads = [threading.Thread(target=finish, args=(index,)) for index in range(len(processes))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == ["", ""]
    database = Database(sqlite_url)
    assert len(database.read_now(duties)) == 400
    database.close()


def test_the_lock_file_is_its_owners_alone(sqlite_url: str, tmp_path: Path) -> None:
    database = Database(sqlite_url)
    database.write_now(put_lease, "purge")
    assert (tmp_path / "relay.db-lock").stat().st_mode & 0o777 == 0o600
    database.close()


def test_a_deadlock_is_done_again_and_both_are_stored(postgres_url: str) -> None:
    database = Database(postgres_url)
    for duty in ("a", "b"):
        database.write_now(put_lease, duty)
    met = threading.Barrier(2)
    tries: list[str] = []

    def raise_epochs(connection: Connection, first: str, second: str) -> None:
        raise_one = text("UPDATE leases SET epoch = epoch + 1 WHERE duty = :duty")
        tries.append(first)
        connection.execute(raise_one, {"duty": first})
        if tries.count(first) == 1:  # the second time there is nobody to meet
            met.wait(10)
        connection.execute(raise_one, {"duty": second})

    threads = [threading.Thread(target=database.write_now, args=(raise_epochs, *pair)) for pair in ("ab", "ba")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    epochs = database.read_now(lambda connection: connection.execute(select(leases.c.epoch)).scalars().all())
    database.close()
    assert len(tries) == 3
    assert epochs == [3, 3]


def test_a_lost_connection_fails_one_write_and_the_next_has_a_new_one(postgres_url: str) -> None:
    database = Database(postgres_url)
    cut = text("SELECT pg_terminate_backend(pg_backend_pid())")
    with pytest.raises(OperationalError) as caught:
        database.write_now(lambda connection: connection.execute(cut))
    assert caught.value.connection_invalidated
    database.write_now(put_lease, "purge")
    assert database.read_now(duties) == ["purge"]
    database.close()


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("nonsense", "not a database address"),
        ("mysql://host/name", "sqlite or postgresql"),
        ("sqlite://", "must be a file"),
        ("sqlite:///:memory:", "must be a file"),
    ],
)
def test_an_address_that_is_none_is_refused_in_a_sentence(url: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse_database_url(url)


def test_a_database_that_is_not_there_is_no_long_wait(tmp_path: Path) -> None:
    database = Database(f"postgresql://postgres@/none?host={tmp_path}")
    with pytest.raises(OperationalError):
        database.read_now(duties)
    database.close()
