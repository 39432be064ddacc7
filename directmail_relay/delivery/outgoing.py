"""What a courier is given to deliver: one message and those of its recipients that share a destination.

Values only. The content is final: it is signed, and nothing on the way out may change an octet of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from directmail_relay.mail.address import Address
from directmail_relay.mail.message import Recipient


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A transaction to be. `mail_from` None is the null reverse-path; `ret` and `envid` are RFC 3461's, as given.

    `content` has CRLF line ends alone and is not dot-stuffed. `smtputf8` is what the client asked for; whether a host
    must offer it depends on whether the message makes use of it.
    """

    env_id: int
    mail_from: Address | None
    recipients: tuple[Recipient, ...]
    content: bytes
    body_8bit: bool = False
    smtputf8: bool = False
    ret: str | None = None
    envid: str | None = None
