"""Migrating: from nothing, again, from two processes at once; and never what a newer program has made."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

from directmail_relay.database.engine import Database
from directmail_relay.database.migrate import SchemaTooNewError, migrate
from directmail_relay.database.schema import metadata

MIGRATE = """
import sys
from directmail_relay.database.engine import Database
from directmail_relay.database.migrate import migrate
database = Database(sys.argv[1])
print("ready", flush=True)
sys.stdin.read(1)
print(*migrate(database))
database.close()
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'relay.db'}"
    make: Callable[[], str] = request.getfixturevalue("fresh_postgres")
    return make()


@pytest.fixture
def empty(empty_url: str) -> Iterator[Database]:
    opened = Database(empty_url)
    yield opened
    opened.close()


def tables(database: Database) -> set[str]:
    return set(database.read_now(lambda connection: inspect(connection).get_table_names()))


def test_an_empty_database_gets_every_table(empty: Database) -> None:
    before, after = migrate(empty)
    assert before is None
    assert after
    assert tables(empty) == {*metadata.tables, "alembic_version"}


def test_a_second_time_changes_nothing(empty: Database) -> None:
    _, head = migrate(empty)
    assert migrate(empty) == (head, head)


def differences(connection: Connection) -> list[object]:
    return list(compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata))


def index_definitions(connection: Connection) -> list[tuple[str, str, list[str | None], str]]:
    """compare_metadata does not look at the WHERE of an index."""
    return sorted(
        (table, str(index["name"]), index["column_names"], str(index.get("dialect_options", {}).get(where)))
        for table in metadata.tables
        for index in inspect(connection).get_indexes(table)
        for where in (f"{connection.dialect.name}_where",)
    )


def test_the_migrations_build_exactly_the_schema(empty: Database) -> None:
    migrate(empty)
    assert empty.read_now(differences) == []
    migrated = empty.read_now(index_definitions)
    assert len(migrated) >= 4
    empty.write_now(metadata.drop_all)
    empty.write_now(metadata.create_all)
    assert empty.read_now(index_definitions) == migrated


def test_sqlite_tables_are_kept_alike(sqlite_url: str, tmp_path: Path) -> None:
    migrated, made = Database(sqlite_url), Database(f"sqlite:///{tmp_path / 'made.db'}")
    made.write_now(metadata.create_all)
    ask = text("SELECT name FROM pragma_table_list WHERE wr ORDER BY name")
    names = [one.read_now(lambda connection: connection.execute(ask).scalars().all()) for one in (migrated, made)]
    migrated.close()
    made.close()
    assert names[0] == names[1] == ["attempts", "recipients"]


def test_two_processes_at_once_migrate_once(empty_url: str) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", MIGRATE, empty_url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in processes:  # both wait at the line: off they go
        assert process.stdin
        process.stdin.write("x")
        process.stdin.flush()
    answers = sorted(process.communicate(timeout=30)[0].split()[0] for process in processes)
    assert [process.returncode for process in processes] == [0, 0]
    # One found nothing and migrated, the other found it done.
    assert (answers[0].isdecimal(), answers[1]) == (True, "None")


def test_a_schema_newer_than_the_program_is_refused(empty: Database) -> None:
    migrate(empty)
    newer = text("UPDATE alembic_version SET version_num = '9999'")
    empty.write_now(lambda connection: connection.execute(newer))
    with pytest.raises(SchemaTooNewError, match=r"9999.*newer program"):
        migrate(empty)
