"""Who is sure of itself, and who is dead: by the observer's own clock, and only as long as it could look."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy.exc import SQLAlchemyError
from structlog.testing import capture_logs

from directmail_relay.database.engine import Database
from directmail_relay.delivery.life import DEAD_AFTER_SECONDS, SURE_FOR_SECONDS, Life
from directmail_relay.queue.claim import ClaimLostError
from directmail_relay.queue.put import put
from tests.conftest import Clock
from tests.fakes.way_out import hide, show, until
from tests.queue.mail import new_mail, row


async def begin(database: Database, clock: Clock, owner: int) -> Life:
    life = Life(database, owner, clock.monotonic)
    await life.begin()
    return life


async def hold_one(database: Database, life: Life) -> None:
    await database.write(put, [new_mail(1, claim=life.claim, claimed={0})])


def state(database: Database) -> str:
    found: str = database.read_now(row, 1)["state"]
    return found


async def test_a_life_is_sure_for_15_seconds_after_each_beat(database: Database, clock: Clock) -> None:
    assert not Life(database, 32, clock.monotonic).is_sure
    life = await begin(database, clock, 32)
    clock.advance(SURE_FOR_SECONDS - 0.1)
    assert life.is_sure
    await life.beat()
    clock.advance(SURE_FOR_SECONDS - 0.1)
    assert life.is_sure
    clock.advance(0.2)
    assert not life.is_sure


async def test_a_beat_that_fails_makes_nothing_sure(database: Database, clock: Clock) -> None:
    life = await begin(database, clock, 32)
    await database.write(hide, "workers")
    clock.advance(SURE_FOR_SECONDS)
    with pytest.raises(SQLAlchemyError):
        await life.beat()
    assert not life.is_sure
    await database.write(show, "workers")
    await life.beat()
    assert life.is_sure


async def test_a_step_of_the_wall_clock_changes_nothing(database: Database, clock: Clock) -> None:
    life, observer = await begin(database, clock, 32), await begin(database, clock, 33)
    await hold_one(database, life)
    await observer.beat()
    clock.step(86400)
    await observer.beat()
    assert life.is_sure
    assert state(database) == "delivering"


async def watch(observer: Life, clock: Clock, seconds: float) -> None:
    """It beats every two seconds for so long."""
    for _ in range(round(seconds / 2)):
        clock.advance(2)
        await observer.beat()


async def test_a_worker_that_has_not_moved_for_30_seconds_is_buried_and_its_rows_are_free(
    database: Database, clock: Clock
) -> None:
    dead, observer = await begin(database, clock, 32), await begin(database, clock, 33)
    await hold_one(database, dead)
    await observer.beat()
    await watch(observer, clock, DEAD_AFTER_SECONDS)
    assert state(database) == "delivering"
    with capture_logs() as logs:
        await watch(observer, clock, 2)
    assert [(line["event"], line["owner"]) for line in logs] == [("worker_buried", 32)]
    assert state(database) == "queued"
    with pytest.raises(ClaimLostError):
        await dead.beat()


async def test_a_worker_that_beats_is_never_buried(database: Database, clock: Clock) -> None:
    living, observer = await begin(database, clock, 32), await begin(database, clock, 33)
    await hold_one(database, living)
    for _ in range(10):
        await watch(observer, clock, 20)
        await living.beat()
    assert state(database) == "delivering"


async def test_nobody_is_buried_when_the_database_comes_back(database: Database, clock: Clock) -> None:
    """While it was away nobody could beat: who looks first must not take the others for dead."""
    living, observer = await begin(database, clock, 32), await begin(database, clock, 33)
    await hold_one(database, living)
    await living.beat()
    await observer.beat()
    clock.advance(120)
    await observer.beat()
    assert state(database) == "delivering"
    await living.beat()
    await watch(observer, clock, DEAD_AFTER_SECONDS)
    assert state(database) == "delivering"


async def test_who_really_died_while_the_database_was_away_is_buried_30_seconds_later(
    database: Database, clock: Clock
) -> None:
    dead, observer = await begin(database, clock, 32), await begin(database, clock, 33)
    await hold_one(database, dead)
    await observer.beat()
    clock.advance(120)
    await watch(observer, clock, DEAD_AFTER_SECONDS + 4)
    assert state(database) == "queued"


async def test_a_life_that_was_ended_by_another_forgets_and_begins_anew(database: Database, clock: Clock) -> None:
    asleep, observer = await begin(database, clock, 32), await begin(database, clock, 33)
    await hold_one(database, asleep)
    await observer.beat()
    await watch(observer, clock, DEAD_AFTER_SECONDS + 4)
    old, sure_at_loss, begun = asleep.claim, list[bool](), asyncio.Event()

    async def on_beat() -> None:
        begun.set()

    # As after a pause of the whole machine, of which its clock knows nothing: it would believe in itself.
    asleep._last_beat = clock.monotonic()
    with capture_logs() as logs:
        task = asyncio.create_task(asleep.serve(on_beat, lambda: sure_at_loss.append(asleep.is_sure)))
        await until(lambda: asleep.claim != old)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert [line["event"] for line in logs] == ["claim_lost"]
    assert sure_at_loss == [False]
    assert asleep.is_sure
    await asleep.beat()


async def test_the_end_of_a_life_gives_everything_back(database: Database, clock: Clock) -> None:
    life = await begin(database, clock, 32)
    await hold_one(database, life)
    assert await life.end() == 1
    assert not life.is_sure
    assert state(database) == "queued"
