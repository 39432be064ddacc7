"""What the workers of one node share in memory: verified logins and counts of connections.

Made by the parent, inherited by file descriptor. A single process makes one for itself.
"""

from __future__ import annotations

import mmap
import os
import secrets
from dataclasses import dataclass, field

from directmail_relay.submission import verified
from directmail_relay.submission.connection_counts import ConnectionCounts, clear_row, table_size
from directmail_relay.submission.verified import VerifiedLogins


@dataclass(frozen=True, slots=True)
class NodeMemory:
    """`key` is random for each start of the node: nothing in the tables means anything without it."""

    workers: int
    verified_fd: int
    counts_fd: int
    key: bytes = field(repr=False)

    @property
    def fds(self) -> tuple[int, int]:
        return self.verified_fd, self.counts_fd

    def verified_logins(self) -> VerifiedLogins:
        return VerifiedLogins(self.key, mmap.mmap(self.verified_fd, verified.TABLE_SIZE))

    def connection_counts(self, worker: int) -> ConnectionCounts:
        return ConnectionCounts(worker, self.workers, self.key, self._counts())

    def forget_worker(self, worker: int) -> None:
        """A worker has died: what it had open is closed."""
        table = self._counts()
        clear_row(table, worker)
        table.close()

    def close(self) -> None:
        for fd in self.fds:
            os.close(fd)

    def _counts(self) -> mmap.mmap:
        return mmap.mmap(self.counts_fd, table_size(self.workers))


def make_node_memory(workers: int) -> NodeMemory:
    """Fresh, zeroed tables."""
    return NodeMemory(
        workers=workers,
        verified_fd=_make("verified-logins", verified.TABLE_SIZE),
        counts_fd=_make("connection-counts", table_size(workers)),
        key=secrets.token_bytes(32),
    )


def _make(name: str, size: int) -> int:
    fd = os.memfd_create(f"directmail-{name}", os.MFD_CLOEXEC)
    os.ftruncate(fd, size)
    return fd
