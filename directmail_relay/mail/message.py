"""Envelope, submission, message and recipient: what is handed over, and what became of it when it was accepted.

All of them are immutable; the state of a recipient changes in the database alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from directmail_relay.mail.address import Address


class Kind(StrEnum):
    """The guide's 触发邮件 (trigger: one person waits for it) and 批量邮件 (batch)."""

    TRIGGER = "trigger"
    BATCH = "batch"


class State(StrEnum):
    """Where a recipient stands. `delivered` and `failed` are final."""

    QUEUED = "queued"
    DELIVERING = "delivering"
    DELIVERED = "delivered"
    FAILED = "failed"
    HELD = "held"


class Status(StrEnum):
    """The status of an account; all but `normal` refuse mail (the guide's 发信账户状态异常)."""

    NORMAL = "normal"
    FROZEN = "frozen"
    OVERDUE = "overdue"
    RESTRICTED = "restricted"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class RcptTo:
    """One RCPT command: the address and its DSN parameters (RFC 3461 §4.1, §4.2), as given.

    `notify` is None (not given), `NEVER`, or a comma list of SUCCESS, FAILURE, DELAY; `orcpt` is `type;xtext`.
    """

    address: Address
    notify: str | None = None
    orcpt: str | None = None


@dataclass(frozen=True, slots=True)
class Envelope:
    """An SMTP envelope. `mail_from` None is the null reverse-path; `ret` and `envid` are RFC 3461's, as given."""

    mail_from: Address | None
    rcpt_to: tuple[RcptTo, ...] = ()
    body_8bit: bool = False
    smtputf8: bool = False
    ret: str | None = None
    envid: str | None = None


@dataclass(frozen=True, slots=True)
class Submission:
    """What a door (SMTP, API, …) hands to `submission.accept`.

    `content` is dot-unstuffed, with CRLF line ends alone. `protocol` is RFC 3848's keyword for the Received
    field (`ESMTPSA`), `helo` what the client called itself (hostile text).
    """

    account: str
    login: str
    envelope: Envelope
    content: bytes
    kind: Kind = Kind.TRIGGER
    tag: str | None = None
    client_ip: str | None = None
    helo: str = ""
    protocol: str = "ESMTPA"


@dataclass(frozen=True, slots=True)
class Message:
    """An accepted submission, as stored. `recv_time` is POSIX seconds, `size` the stored content in bytes."""

    env_id: int
    account: str
    mail_from: Address | None
    message_id: str
    recv_time: float
    size: int
    kind: Kind
    tag: str | None = None
    client_ip: str | None = None
    body_8bit: bool = False
    smtputf8: bool = False
    ret: str | None = None
    envid: str | None = None


@dataclass(frozen=True, slots=True)
class Recipient:
    """The unit of work: one recipient of one message. `attempts` counts those made; `due_at` is POSIX seconds.

    `destination` groups recipients that share sessions: the domain, as an A-label.
    """

    env_id: int
    index: int
    rcpt: Address
    destination: str
    attempts: int
    due_at: float
    notify: str | None = None
    orcpt: str | None = None
