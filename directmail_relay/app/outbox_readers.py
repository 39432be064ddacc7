"""Who reads the outbox, and how: each reader in batches, behind a cursor of its own that moves with its effect.

One worker does it for all, by lease; another goes on where it stopped. An event is forgotten when every reader in
`READERS` is past it. The readers' own packages know nothing of the queue: they are brought together here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from directmail_relay.accounts.invalid_addresses import add_hits
from directmail_relay.database.cursors import CursorMovedError, move_cursor, read_cursor
from directmail_relay.database.engine import Database
from directmail_relay.database.errors import TROUBLE
from directmail_relay.delivery.life import Life
from directmail_relay.mail.event import FinalEvent
from directmail_relay.queue import outbox
from directmail_relay.queue.lease import take_lease
from directmail_relay.queue.orders import DROPPED_RULE
from directmail_relay.submission.listed_recipients import ListedRecipients
from directmail_relay.telemetry import metrics

log = structlog.get_logger()

READ_SECONDS = 1.0
REFRESH_SECONDS = 2.0
BATCH = 500

Connection = Any  # SQLAlchemy's; its names stay below

INVALID_ADDRESSES = "invalid_addresses"
READERS = (INVALID_ADDRESSES,)


@dataclass(frozen=True, slots=True)
class Reader:
    """`name` is one of READERS; `effect` takes a batch in, in the transaction that moves the cursor.

    `tell` hears of the batch once that is committed: for the log and the metrics.
    """

    name: str
    effect: Callable[[Connection, Sequence[FinalEvent]], object]
    tell: Callable[[Sequence[FinalEvent]], None] = lambda _events: None


def invalid_address_reader(after_retries: Callable[[], bool]) -> Reader:
    """Adds to the accounts' invalid addresses. `after_retries` is the option as it stands now (a reload)."""
    return Reader(
        INVALID_ADDRESSES,
        lambda connection, events: add_hits(connection, events, after_retries=after_retries()),
        tell_drops,
    )


def tell_drops(events: Sequence[FinalEvent]) -> None:
    """Logs and counts what operators dropped: a command is another process, with no log and no metrics of ours."""
    for event in events:
        if event.rule == DROPPED_RULE:
            metrics.FAILED.inc(str(event.status))
            about = {"env_id": str(event.env_id), "account": event.account, "rcpt": event.rcpt}
            log.info("dropped", **about, attempts=event.attempts)


async def serve_reader(database: Database, life: Life, reader: Reader) -> None:
    """Reads until cancelled; a database in trouble is logged, and read again."""
    while True:
        try:
            await read_on(database, life, reader)
        except (*TROUBLE, CursorMovedError) as error:
            log.error("duty_failed", duty=f"outbox {reader.name}", error=type(error).__name__)
        await asyncio.sleep(READ_SECONDS)


async def read_on(database: Database, life: Life, reader: Reader) -> int:
    """Takes in what there is, if this worker has the duty. Returns how many events.

    Raises CursorMovedError when another worker reads too: it has buried this one, which does not know it yet.
    """
    taken = 0
    while life.is_sure and await database.write(take_lease, f"outbox {reader.name}", life.claim):
        before = await database.read(read_cursor, reader.name)
        batch = await database.read(outbox.read, before, BATCH)
        if batch:
            await database.write(_take_in, reader, before, batch)
            reader.tell([event for _, event in batch])
        taken += len(batch)
        if len(batch) < BATCH:
            break
    return taken


async def serve_listed_recipients(listed: ListedRecipients) -> None:
    """Keeps this worker's filter of refused recipients at most two seconds behind the database."""
    while True:
        try:
            await listed.refresh()
        except TROUBLE as error:
            log.error("duty_failed", duty="listed recipients", error=type(error).__name__)
        await asyncio.sleep(REFRESH_SECONDS)


def _take_in(connection: Connection, reader: Reader, before: int, batch: Sequence[tuple[int, FinalEvent]]) -> None:
    move_cursor(connection, reader.name, before, batch[-1][0])
    reader.effect(connection, [event for _, event in batch])
