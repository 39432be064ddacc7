"""What was tried is written down, however often that takes; what is another's by now is only logged."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from directmail_relay.database.engine import Database
from directmail_relay.delivery.settler import Held, Settler, _understand
from directmail_relay.mail.attempt import DeliveryAttempt, Stage
from directmail_relay.mail.reply import Reply
from directmail_relay.policy.bounces import Category, Retry
from directmail_relay.queue.claim import begin_life
from directmail_relay.queue.put import put
from tests.conftest import Clock
from tests.fakes.way_out import POLICY, hide, show, until
from tests.queue.mail import ME, count, new_mail, row

Hold = Callable[[int], Awaitable[Held]]


@pytest.fixture
def settler(database: Database, clock: Clock) -> Settler:
    settler = Settler(database, POLICY, clock.time, lambda: 0.0)
    settler.pause = 0.0
    return settler


@pytest.fixture
async def hold(database: Database) -> Hold:
    """Stores a message whose recipient is ours."""
    await database.write(begin_life, ME.owner)

    async def store(env_id: int) -> Held:
        new = new_mail(env_id, claimed={0})
        await database.write(put, [new])
        return Held(new.message, new.recipients[0], ME)

    return store


def attempt(held: Held, clock: Clock, code: int, text: str = "said the host", *, sure: bool = True) -> DeliveryAttempt:
    reply = Reply(code, text)
    now = clock.time()
    return DeliveryAttempt(
        held.message.env_id, 0, Stage.DATA, reply, now, now + 1, mx_host="mx.test", maybe_duplicate=not sure
    )


async def test_a_delivery_ends_the_recipient_with_one_event(
    database: Database, settler: Settler, hold: Hold, clock: Clock
) -> None:
    held = await hold(1)
    with capture_logs() as logs:
        await settler.record(held, attempt(held, clock, 250))
    found = database.read_now(row, 1)
    assert (found["state"], found["status"], found["attempts"], found["owner"]) == ("delivered", 0, 1, None)
    assert database.read_now(count, "outbox") == database.read_now(count, "attempts") == 1
    assert database.read_now(count, "contents") == 0
    (line,) = logs
    assert (line["event"], line["env_id"], line["category"], line["attempts"]) == ("delivered", "1", "delivered", 1)


async def test_a_permanent_refusal_is_given_up_with_its_status(
    database: Database, settler: Settler, hold: Hold, clock: Clock
) -> None:
    held = await hold(1)
    made = replace(attempt(held, clock, 550, "5.1.1 User unknown"), stage=Stage.RCPT)
    await settler.record(held, made)
    found = database.read_now(row, 1)
    assert (found["state"], found["status"]) == ("failed", 2)
    assert database.read_now(count, "outbox") == 1


async def test_a_retry_is_written_down_and_told_to_who_claims(
    database: Database, settler: Settler, hold: Hold, clock: Clock
) -> None:
    told: list[float] = []
    settler.next_due = told.append
    held = await hold(1)
    with capture_logs() as logs:
        await settler.record(held, attempt(held, clock, 451, sure=False))
    found = database.read_now(row, 1)
    assert (found["state"], found["attempts"]) == ("queued", 1)
    assert told == [clock.time() + 1 + 60]
    assert found["due_at"] == round(told[0] * 1000)
    assert database.read_now(count, "outbox") == 0
    assert database.read_now(count, "contents") == 1
    assert [(line["event"], line["maybe_duplicate"]) for line in logs] == [("deferred", True)]


async def test_a_result_is_written_again_and_again_until_the_database_takes_it(
    database: Database, settler: Settler, hold: Hold, clock: Clock
) -> None:
    held = await hold(1)
    await database.write(hide, "recipients")
    with capture_logs() as logs:
        writing = settler.record(held, attempt(held, clock, 250))
        await until(lambda: len(logs) >= 3)
    assert {line["event"] for line in logs} == {"settle_failed"}
    assert not writing.done()
    await database.write(show, "recipients")
    with capture_logs() as logs:
        await settler.drain()
    assert writing.done()
    assert [line["event"] for line in logs if line["event"] != "settle_failed"] == ["delivered"]
    assert database.read_now(row, 1)["state"] == "delivered"
    assert database.read_now(count, "outbox") == 1


async def test_giving_back_is_tried_again_and_again_too(database: Database, settler: Settler, hold: Hold) -> None:
    await hold(1)
    await database.write(hide, "recipients")
    with capture_logs() as logs:
        writing = settler.give_back(ME, [(1, 0)])
        await until(lambda: len(logs) >= 2)
    assert {line["event"] for line in logs} == {"give_back_failed"}
    await database.write(show, "recipients")
    await writing
    assert database.read_now(row, 1)["state"] == "queued"


async def test_a_result_under_a_lost_claim_is_logged_and_changes_nothing(
    database: Database, settler: Settler, hold: Hold, clock: Clock
) -> None:
    held = await hold(1)
    await database.write(begin_life, ME.owner)
    with capture_logs() as logs:
        await settler.record(held, attempt(held, clock, 250))
    assert [(line["event"], line["env_id"]) for line in logs] == [("settle_refused", "1")]
    found = database.read_now(row, 1)
    assert (found["state"], found["attempts"]) == ("queued", 0)
    assert database.read_now(count, "outbox") == 0


async def test_a_drop_ends_the_recipient_without_an_attempt(database: Database, settler: Settler, hold: Hold) -> None:
    await settler.drop(await hold(1))
    found = database.read_now(row, 1)
    assert (found["state"], found["status"], found["attempts"]) == ("failed", 4, 0)
    assert (database.read_now(count, "outbox"), database.read_now(count, "attempts")) == (1, 0)


async def test_a_new_policy_holds_from_the_next_result_on(
    database: Database, settler: Settler, hold: Hold, clock: Clock
) -> None:
    held = await hold(1)
    settler.policy = replace(POLICY, schedule=(5.0,))
    await settler.record(held, attempt(held, clock, 451))
    assert database.read_now(row, 1)["due_at"] == round((clock.time() + 6) * 1000)


@pytest.mark.parametrize(("code", "retry"), [(550, Retry.NO), (450, Retry.YES)])
def test_an_attempt_that_our_rules_stumble_over_has_a_meaning_all_the_same(code: int, retry: Retry) -> None:
    broken = Reply(code, None)  # type: ignore[arg-type]  # what no parser makes: the rules cannot read it
    with capture_logs() as logs:
        meaning = _understand(DeliveryAttempt(1, 0, Stage.RCPT, broken, 0.0, 1.0))
    assert (meaning.category, meaning.retry, meaning.rule) == (Category.OTHER, retry, "classify-crashed")
    assert [(line["event"], line["code"]) for line in logs] == [("classify_crashed", code)]
