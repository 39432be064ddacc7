"""Turns an attempt into what follows, and writes it down: classify, decide, settle; then tell the metrics and the log.

A settle that the database refuses is tried again until it holds: the attempt was made, and to forget it would mean to
deliver twice. One that finds its claim gone is another worker's business by now, and only logged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass, replace
from typing import Any, assert_never

import structlog

from directmail_relay.database.engine import Database
from directmail_relay.database.errors import TROUBLE
from directmail_relay.database.group_commit import GroupCommit
from directmail_relay.mail import replies
from directmail_relay.mail.attempt import DeliveryAttempt
from directmail_relay.mail.event import FinalEvent
from directmail_relay.mail.message import Message, Recipient
from directmail_relay.mail.reply import Reply
from directmail_relay.policy.bounce_rules import rule_book
from directmail_relay.policy.bounces import Advice, Category, Classification, Retry, Suppress
from directmail_relay.policy.classify import classify
from directmail_relay.policy.retry import RetryPolicy, next_step
from directmail_relay.policy.verdict import Delivered, GiveUp, NextStep, RetryAt
from directmail_relay.queue.claim import Claim, give_back
from directmail_relay.queue.orders import DROPPED_RULE
from directmail_relay.queue.settle import Settlement, settle
from directmail_relay.telemetry import metrics

log = structlog.get_logger()

AGAIN_SECONDS = 1.0  # between two tries to write down what the database refused
DELIVERED = "delivered"  # stands where a category would, for what was no bounce


@dataclass(frozen=True, slots=True)
class Held:
    """A recipient that we hold, with its message and the claim that it is held by."""

    message: Message
    recipient: Recipient
    claim: Claim


class Settler:
    """Writes results down, many at once. `policy` may be replaced at any time (a reload)."""

    def __init__(
        self, database: Database, policy: RetryPolicy, clock: Callable[[], float], rand: Callable[[], float]
    ) -> None:
        self.policy = policy
        self._database = database
        self._clock = clock
        self._rand = rand
        rule_book()  # read now, while there are files to be had, and nobody waits
        self._commit: GroupCommit[Settlement, bool] = GroupCommit(database, settle, max_items=200)
        self._writing: set[asyncio.Task[None]] = set()
        self.next_due: Callable[[float], None] = lambda _when: None
        self.pause = AGAIN_SECONDS

    def record(self, held: Held, attempt: DeliveryAttempt) -> asyncio.Task[None]:
        """Settles one attempt in the background; the task ends when it is written down."""
        meaning = _understand(attempt)
        made = held.recipient.attempts + 1
        step = next_step(attempt, meaning, made, held.message.recv_time, self.policy, self._rand)
        category = DELIVERED if isinstance(step, Delivered) else meaning.category.value
        settlement = Settlement(
            env_id=held.recipient.env_id,
            rcpt_index=held.recipient.index,
            claim=held.claim,
            step=step,
            attempts=made,
            ended_at=attempt.ended_at,
            category=category,
            rule=meaning.rule,
            attempt=attempt,
            event=_event(held, step, attempt, meaning, made),
        )
        metrics.ATTEMPTS.inc(category)
        return self._in_background(self._write(held, settlement))

    def drop(self, held: Held) -> asyncio.Task[None]:
        """Ends a recipient that an operator dropped; that is no attempt."""
        now, made = self._clock(), held.recipient.attempts
        settlement = Settlement(
            env_id=held.recipient.env_id,
            rcpt_index=held.recipient.index,
            claim=held.claim,
            step=GiveUp(4),
            attempts=made,
            ended_at=now,
            category="other",
            rule=DROPPED_RULE,
            event=replace(_bare_event(held, replies.DROPPED, now), attempts=made, rule=DROPPED_RULE),
        )
        return self._in_background(self._write(held, settlement))

    def give_back(self, claim: Claim, keys: Collection[tuple[int, int]]) -> asyncio.Task[None]:
        """Puts recipients back into the queue unattempted."""
        return self._in_background(self._give_back(claim, sorted(keys)))

    async def drain(self) -> None:
        """Waits until everything recorded so far is written down."""
        while self._writing:
            await asyncio.wait(set(self._writing))

    def _in_background(self, writing: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(writing)
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)
        return task

    async def _write(self, held: Held, settlement: Settlement) -> None:
        while True:
            try:
                stored = await self._commit.submit(settlement)
                break
            except TROUBLE as error:
                log.error("settle_failed", env_id=str(settlement.env_id), error=type(error).__name__)
                await asyncio.sleep(self.pause)
        if stored:
            self._tell(held, settlement)
        else:
            log.warning("settle_refused", **_about(held), category=settlement.category)

    async def _give_back(self, claim: Claim, keys: list[tuple[int, int]]) -> None:
        while True:
            try:
                await self._database.write(give_back, claim, keys)
            except TROUBLE as error:
                log.error("give_back_failed", recipients=len(keys), error=type(error).__name__)
                await asyncio.sleep(self.pause)
            else:
                return

    def _tell(self, held: Held, settlement: Settlement) -> None:
        if settlement.attempt is None:
            return  # dropped by an operator: told by whoever reads the outbox for that
        facts = {**_about(held), **_facts(settlement)}
        match settlement.step:
            case Delivered():
                seconds = settlement.ended_at - held.message.recv_time
                metrics.DELIVERED.inc()
                metrics.DELIVERY_SECONDS.observe(max(0.0, seconds))
                log.info("delivered", **facts, seconds=round(seconds, 3))
            case GiveUp(status):
                metrics.FAILED.inc(str(status))
                log.info("failed", **facts, status=status)
            case RetryAt(when):
                self.next_due(when)
                log.info("deferred", **facts, retry_in=round(when - settlement.ended_at, 1))
            case _:
                assert_never(settlement.step)


def _understand(attempt: DeliveryAttempt) -> Classification:
    """What the reply means. An attempt is written down even when our rules stumble over it."""
    try:
        return classify(attempt.reply, attempt.stage)
    except Exception:
        log.exception("classify_crashed", env_id=str(attempt.env_id), code=attempt.reply.code)
        retry = Retry.NO if attempt.reply.is_permanent else Retry.YES
        return Classification(Category.OTHER, retry, Suppress.NO, 4, "classify-crashed", Advice("", ""))


def _about(held: Held) -> dict[str, object]:
    return {
        "env_id": str(held.message.env_id),
        "account": held.message.account,
        "rcpt": str(held.recipient.rcpt),
    }


def _facts(settlement: Settlement) -> dict[str, object]:
    attempt = settlement.attempt
    if attempt is None:
        return {"rule": settlement.rule, "attempts": settlement.attempts}
    return {
        "mx_host": attempt.mx_host,
        "mx_ip": attempt.mx_ip,
        "tls": attempt.tls,
        "stage": attempt.stage.value,
        "reply": str(attempt.reply),
        "category": settlement.category,
        "rule": settlement.rule,
        "attempts": settlement.attempts,
        **({"maybe_duplicate": True} if attempt.maybe_duplicate else {}),
    }


def _event(
    held: Held, step: NextStep, attempt: DeliveryAttempt, meaning: Classification, made: int
) -> FinalEvent | None:
    """The final event; None when the step is not final."""
    if isinstance(step, RetryAt):
        return None
    event = replace(_bare_event(held, attempt.reply, attempt.ended_at), attempts=made, rule=meaning.rule)
    if isinstance(step, Delivered):
        return replace(event, status=0, err_code=250, category=DELIVERED)
    return replace(event, status=step.status, category=meaning.category.value, suppress=meaning.suppress.value)


def _bare_event(held: Held, reply: Reply, end_time: float) -> FinalEvent:
    """A failure whose reason is not told yet."""
    message = held.message
    return FinalEvent(
        env_id=message.env_id,
        rcpt_index=held.recipient.index,
        msg_id=message.message_id,
        account=message.account,
        mail_from=str(message.mail_from or ""),
        rcpt=str(held.recipient.rcpt),
        recv_time=message.recv_time,
        end_time=end_time,
        status=4,
        err_code=reply.code,
        err_msg=str(reply),
        category="other",
        rule="",
        attempts=0,
        tag=message.tag,
    )
