"""Messages and settlements for the tests of the queue: what a test does not name is ordinary."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, select

from directmail_relay.database import schema
from directmail_relay.mail.address import Address
from directmail_relay.mail.attempt import DeliveryAttempt, Stage
from directmail_relay.mail.event import FinalEvent
from directmail_relay.mail.message import Kind, Message, Recipient
from directmail_relay.mail.reply import Reply
from directmail_relay.policy.quota import Limits, Periods
from directmail_relay.policy.verdict import Delivered, GiveUp, NextStep
from directmail_relay.queue.claim import Claim
from directmail_relay.queue.due import parse_stored
from directmail_relay.queue.put import NewMessage
from directmail_relay.queue.settle import Settlement

NOW = 1_795_000_000.0
DAY = Periods("2026-11-18", "2026-11")
ME = Claim(32, 1)
OTHER = Claim(33, 1)

_MESSAGE = Message(
    env_id=1,
    account="shop",
    mail_from=Address("notice", "example.com"),
    message_id="<1@example.com>",
    recv_time=NOW,
    size=11,
    kind=Kind.TRIGGER,
)


def new_mail(
    env_id: int,
    *rcpts: str,
    claimed: Collection[int] = (),
    claim: Claim = ME,
    due_at: float = NOW,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    periods: Periods = DAY,
    **message: Any,
) -> NewMessage:
    """A message to these recipients (one when none is named), the `claimed` ones of them born claimed."""
    addresses = [parse_stored(rcpt) for rcpt in rcpts or ("user@example.net",)]
    return NewMessage(
        message=replace(_MESSAGE, env_id=env_id, **message),
        recipients=tuple(
            Recipient(env_id, index, address, address.domain, attempts=0, due_at=due_at)
            for index, address in enumerate(addresses)
        ),
        content=b"Subject: x\r\n",
        limits=limits,
        periods=periods,
        claim=claim,
        claimed=frozenset(claimed),
    )


def settled(
    env_id: int, step: NextStep, *, index: int = 0, claim: Claim = ME, attempts: int = 1, at: float = NOW
) -> Settlement:
    """The first attempt, with what follows; with its final event where the step is final."""
    reply = Reply(250 if isinstance(step, Delivered) else 450, "said the host", "2.0.0")
    attempt = DeliveryAttempt(
        env_id, index, Stage.DATA, reply, at, at + 0.25, mx_host="mx.example.net", mx_ip="192.0.2.1", tls="TLSv1.3"
    )
    final = isinstance(step, (Delivered, GiveUp))
    return Settlement(
        env_id=env_id,
        rcpt_index=index,
        claim=claim,
        step=step,
        attempts=attempts,
        ended_at=at + 0.25,
        category="ok",
        rule="r1",
        attempt=attempt,
        event=final_event(env_id, index) if final else None,
    )


def final_event(env_id: int, index: int = 0) -> FinalEvent:
    return FinalEvent(
        env_id=env_id,
        rcpt_index=index,
        msg_id="<1@example.com>",
        account="shop",
        mail_from="notice@example.com",
        rcpt="user@example.net",
        recv_time=NOW,
        end_time=NOW + 0.25,
        status=0,
        err_code=250,
        err_msg="250 2.0.0 said the host",
        category="ok",
        rule="r1",
        attempts=1,
    )


def row(connection: Connection, env_id: int, index: int = 0) -> dict[str, Any]:
    """The recipient as it stands in the table."""
    r = schema.recipients
    found = connection.execute(select(r).where(r.c.env_id == env_id, r.c.idx == index)).one()
    return dict(found._mapping)


def count(connection: Connection, table: str) -> int:
    return len(connection.execute(select(schema.metadata.tables[table])).all())
