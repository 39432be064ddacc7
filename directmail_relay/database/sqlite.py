"""SQLite as a mail queue needs it: WAL, every commit synchronised, writers of several processes in a fair order.

SQLite's own busy back-off lets a late writer starve an early one; a file lock around each write transaction lets
them in one by one. The lock protects order, not integrity: SQLite still guards the file itself.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.pool import ConnectionPoolEntry

BUSY_MS = 10_000  # for readers and for tools that know nothing of our lock
CACHE_KIB = 16_384
# A file that grows beyond this after a long reader is cut back at the next checkpoint.
WAL_LIMIT_BYTES = 64 * 1024 * 1024
PAGE_BYTES = 4096
# How many times the size from which the log is moved it may have before writers wait for its new beginning.
RESTART_FACTOR = 4


class WriteLock:
    """One writer at a time: among the threads of this process by a mutex, among processes by flock."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._mutex = threading.Lock()
        self._file: int | None = None

    def __enter__(self) -> None:
        self._mutex.acquire()
        try:
            if self._file is None:
                self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._file, fcntl.LOCK_EX)
        except BaseException:
            self._mutex.release()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._file is not None:
                fcntl.flock(self._file, fcntl.LOCK_UN)
        finally:
            self._mutex.release()

    def close(self) -> None:
        with self._mutex:
            if self._file is not None:
                os.close(self._file)
                self._file = None


def make_sqlite_engine(url: URL, *, readonly: bool) -> Engine:
    """An engine whose transactions are BEGIN IMMEDIATE (writer) or plain BEGIN on a query-only connection."""
    if not readonly:
        _make_private(Path(str(url.database)))
    engine = create_engine(url, connect_args={"timeout": BUSY_MS / 1000, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _set_up(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # pysqlite must not begin transactions by itself
        for pragma in _pragmas(readonly=readonly):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN" if readonly else "BEGIN IMMEDIATE")

    return engine


def _make_private(path: Path) -> None:
    """Mail and password hashes are nobody else's to read; SQLite gives its log and index the mode of the file.

    A file that exists is never opened here: to close it would drop all locks that this process has on it (fcntl(2)),
    and the next command would take itself for the last user and remove the log from under us.
    """
    with contextlib.suppress(OSError):  # it exists; or no folder, no right: whoever opens it says so in better words
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _pragmas(*, readonly: bool) -> list[str]:
    shared = ["foreign_keys = ON", f"cache_size = -{CACHE_KIB}", "mmap_size = 0"]
    if readonly:
        return [*shared, "query_only = ON"]
    # wal_autocheckpoint 0: a checkpoint inside a commit would stall whoever waits for its 250; they run aside.
    return ["journal_mode = WAL", "synchronous = FULL", "wal_autocheckpoint = 0",
            f"journal_size_limit = {WAL_LIMIT_BYTES}", *shared]  # fmt: skip


def checkpoint(path: Path, *, at_least_bytes: int = 4 * 1024 * 1024) -> int:
    """Moves what is committed from the log into the database. Returns how many bytes the log had.

    Run by a thread of its own every second or so; nothing is done while the log is smaller than `at_least_bytes`.
    Writers go on meanwhile, but for the few milliseconds that begin the log anew when it has grown large.
    """
    size = _size_of_log(path)
    if size < at_least_bytes:
        return size
    connection: Any = sqlite3.connect(path, timeout=1, isolation_level=None)
    try:
        connection.execute("PRAGMA synchronous = FULL")
        _, pages, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        if pages * PAGE_BYTES >= RESTART_FACTOR * at_least_bytes:  # the file keeps its size when it begins anew
            # The log begins anew only when all of it has been moved. While writers keep adding that never comes
            # about by itself: the bulk is moved beside them, the rest with the lock in hand.
            _checkpoint_alone(connection, path)
    finally:
        connection.close()
    return size


def _checkpoint_alone(connection: Any, path: Path) -> None:
    lock = WriteLock(path.with_name(path.name + "-lock"))
    try:
        with lock:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
    finally:
        lock.close()


def _size_of_log(path: Path) -> int:
    log = path.with_name(path.name + "-wal")
    return log.stat().st_size if log.exists() else 0
