"""Writes down what became of an attempt: the new state, the attempt itself and the final event, in one transaction.

Fenced by the claim: who lost it changes nothing. The content goes with the last open recipient of its message.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Update, and_, bindparam, case, delete, exists, null, select, update

from directmail_relay.database import schema
from directmail_relay.database.clock import to_ms
from directmail_relay.mail.attempt import DeliveryAttempt
from directmail_relay.mail.event import FinalEvent
from directmail_relay.mail.message import State
from directmail_relay.policy.verdict import Delivered, GiveUp, NextStep, RetryAt
from directmail_relay.queue import outbox
from directmail_relay.queue.claim import Claim

r = schema.recipients


@dataclass(frozen=True, slots=True)
class Settlement:
    """One attempt and what follows. `attempts` counts this one; `event` is there when the step is final.

    `attempt` is None when an operator's wish was carried out, which is no attempt.
    """

    env_id: int
    rcpt_index: int
    claim: Claim
    step: NextStep
    attempts: int
    ended_at: float
    category: str
    rule: str
    attempt: DeliveryAttempt | None = None
    event: FinalEvent | None = None


_mine = and_(
    r.c.env_id == bindparam("of_env_id"),
    r.c.idx == bindparam("of_idx"),
    r.c.owner == bindparam("of_owner"),
    r.c.epoch == bindparam("of_epoch"),
)
_end = (
    update(r)
    .where(_mine)
    .values(
        state=bindparam("new_state"),
        status=bindparam("new_status"),
        ended_at=bindparam("new_ended_at"),
        attempts=bindparam("new_attempts"),
        owner=null(),
        epoch=null(),
        wanted=null(),
    )
)
# A wish to drop stays on the row for whoever claims it next, which is due at once; a wish to hold is fulfilled here.
_retry = (
    update(r)
    .where(_mine)
    .values(
        state=case((r.c.wanted == "hold", State.HELD.value), else_=State.QUEUED.value),
        wanted=case((r.c.wanted == "hold", null()), else_=r.c.wanted),
        attempts=bindparam("new_attempts"),
        due_at=case((r.c.wanted == "drop", 0), else_=bindparam("new_due_at")),
        owner=null(),
        epoch=null(),
    )
)


def settle(connection: Connection, group: Sequence[Settlement]) -> list[bool]:
    """Stores each; False where the claim was lost meanwhile (then nothing of that one is stored)."""
    done = _lock_claims(connection, group)
    held = [item for item, ok in zip(group, done, strict=True) if ok]
    _change(connection, held)
    rows = [_attempt_row(item, item.attempt) for item in held if item.attempt is not None]
    if rows:
        connection.execute(schema.attempts.insert(), rows)
    outbox.append(connection, [item.event for item in held if item.event is not None])
    drop_contents(connection, {item.env_id for item in held if item.event is not None})
    return done


# The claims that still hold. In the order of the keys, as orders.py locks them too: two transactions then never wait
# for each other in a circle. By the owner as well, which makes SQLite read what that worker holds and nothing else.
_claims = (
    select(r.c.env_id, r.c.idx, r.c.owner, r.c.epoch)
    .where(
        r.c.env_id.in_(bindparam("of_env_ids", expanding=True)), r.c.owner.in_(bindparam("of_owners", expanding=True))
    )
    .order_by(r.c.env_id, r.c.idx)
    .with_for_update()
)


def _lock_claims(connection: Connection, group: Sequence[Settlement]) -> list[bool]:
    """Whether each still holds its claim; from here to the end of the transaction nobody can take it.

    One statement for all, since asking by each update's row count costs twice as much as all the rest.
    """
    keys = {"of_env_ids": sorted({item.env_id for item in group}), "of_owners": sorted({i.claim.owner for i in group})}
    held = {(row.env_id, row.idx): Claim(row.owner, row.epoch) for row in connection.execute(_claims, keys)}
    done: list[bool] = []
    for item in group:
        key = (item.env_id, item.rcpt_index)
        done.append(held.get(key) == item.claim)
        if done[-1]:
            del held[key]  # settled: a second result for it in the same group comes too late
    return done


def _change(connection: Connection, held: Sequence[Settlement]) -> None:
    changes = [_change_of(item) for item in held]
    for statement in (_retry, _end):
        rows = [row for kind, row in changes if kind is statement]
        if rows:
            connection.execute(statement, rows)


def _change_of(item: Settlement) -> tuple[Update, dict[str, object]]:
    key: dict[str, object] = {
        "of_env_id": item.env_id,
        "of_idx": item.rcpt_index,
        "of_owner": item.claim.owner,
        "of_epoch": item.claim.epoch,
        "new_attempts": item.attempts,
    }
    match item.step:
        case RetryAt(when):
            return _retry, {**key, "new_due_at": to_ms(when)}
        case Delivered():
            return _end, {**key, **_ended(State.DELIVERED, 0, item.ended_at)}
        case GiveUp(status):
            return _end, {**key, **_ended(State.FAILED, status, item.ended_at)}


def _ended(state: State, status: int, at: float) -> dict[str, object]:
    return {"new_state": state.value, "new_status": status, "new_ended_at": to_ms(at)}


def _attempt_row(item: Settlement, attempt: DeliveryAttempt) -> dict[str, object]:
    return {
        "env_id": item.env_id,
        "idx": item.rcpt_index,
        "n": item.attempts,
        "at": to_ms(attempt.started_at),
        "duration": max(0, to_ms(attempt.ended_at - attempt.started_at)),
        "mx_host": attempt.mx_host,
        "mx_ip": attempt.mx_ip,
        "stage": attempt.stage.value,
        "code": attempt.reply.code,
        "enhanced": attempt.reply.enhanced,
        "text": attempt.reply.text,
        "category": item.category,
        "rule": item.rule,
        "tls": attempt.tls,
    }


_open_recipient = exists(
    select(r.c.env_id).where(
        r.c.env_id == schema.contents.c.env_id, r.c.state.not_in([State.DELIVERED.value, State.FAILED.value])
    )
)


def drop_contents(connection: Connection, env_ids: set[int]) -> None:
    """Drops the contents of those messages that have no open recipient any more."""
    # Two transactions that end the last two recipients at once each see the other's as open: the purge finds those.
    if env_ids:
        connection.execute(
            delete(schema.contents).where(schema.contents.c.env_id.in_(sorted(env_ids)), ~_open_recipient)
        )


def purge_contents(connection: Connection, limit: int) -> int:
    """Drops contents that no open recipient needs any more, whatever left them behind. Returns how many."""
    orphans = select(schema.contents.c.env_id).where(~_open_recipient).limit(limit)
    return connection.execute(delete(schema.contents).where(schema.contents.c.env_id.in_(orphans))).rowcount
