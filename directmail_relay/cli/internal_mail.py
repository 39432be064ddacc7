"""Mail of our own, put into the queue by a command, whether the relay runs or not; a running one finds it there.

It goes the way of every mail (completed, stored, delivered, told of), but nobody's quota refuses it and it has the
null reverse-path: what cannot be delivered comes back to nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from directmail_relay.config import Config
from directmail_relay.content.complete import complete
from directmail_relay.content.dates import format_date
from directmail_relay.database.engine import Database
from directmail_relay.database.errors import AlreadyThere
from directmail_relay.mail.address import Address
from directmail_relay.mail.message import Envelope, RcptTo, Submission
from directmail_relay.policy.quota import Limits, period_keys
from directmail_relay.queue.claim import Claim
from directmail_relay.queue.env_id import WORKERS_PER_NODE, EnvIds, owner_id
from directmail_relay.queue.put import NewMessage, put
from directmail_relay.submission.accepted import make_message, make_recipients

T = TypeVar("T")

# The last number that a worker can have: with 32 workers, or two commands in one millisecond, two may make the same
# env_id. The primary key refuses the second, which is then made anew.
_COMMANDS = WORKERS_PER_NODE - 1
_CLASHES = 20


@dataclass(frozen=True, slots=True)
class InternalMail:
    """One mail to one mailbox. `account` owns it: whoever asks what became of it looks there."""

    account: str
    rcpt: Address
    content: bytes


def put_internal(database: Database, config: Config, mail: InternalMail, now: float) -> int:
    """Stores the mail as due now; returns its env_id. Raises what the database raises."""
    return with_env_id(database, config, now, lambda connection, env_id: store(connection, config, mail, env_id, now))


def with_env_id(database: Database, config: Config, now: float, fn: Callable[[Connection, int], T]) -> T:
    """`fn(connection, env_id)` in one write transaction, again with another number while the number exists already."""
    env_ids = EnvIds(owner_id(config.node, _COMMANDS), lambda: now)
    for _ in range(_CLASHES):
        try:
            return database.write_now(fn, env_ids.make())
        except AlreadyThere:
            continue
    raise RuntimeError("every new env_id exists already: is the clock right?")


def store(connection: Connection, config: Config, mail: InternalMail, env_id: int, now: float) -> int:
    """Puts the mail into the queue in the caller's transaction; returns `env_id`."""
    completed = complete(
        mail.content,
        received=b"",  # nobody handed it to us (RFC 5321 §4.4)
        date=format_date(now),
        message_id=f"<{env_id}@{config.hostname}>",
    )
    smtputf8 = mail.rcpt.needs_smtputf8 or completed.needs_smtputf8
    envelope = Envelope(mail_from=None, rcpt_to=(RcptTo(mail.rcpt),), smtputf8=smtputf8)
    submission = Submission(mail.account, login="", envelope=envelope, content=mail.content)
    new = NewMessage(
        message=make_message(submission, completed, None, env_id, now),
        recipients=make_recipients(submission, env_id, now),
        content=completed.content,
        limits=Limits(),
        periods=period_keys(now, ZoneInfo(config.time_zone)),
        claim=Claim(owner_id(config.node, _COMMANDS), 0),  # claims nothing
    )
    (refused,) = put(connection, [new])
    if refused is not None:
        raise RuntimeError(f"mail without a limit was refused: {refused.reply}")
    return env_id
