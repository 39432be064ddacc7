"""The database as the rest sees it: `read(fn)`, `write(fn)`, each one transaction, run in threads of its own.

`fn(connection, *args)` is a plain synchronous function; commands and tests call the very same functions through
`read_now` and `write_now`. A write has been synchronised to the disk when `write` returns, or it has not happened.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from psycopg.errors import DeadlockDetected
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import OperationalError

from directmail_relay.database.sqlite import WriteLock, make_sqlite_engine

P = ParamSpec("P")
T = TypeVar("T")

SQLITE_READERS = 3
POSTGRES_WRITERS = 3
POSTGRES_READERS = 3
DEADLOCK_RETRIES = 3


class Database:
    """One database, opened by one process. Threads are started on first use and ended by `close`."""

    def __init__(self, url: str) -> None:
        self.url: URL = parse_database_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.write_lanes = 1 if self.is_sqlite else POSTGRES_WRITERS
        readers = SQLITE_READERS if self.is_sqlite else POSTGRES_READERS
        self._lock: WriteLock | nullcontext[None]
        if self.is_sqlite:
            path = Path(str(self.url.database))
            self._writer = make_sqlite_engine(self.url, readonly=False)
            self._reader = make_sqlite_engine(self.url, readonly=True)
            self._lock = WriteLock(path.with_name(path.name + "-lock"))
        else:
            self._writer = _postgres_engine(self.url, self.write_lanes + readers)
            self._reader = self._writer.execution_options(postgresql_readonly=True)  # the same pool
            self._lock = nullcontext()
        self._write_threads = ThreadPoolExecutor(self.write_lanes, thread_name_prefix="db-write")
        self._read_threads = ThreadPoolExecutor(readers, thread_name_prefix="db-read")

    @property
    def path(self) -> Path | None:
        """The database file, where it is one."""
        return Path(str(self.url.database)) if self.is_sqlite else None

    def read_now(self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`fn` in a read transaction, in this thread."""
        with self._reader.connect() as connection:
            return fn(connection, *args, **kwargs)

    def write_now(self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`fn` in a write transaction, in this thread; committed and synchronised when it returns.

        May call `fn` again, in a new transaction, where PostgreSQL has undone this one to end a deadlock.
        """
        for _ in range(DEADLOCK_RETRIES):
            try:
                return self._write_once(fn, *args, **kwargs)
            except OperationalError as error:
                if not isinstance(error.orig, DeadlockDetected):
                    raise
        return self._write_once(fn, *args, **kwargs)

    def _write_once(self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        with self._lock, self._writer.begin() as connection:
            return fn(connection, *args, **kwargs)

    async def read(self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._read_threads, lambda: self.read_now(fn, *args, **kwargs))

    async def write(self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._write_threads, lambda: self.write_now(fn, *args, **kwargs))

    def engine_for_migrations(self) -> tuple[Engine, WriteLock | nullcontext[None]]:
        """The writing engine and the lock to hold while the schema changes."""
        return self._writer, self._lock

    def close(self) -> None:
        """Waits for what runs, then lets go of threads, connections and the lock file."""
        self._write_threads.shutdown(wait=True)
        self._read_threads.shutdown(wait=True)
        self._writer.dispose()
        self._reader.dispose()
        if isinstance(self._lock, WriteLock):
            self._lock.close()


def ping(connection: Connection) -> None:
    """Asks the least that can be asked."""
    connection.execute(text("SELECT 1"))


def parse_database_url(url: str) -> URL:
    """`sqlite:///file` or `postgresql://…` → a SQLAlchemy URL with our drivers.

    Raises ValueError when it is neither, or a SQLite database in memory (it would be another in each process).
    """
    try:
        parsed = make_url(url)
    except Exception as error:
        raise ValueError("not a database address; write sqlite:///relay.db or postgresql://user@host/name") from error
    if parsed.get_backend_name() == "sqlite":
        if not parsed.database or parsed.database == ":memory:":
            raise ValueError("the database must be a file, such as sqlite:///relay.db")
        return parsed.set(drivername="sqlite+pysqlite")
    if parsed.get_backend_name() in {"postgresql", "postgres"}:
        return parsed.set(drivername="postgresql+psycopg")
    raise ValueError(f"the database must be sqlite or postgresql, not {parsed.get_backend_name()}")


def _postgres_engine(url: URL, connections: int) -> Engine:
    options: dict[str, Any] = {"connect_timeout": 10, "application_name": "directmail_relay"}
    missing = {key: value for key, value in options.items() if key not in url.query}
    return create_engine(url, pool_size=connections, max_overflow=2, connect_args=missing)
