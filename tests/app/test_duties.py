"""What runs beside the mail: one worker at a time, and never stopped by a database in trouble."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from directmail_relay.app import duties
from directmail_relay.app.outbox_readers import READERS
from directmail_relay.database.cursors import move_cursor
from directmail_relay.database.engine import Database
from directmail_relay.database.sqlite import checkpoint
from directmail_relay.delivery.life import Life
from directmail_relay.policy.quota import Periods
from directmail_relay.policy.verdict import Delivered
from directmail_relay.queue import outbox
from directmail_relay.queue.put import put
from directmail_relay.queue.settle import settle
from directmail_relay.telemetry import metrics
from tests.conftest import Clock
from tests.fakes.way_out import hide, show, until
from tests.queue.mail import ME, NOW, count, final_event, new_mail, settled

KEEP = duties.Keep(30 * 86400, 3 * 86400, 60 * 86400)
TODAY = Periods("2026-11-23", "2026-11")


@pytest.fixture
async def life(database: Database, clock: Clock) -> Life:
    life = Life(database, ME.owner, clock.monotonic)
    await life.begin()
    return life


def queued() -> float | None:
    return REGISTRY.get_sample_value("directmail_queue_recipients", {"state": "queued"})


async def test_the_queue_is_sampled_by_one_worker_alone(database: Database, life: Life, clock: Clock) -> None:
    await database.write(put, [new_mail(1, "a@x.test", "b@x.test")])
    await duties._sample(database, life, clock.time)
    assert queued() == 2
    metrics.set_queue({}, 0.0)
    other = Life(database, 33, clock.monotonic)
    await other.begin()
    await duties._sample(database, other, clock.time)
    assert queued() == 0
    await life.end()
    await duties._sample(database, other, clock.time)
    assert queued() == 2


async def test_a_duty_that_fails_is_logged_and_comes_again(database: Database, life: Life, clock: Clock) -> None:
    metrics.set_queue({}, 0.0)
    await database.write(put, [new_mail(1)])
    await database.write(hide, "recipients")
    with capture_logs() as logs:
        serving = asyncio.create_task(duties.serve_samples(database, life, clock.time, pause=0.0))
        await until(lambda: len(logs) >= 2)
        await database.write(show, "recipients")
        await until(lambda: queued() == 1)
        assert not serving.done()
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
    assert {(line["event"], line["duty"]) for line in logs} == {("duty_failed", "sample")}


async def test_old_messages_are_forgotten_with_what_hangs_on_them_and_open_ones_never(
    database: Database, life: Life
) -> None:
    await database.write(put, [new_mail(1, claimed={0}), new_mail(2)])
    await database.write(settle, [settled(1, Delivered())])
    # As seen from today, both were accepted long ago.
    await duties._purge(database, life, KEEP, TODAY, NOW)
    assert database.read_now(count, "messages") == 1
    assert database.read_now(count, "contents") == 1
    assert database.read_now(count, "recipients") == 1


async def test_an_event_is_kept_until_every_reader_is_past_it(database: Database, life: Life) -> None:
    await database.write(outbox.append, [final_event(1), final_event(2)])
    last = database.read_now(outbox.read, 0, 10)[-1][0]
    await duties._purge(database, life, KEEP, TODAY, NOW)
    assert database.read_now(count, "outbox") == 2
    for reader in READERS:
        await database.write(move_cursor, reader, 0, last - 1)
    await duties._purge(database, life, KEEP, TODAY, NOW)
    assert [number for number, _ in database.read_now(outbox.read, 0, 10)] == [last]


async def test_a_checkpoint_that_fails_ends_no_worker(tmp_path: Path) -> None:
    broken = tmp_path / "relay.db"
    broken.write_bytes(b"this is no database" * 100)
    (tmp_path / "relay.db-wal").write_bytes(bytes(5 * 1024 * 1024))
    with capture_logs() as logs:
        await duties._guarded("checkpoint", lambda: asyncio.to_thread(checkpoint, broken))
    assert [(line["event"], line["duty"]) for line in logs] == [("duty_failed", "checkpoint")]
