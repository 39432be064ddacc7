"""Every recipient that the dispatcher holds ends in an attempt or goes back unattempted, and its room is free again."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from directmail_relay.database.engine import Database
from directmail_relay.delivery.lanes import Ceilings
from directmail_relay.mail.reply import Reply
from directmail_relay.queue.claim import begin_life, bury
from directmail_relay.queue.put import put
from tests.conftest import Clock
from tests.fakes.way_out import Worker
from tests.queue.mail import new_mail, row


@pytest.fixture
async def worker(database: Database, clock: Clock) -> Worker:
    return await Worker(database, clock).begin()


async def test_what_was_accepted_is_delivered_from_memory(worker: Worker) -> None:
    await worker.accept(1, "a@one.test", "b@two.test", "c@one.test")
    await worker.settled()
    assert sorted(len(sent.recipients) for sent in worker.couriers.sent) == [1, 2]
    assert {sent.content for sent in worker.couriers.sent} == {b"DKIM-Signature: x\r\nSubject: x\r\n"}
    states = [worker.database.read_now(row, 1, index)["state"] for index in range(3)]
    assert states == ["delivered"] * 3
    assert worker.is_empty_handed


async def test_one_message_takes_one_session(worker: Worker) -> None:
    await worker.accept(1, "a@one.test")
    await worker.settled()
    assert worker.couriers.opened == ["one.test"]
    assert worker.couriers.closed == 1


async def test_what_the_ceilings_leave_no_room_for_is_stored_for_later(database: Database, clock: Clock) -> None:
    worker = await Worker(database, clock, ceilings=Ceilings(recipients_per_destination=2)).begin()
    worker.couriers.gate.clear()
    await worker.accept(1, "a@one.test", "b@one.test", "c@one.test", "d@two.test")
    states = [database.read_now(row, 1, index)["state"] for index in range(4)]
    assert states == ["delivering", "delivering", "queued", "delivering"]
    worker.couriers.gate.set()
    await worker.settled()
    assert worker.is_empty_handed


async def test_a_message_too_large_for_the_memory_is_stored_for_later(database: Database, clock: Clock) -> None:
    worker = await Worker(database, clock, ceilings=Ceilings(size=10)).begin()
    await worker.accept(1)
    assert database.read_now(row, 1)["state"] == "queued"
    assert worker.is_empty_handed


async def test_content_is_not_begun_when_the_life_is_in_doubt_and_it_counts_as_no_attempt(
    worker: Worker, clock: Clock
) -> None:
    worker.couriers.gate.clear()
    await worker.accept(1)
    await worker.couriers.began.wait()
    clock.advance(16)
    worker.couriers.gate.set()
    await worker.settled()
    assert worker.couriers.sent == []
    found = worker.database.read_now(row, 1)
    assert (found["state"], found["attempts"], found["owner"]) == ("queued", 0, None)
    assert worker.is_empty_handed


async def test_content_claimed_in_a_life_that_was_lost_is_not_begun_in_the_next(worker: Worker) -> None:
    """Another has taken the row over: that this worker is sure of itself again does not make it its own."""
    worker.couriers.gate.clear()
    await worker.accept(1)
    await worker.couriers.began.wait()
    assert worker.database.write_now(bury, 32, worker.life.claim.epoch, 0) == 1
    await worker.life.begin()
    assert worker.life.is_sure
    worker.couriers.gate.set()
    await worker.settled()
    assert worker.couriers.sent == []
    assert worker.database.read_now(row, 1)["state"] == "queued"
    assert worker.is_empty_handed


async def test_what_was_stored_by_a_life_that_ended_meanwhile_goes_back(worker: Worker) -> None:
    new = new_mail(1, claim=worker.life.claim)
    claim, mine = worker.dispatcher.reserve(new.message, new.recipients)
    await worker.life.begin()
    await worker.database.write(put, [new_mail(1, claim=claim, claimed=mine)])
    worker.dispatcher.take(new.message, new.recipients, new.content, claim)
    await worker.settled()
    assert worker.couriers.sent == []
    assert worker.database.read_now(row, 1)["state"] == "queued"
    assert worker.is_empty_handed


async def test_nothing_is_reserved_while_the_life_is_in_doubt_or_the_worker_stops(worker: Worker, clock: Clock) -> None:
    new = new_mail(1)
    assert worker.dispatcher.reserve(new.message, new.recipients)[1] == {0}
    worker.dispatcher.cancel(new.recipients, unsure=False)
    clock.advance(16)
    assert worker.dispatcher.reserve(new.message, new.recipients)[1] == frozenset()
    await worker.life.beat()
    await worker.dispatcher.stop(1)
    assert worker.dispatcher.reserve(new.message, new.recipients)[1] == frozenset()
    assert worker.is_empty_handed


async def test_a_crash_before_the_courier_is_an_attempt_that_is_tried_again(worker: Worker, clock: Clock) -> None:
    worker.broken_signer = RuntimeError("no such key")
    with capture_logs() as logs:
        await worker.accept(1, "a@one.test", "b@one.test")
        await worker.settled()
    assert [line["event"] for line in logs].count("delivery_crashed") == 1
    for index in (0, 1):
        found = worker.database.read_now(row, 1, index)
        assert (found["state"], found["attempts"]) == ("queued", 1)
        assert found["due_at"] == round((clock.time() + 60) * 1000)
    assert worker.is_empty_handed


async def test_a_stop_lets_the_courier_finish_and_gives_the_rest_back(database: Database, clock: Clock) -> None:
    worker = await Worker(database, clock, ceilings=Ceilings(sessions_per_destination=1)).begin()
    worker.couriers.gate.clear()
    await worker.accept(1)
    await worker.couriers.began.wait()
    worker.couriers.replies["user@example.net"] = Reply(550, "5.1.1 no such user")
    await worker.accept(2)
    stop = asyncio.create_task(worker.dispatcher.stop(10))
    await asyncio.sleep(0)
    assert not stop.done()
    worker.couriers.gate.set()
    await stop
    # The fence: what had not begun its content when the stop came goes back as well.
    assert [database.read_now(row, env_id)["state"] for env_id in (1, 2)] == ["queued", "queued"]
    assert [database.read_now(row, env_id)["attempts"] for env_id in (1, 2)] == [0, 0]
    assert worker.is_empty_handed


async def test_a_host_that_keeps_a_stop_waiting_is_cut_off_and_it_is_logged(worker: Worker) -> None:
    worker.couriers.gate.clear()
    await worker.accept(1)
    await worker.couriers.began.wait()
    with capture_logs() as logs:
        await worker.dispatcher.stop(0)
    assert [(line["event"], line["maybe_duplicate"]) for line in logs] == [("delivery_cut_off", True)]
    assert worker.database.read_now(row, 1)["state"] == "queued"
    assert worker.couriers.closed == 1
    assert worker.is_empty_handed


async def test_a_forgotten_work_is_not_begun(database: Database, clock: Clock) -> None:
    worker = await Worker(database, clock, ceilings=Ceilings(sessions_per_destination=1)).begin()
    worker.couriers.gate.clear()
    await worker.accept(1)
    await worker.couriers.began.wait()
    await worker.accept(2)
    worker.dispatcher.forget()
    worker.couriers.gate.set()
    await worker.settled()
    assert [sent.env_id for sent in worker.couriers.sent] == [1]
    assert worker.is_empty_handed


async def test_rows_whose_storing_was_in_doubt_are_freed_as_far_as_they_exist(worker: Worker) -> None:
    worker.couriers.gate.clear()
    await worker.accept(3)
    stored, lost = new_mail(1, claim=worker.life.claim, claimed={0}), new_mail(2)
    for new in (stored, lost):
        worker.dispatcher.reserve(new.message, new.recipients)
    await worker.database.write(put, [stored])  # and the answer to the commit is lost
    for new in (stored, lost):
        worker.dispatcher.cancel(new.recipients, unsure=True)
    await worker.claimer._free_what_nobody_holds()
    assert [worker.database.read_now(row, env_id)["state"] for env_id in (1, 3)] == ["queued", "delivering"]
    worker.couriers.gate.set()
    await worker.settled()
    assert worker.is_empty_handed


async def test_a_waiting_destination_gets_the_session_of_a_busy_one_after_a_hundred_messages(
    database: Database, clock: Clock
) -> None:
    worker = await Worker(database, clock, ceilings=Ceilings(sessions=1)).begin()
    worker.couriers.gate.clear()
    for env_id in range(1, 131):
        await worker.accept(env_id, "a@busy.test")
    await worker.couriers.began.wait()
    await worker.accept(500, "a@other.test")
    worker.couriers.gate.set()
    await worker.settled()
    order = [sent.env_id for sent in worker.couriers.sent]
    assert len(order) == 131
    assert order.index(500) == 100
    assert worker.couriers.opened == ["busy.test", "other.test", "busy.test"]


async def test_a_result_of_a_lost_life_changes_nothing(worker: Worker) -> None:
    """The host has it, but the row is another's by now: that one delivers again, and nothing is written here."""
    await worker.database.write(begin_life, 33)
    worker.couriers.gate.clear()
    await worker.accept(1)
    claim = worker.life.claim
    await worker.couriers.began.wait()
    worker.couriers.gate.set()
    assert worker.database.write_now(bury, claim.owner, claim.epoch, 0) == 1  # unnoticed by this worker
    with capture_logs() as logs:
        await worker.settled()
    assert [line["event"] for line in logs] == ["settle_refused"]
    assert worker.database.read_now(row, 1)["state"] == "queued"
    assert worker.is_empty_handed
