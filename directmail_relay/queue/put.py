"""Stores accepted messages, a group at a time: quota, message, content and recipients in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from directmail_relay.database import schema
from directmail_relay.database.clock import to_ms
from directmail_relay.mail.message import Message, Recipient, State
from directmail_relay.policy.quota import Limits, Periods, Used, check_quota
from directmail_relay.policy.verdict import Refuse
from directmail_relay.queue.claim import Claim
from directmail_relay.queue.usage import add_used, lock_used


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message on its way into the queue.

    `claimed` holds the indexes of the recipients that are born claimed by `claim`, so that this worker delivers
    them straight from memory; the others are stored as due. `limits` are the account's quotas just now.
    """

    message: Message
    recipients: tuple[Recipient, ...]
    content: bytes
    limits: Limits
    periods: Periods
    claim: Claim
    claimed: frozenset[int] = frozenset()


def put(connection: Connection, new: Sequence[NewMessage]) -> list[Refuse | None]:
    """Stores each message whose account has quota left for all its recipients; answers None, or why it was refused.

    Raises IntegrityError when an env_id exists already (then nothing of the group is stored).
    """
    verdicts: list[Refuse | None] = [None] * len(new)
    mine: dict[tuple[str, str], list[int]] = {}
    for index, item in enumerate(new):
        mine.setdefault((item.message.account, item.periods.day), []).append(index)
    for _, indexes in sorted(mine.items()):  # account by account, so that all groups lock in one order
        _reserve(connection, new, indexes, verdicts)
    stored = [item for item, refused in zip(new, verdicts, strict=True) if refused is None]
    if stored:
        connection.execute(schema.messages.insert(), [_message_row(item.message) for item in stored])
        connection.execute(
            schema.contents.insert(), [{"env_id": item.message.env_id, "content": item.content} for item in stored]
        )
        connection.execute(schema.recipients.insert(), [row for item in stored for row in _recipient_rows(item)])
    return verdicts


def _reserve(
    connection: Connection, new: Sequence[NewMessage], mine: Sequence[int], verdicts: list[Refuse | None]
) -> None:
    """Of one account and one day: around midnight an account has two of these, else one."""
    account, periods = new[mine[0]].message.account, new[mine[0]].periods
    used = lock_used(connection, [account], periods)[account]
    added = 0
    for index in mine:
        count = len(new[index].recipients)
        verdict = check_quota(new[index].limits, _plus(used, added), count)
        if isinstance(verdict, Refuse):
            verdicts[index] = verdict
        else:
            added += count
    add_used(connection, {account: added}, periods)


def _plus(used: Used, more: int) -> Used:
    return Used(daily=used.daily + more, monthly=used.monthly + more, total=used.total + more)


def _message_row(message: Message) -> dict[str, object]:
    return {
        "env_id": message.env_id,
        "account": message.account,
        "mail_from": str(message.mail_from or ""),
        "message_id": message.message_id,
        "recv_time": to_ms(message.recv_time),
        "size": message.size,
        "kind": message.kind.value,
        "tag": message.tag,
        "client_ip": message.client_ip,
        "body_8bit": message.body_8bit,
        "smtputf8": message.smtputf8,
        "ret": message.ret,
        "envid": message.envid,
    }


def _recipient_rows(item: NewMessage) -> list[dict[str, object]]:
    return [_recipient_row(item, recipient) for recipient in item.recipients]


def _recipient_row(item: NewMessage, recipient: Recipient) -> dict[str, object]:
    claimed = recipient.index in item.claimed
    return {
        "env_id": recipient.env_id,
        "idx": recipient.index,
        "rcpt": str(recipient.rcpt),
        "destination": recipient.destination,
        "kind": item.message.kind.value,
        "state": (State.DELIVERING if claimed else State.QUEUED).value,
        "attempts": recipient.attempts,
        "due_at": to_ms(recipient.due_at),
        "owner": item.claim.owner if claimed else None,
        "epoch": item.claim.epoch if claimed else None,
        "notify": recipient.notify,
        "orcpt": recipient.orcpt,
    }
