"""From what was handed over to what is stored: the message and its recipients. Pure."""

from __future__ import annotations

from directmail_relay.content.complete import Completed
from directmail_relay.content.headers import has_8bit
from directmail_relay.mail.message import Message, Recipient, Submission


def make_message(submission: Submission, completed: Completed, tag: str | None, env_id: int, now: float) -> Message:
    """`now` is the time of acceptance, POSIX seconds; `tag` one that the account has, or None."""
    envelope = submission.envelope
    return Message(
        env_id=env_id,
        account=submission.account,
        mail_from=envelope.mail_from,
        message_id=completed.message_id,
        recv_time=now,
        size=len(completed.content),
        kind=submission.kind,
        tag=tag,
        client_ip=submission.client_ip,
        body_8bit=envelope.body_8bit or has_8bit(completed.content),
        smtputf8=envelope.smtputf8,
        ret=envelope.ret,
        envid=envelope.envid,
    )


def make_recipients(submission: Submission, env_id: int, now: float) -> tuple[Recipient, ...]:
    """One for each RCPT, due at once."""
    return tuple(
        Recipient(
            env_id=env_id,
            index=index,
            rcpt=rcpt.address,
            destination=rcpt.address.domain,
            attempts=0,
            due_at=now,
            notify=rcpt.notify,
            orcpt=rcpt.orcpt,
        )
        for index, rcpt in enumerate(submission.envelope.rcpt_to)
    )
