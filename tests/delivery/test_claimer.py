"""What is due is claimed in turn, never more than there is room for; operators are obeyed."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from directmail_relay.database.engine import Database
from directmail_relay.delivery.claimer import WALK
from directmail_relay.delivery.lanes import Ceilings
from directmail_relay.mail.message import Kind
from directmail_relay.mail.reply import Reply
from directmail_relay.queue.due import claim_due
from directmail_relay.queue.orders import Order, carry_out
from directmail_relay.queue.put import put
from directmail_relay.queue.selection import Selection, read_keys
from tests.conftest import Clock
from tests.fakes.way_out import Worker, hide, show, until
from tests.queue.mail import new_mail, row


@pytest.fixture
async def worker(database: Database, clock: Clock) -> Worker:
    return await Worker(database, clock).begin()


async def stored(worker: Worker, env_id: int, *rcpts: str, due_in: float = 0.0, kind: Kind = Kind.TRIGGER) -> None:
    """A message that nobody has claimed."""
    due_at = worker.clock.time() + due_in
    await worker.database.write(put, [new_mail(env_id, *rcpts, due_at=due_at, kind=kind)])


async def order(worker: Worker, order: Order, env_id: int) -> None:
    keys = await worker.database.read(read_keys, Selection(env_id=env_id))
    await worker.database.write(carry_out, order, keys, worker.clock.time())


def next_due(worker: Worker) -> float | None:
    return worker.claimer._next_due


def states(worker: Worker, env_ids: range | list[int]) -> list[str]:
    return [worker.database.read_now(row, env_id)["state"] for env_id in env_ids]


async def test_what_is_due_is_claimed_and_delivered_with_its_stored_content(worker: Worker) -> None:
    await stored(worker, 1, "a@one.test", "b@one.test", "c@two.test")
    assert await worker.claimer.claim_round()
    await worker.settled()
    assert sorted(len(sent.recipients) for sent in worker.couriers.sent) == [1, 2]
    assert worker.couriers.sent[0].content == b"DKIM-Signature: x\r\nSubject: x\r\n"
    assert not await worker.claimer.claim_round()
    assert worker.is_empty_handed


async def test_what_is_due_later_waits_until_then(worker: Worker, clock: Clock) -> None:
    await stored(worker, 1, due_in=30)
    assert not await worker.claimer.claim_round()
    assert worker.claimer._next_due == pytest.approx(clock.time() + 30, abs=0.001)
    clock.advance(31)
    await worker.life.beat()
    assert await worker.claimer.claim_round()
    await worker.settled()
    assert states(worker, [1]) == ["delivered"]


async def test_a_time_that_has_passed_shortens_no_later_pause(database: Database, clock: Clock) -> None:
    """Else a full lane with something due would make the claimer ask the database without a pause."""
    worker = await Worker(database, clock, ceilings=Ceilings(recipients_per_destination=1)).begin()
    worker.couriers.gate.clear()
    await worker.accept(1, "a@slow.test")
    await stored(worker, 2, "b@slow.test", due_in=5)
    await worker.claimer.claim_round()
    assert next_due(worker) is not None
    clock.advance(6)
    assert not await worker.claimer.claim_round()
    assert next_due(worker) is None
    clock.advance(60)
    worker.claimer.note_due(clock.time() - 1)
    assert not await worker.claimer.claim_round(), "not sure of itself"
    assert next_due(worker) is None
    worker.couriers.gate.set()
    await worker.settled()


async def test_a_full_destination_keeps_no_other_waiting(database: Database, clock: Clock) -> None:
    worker = await Worker(database, clock, ceilings=Ceilings(recipients_per_destination=3)).begin()
    worker.couriers.gate.clear()
    for env_id in range(1, 11):
        await stored(worker, env_id, "a@slow.test")
    await stored(worker, 11, "a@zzz.test")
    assert await worker.claimer.claim_round()
    assert states(worker, range(1, 12)).count("delivering") == 4
    assert states(worker, [11]) == ["delivering"]
    assert not await worker.claimer.claim_round()
    worker.couriers.gate.set()
    await worker.settled()
    assert worker.is_empty_handed


async def test_many_destinations_together_take_no_more_than_the_ceiling_and_each_has_its_turn(
    database: Database, clock: Clock
) -> None:
    worker = await Worker(database, clock, ceilings=Ceilings(recipients=5)).begin()
    worker.couriers.gate.clear()
    for env_id in range(1, 13):
        await stored(worker, env_id, f"a@d{env_id:02}.test", f"b@d{env_id:02}.test")
    seen: list[set[int]] = []
    while await worker.claimer.claim_round():
        assert worker.dispatcher.lanes.held <= 5
        seen.append({env_id for env_id in range(1, 13) if states(worker, [env_id]) == ["delivering"]})
        worker.couriers.gate.set()
        await worker.settled()
        worker.couriers.gate.clear()
        assert len(seen) < 20
    worker.couriers.gate.set()
    await worker.settled()
    assert seen[0] == {1, 2, 3, 4, 5}
    assert seen[1] == {6, 7, 8, 9, 10}
    assert states(worker, range(1, 13)) == ["delivered"] * 12
    assert worker.is_empty_handed


async def test_what_is_due_behind_many_destinations_that_are_not_is_found_without_a_pause(worker: Worker) -> None:
    for env_id in range(1, WALK + 20):
        await stored(worker, env_id, f"a@d{env_id:03}.test", due_in=3600)
    await stored(worker, 1000, "a@zzz.test")
    assert await worker.claimer.claim_round(), "there is more to look through"
    assert await worker.claimer.claim_round()
    await worker.settled()
    assert states(worker, [1000]) == ["delivered"]
    assert not await worker.claimer.claim_round()


async def test_nothing_is_claimed_by_a_worker_that_stops_or_doubts(worker: Worker, clock: Clock) -> None:
    await stored(worker, 1)
    clock.advance(16)
    assert not await worker.claimer.claim_round()
    await worker.life.beat()
    await worker.dispatcher.stop(1)
    assert not await worker.claimer.claim_round()
    assert states(worker, [1]) == ["queued"]


async def test_a_hold_and_a_drop_of_what_waits_in_memory_are_obeyed_at_the_next_beat(
    database: Database, clock: Clock
) -> None:
    worker = await Worker(database, clock, ceilings=Ceilings(sessions_per_destination=1)).begin()
    worker.couriers.gate.clear()
    await worker.accept(1)
    await worker.couriers.began.wait()
    for env_id, what in ((2, Order.HOLD), (3, Order.DROP), (4, Order.RETRY)):
        await worker.accept(env_id)
        await order(worker, what, env_id)
    await order(worker, Order.HOLD, 1)  # too late for that one: it is under way
    await worker.claimer.on_beat()
    await worker.settler.drain()
    assert states(worker, [1, 2, 3, 4]) == ["delivering", "held", "failed", "delivering"]
    worker.couriers.gate.set()
    await worker.settled()
    assert states(worker, [1, 2, 3, 4]) == ["delivered", "held", "failed", "delivered"]
    assert worker.is_empty_handed


async def test_a_drop_that_came_during_an_attempt_holds_for_the_next_owner(worker: Worker, clock: Clock) -> None:
    worker.couriers.replies["user@example.net"] = Reply(451, "later")
    worker.couriers.gate.clear()
    await worker.accept(1)
    await worker.couriers.began.wait()
    await order(worker, Order.DROP, 1)
    worker.couriers.gate.set()
    await worker.settled()
    assert states(worker, [1]) == ["queued"]
    clock.advance(80)
    await worker.life.beat()
    await worker.claimer.claim_round()
    await worker.settled()
    assert states(worker, [1]) == ["failed"]
    assert len(worker.couriers.sent) == 1
    assert worker.is_empty_handed


async def test_a_beat_with_nothing_wanted_writes_nothing(worker: Worker) -> None:
    await worker.claimer.on_beat()
    assert not worker.settler._writing


async def test_what_was_claimed_although_the_answer_to_the_commit_was_lost_is_freed_and_delivered(
    worker: Worker,
) -> None:
    await stored(worker, 1)
    await stored(worker, 2, "a@two.test")
    worker.couriers.gate.clear()
    await worker.accept(3, "a@three.test")
    # As a claim that was committed, of which its caller has heard nothing.
    await worker.database.write(claim_due, worker.life.claim, Kind.TRIGGER, {"example.net": 10}, worker.clock.time())
    worker.dispatcher.in_doubt = True
    assert await worker.claimer.claim_round()
    worker.couriers.gate.set()
    await worker.settled()
    assert states(worker, [1, 2, 3]) == ["delivered"] * 3
    assert sorted(sent.env_id for sent in worker.couriers.sent) == [1, 2, 3]
    assert not worker.dispatcher.in_doubt
    assert worker.is_empty_handed


async def test_a_database_that_fails_during_a_claim_leaves_its_outcome_in_doubt(worker: Worker) -> None:
    await worker.database.write(hide, "recipients")
    with capture_logs() as logs:
        serving = asyncio.create_task(worker.claimer.serve())
        await until(lambda: worker.dispatcher.in_doubt)
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
    assert [line["event"] for line in logs] == ["claim_failed"]
    await worker.database.write(show, "recipients")
    await stored(worker, 1)
    assert await worker.claimer.claim_round()
    await worker.settled()
    assert states(worker, [1]) == ["delivered"]


async def test_the_claimer_wakes_when_something_is_due_sooner(worker: Worker) -> None:
    serving = asyncio.create_task(worker.claimer.serve())
    await until(lambda: bool(worker.claimer._woken._waiters))  # it sleeps
    await stored(worker, 1)
    worker.claimer.note_due(worker.clock.time())
    await until(lambda: bool(worker.couriers.sent))
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    await worker.settled()
