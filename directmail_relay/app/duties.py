"""What runs beside the mail: checkpoints, the lag of the loop, and what one worker does for all (samples, purging).

Each of them survives a database in trouble: it logs and comes again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from directmail_relay.accounts.invalid_addresses import purge_invalid
from directmail_relay.app.outbox_readers import READERS
from directmail_relay.database.cursors import read_slowest
from directmail_relay.database.engine import Database
from directmail_relay.database.errors import TROUBLE
from directmail_relay.database.sqlite import checkpoint
from directmail_relay.delivery.life import Life
from directmail_relay.policy.quota import Periods
from directmail_relay.queue import outbox, purge
from directmail_relay.queue.inspect import sample
from directmail_relay.queue.lease import take_lease
from directmail_relay.queue.settle import purge_contents
from directmail_relay.telemetry import metrics

log = structlog.get_logger()

CHECKPOINT_SECONDS = 1.0
LAG_SECONDS = 1.0
SAMPLE_SECONDS = 2.0
SAMPLE_SHARE = 20  # a sample may take one part in so many of the time between two
PURGE_SECONDS = 60.0
PURGE_BITE = 500
PAUSE_SECONDS = 0.05  # between two bites: mail first
USAGE_MONTHS = 13


@dataclass(frozen=True, slots=True)
class Keep:
    """How long things are kept, in seconds.

    Details after the end of a recipient, a message's longest life, an invalid address after the last hit.
    """

    details: float
    lifetime: float
    invalid_addresses: float


async def serve_checkpoints(database: Database) -> None:
    """Keeps SQLite's log short; a commit never does it, since somebody waits for its 250."""
    path = database.path
    while path is not None:
        await asyncio.sleep(CHECKPOINT_SECONDS)
        await _guarded("checkpoint", lambda: asyncio.to_thread(checkpoint, path))


async def serve_lag() -> None:
    """Measures how late the loop comes to what is due."""
    while True:
        started = time.monotonic()
        await asyncio.sleep(LAG_SECONDS)
        metrics.EVENT_LOOP_LAG_SECONDS.set(max(0.0, time.monotonic() - started - LAG_SECONDS))


async def serve_samples(
    database: Database, life: Life, clock: Callable[[], float], pause: float = SAMPLE_SECONDS
) -> None:
    """Samples the queue for its gauges. Counting takes longer as the queue grows, so it is done less often then."""
    while True:
        started = time.monotonic()
        await _guarded("sample", lambda: _sample(database, life, clock))
        await asyncio.sleep(max(pause, SAMPLE_SHARE * (time.monotonic() - started)))


async def serve_purges(database: Database, life: Life, keep: Callable[[], Keep], today: Callable[[], Periods]) -> None:
    """Forgets what is old, in small bites."""
    while True:
        await _guarded("purge", lambda: _purge(database, life, keep(), today(), time.time()))
        await asyncio.sleep(PURGE_SECONDS)


async def _sample(database: Database, life: Life, clock: Callable[[], float]) -> None:
    if await database.write(take_lease, "sample", life.claim):
        counts, oldest = await database.read(sample, clock())
        metrics.set_queue(counts, oldest)


async def _purge(database: Database, life: Life, keep: Keep, periods: Periods, now: float) -> None:
    if not await database.write(take_lease, "purge", life.claim):
        return
    read_by_all = await database.read(read_slowest, READERS)
    bites: list[Callable[[], Awaitable[int]]] = [
        lambda: database.write(purge.purge_messages, now - keep.details - keep.lifetime, PURGE_BITE),
        lambda: database.write(purge_contents, PURGE_BITE),
        lambda: database.write(outbox.purge, read_by_all, PURGE_BITE),
        lambda: database.write(purge_invalid, now - keep.invalid_addresses, PURGE_BITE),
    ]
    for bite in bites:
        await _eat(bite)
    await database.write(purge.purge_usage, USAGE_MONTHS, periods.day)


async def _eat(bite: Callable[[], Awaitable[int]]) -> None:
    while True:
        if await bite() < PURGE_BITE:
            return
        await asyncio.sleep(PAUSE_SECONDS)


async def _guarded(what: str, act: Callable[[], Awaitable[object]]) -> None:
    try:
        await act()
    except TROUBLE as error:
        log.error("duty_failed", duty=what, error=type(error).__name__)
