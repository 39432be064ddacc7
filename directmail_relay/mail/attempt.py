"""What happened when one recipient was tried once: always a value, never an exception.

An attempt says where it ended, what was said, and what the failure is about, since that decides who is
tried next (docs/message-path.md, "Out"): another host, the rest of the message, or nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from directmail_relay.mail.reply import Reply


class Stage(StrEnum):
    """How far an attempt came; CONNECT includes the greeting, DATA everything from the command to the last reply."""

    RESOLVE = "RESOLVE"
    CONNECT = "CONNECT"
    EHLO = "EHLO"
    STARTTLS = "STARTTLS"
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"


class About(StrEnum):
    """What a failure is about: HOST → the next MX host is tried; MESSAGE → all its recipients; RECIPIENT → that one."""

    HOST = "host"
    MESSAGE = "message"
    RECIPIENT = "recipient"


@dataclass(frozen=True, slots=True)
class DeliveryAttempt:
    """One try for one recipient. Times are POSIX seconds.

    `rcpt_index` is the recipient's place in its message. `mx_host` and `mx_ip` are None while nothing was
    resolved or connected. `tls` is the protocol version (`TLSv1.3`), None in clear. `maybe_duplicate` says that
    the reply to the final dot was lost: the MX may have the message although we must try again (RFC 5321 §6.1).
    """

    env_id: int
    rcpt_index: int
    stage: Stage
    reply: Reply
    started_at: float
    ended_at: float
    mx_host: str | None = None
    mx_ip: str | None = None
    tls: str | None = None
    about: About = About.RECIPIENT
    maybe_duplicate: bool = False
