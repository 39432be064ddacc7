"""What stands on the other side of the SMTP session: who may log in, who may send what, and the queue itself.

The session knows nothing else of the relay. Tests hand it small real objects; the application the real ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from directmail_relay.mail.address import Address
from directmail_relay.mail.message import Kind, Submission
from directmail_relay.policy.verdict import Refuse, Verdict


class Sender(Protocol):
    """Who has logged in: a sender address, or a domain with its domain password."""

    @property
    def login(self) -> str: ...
    @property
    def account(self) -> str: ...
    @property
    def kind(self) -> Kind: ...


@dataclass(frozen=True, slots=True)
class Authenticated:
    """The password was right, and the account may log in from where the client is."""

    sender: Sender


@dataclass(frozen=True, slots=True)
class Accepted:
    """Committed to disk: the client may be told 250."""

    env_id: int


class Authenticator(Protocol):
    """Knows the passwords."""

    async def authenticate(self, login: str, password: str, client_ip: str) -> Authenticated | Refuse:
        """Both texts come from strangers and may be empty. Must not block the loop, must not log the password."""


class SenderRules(Protocol):
    """What a sender may do. Asked at each command, so that a frozen account is refused at the next MAIL."""

    def check_mail_from(self, sender: Sender, mail_from: Address | None, client_ip: str) -> Verdict: ...
    async def check_rcpt_to(self, sender: Sender, rcpt: Address) -> Verdict: ...


class Door(Protocol):
    """The one way into the queue (docs/message-path.md)."""

    async def accept(self, submission: Submission) -> Accepted | Refuse:
        """Stores the message. It is never cancelled because its client left."""


class Observer(Protocol):
    """Told what happens, for the metrics. `code` and `result` take few values; `command` is a known name or `other`."""

    def session_opened(self) -> None: ...
    def session_closed(self) -> None: ...
    def command(self, command: str, code: int) -> None: ...
    def refused(self, why: str) -> None: ...
    def auth(self, result: str) -> None: ...
    def accepted(self, seconds: float) -> None: ...


class Unobserved:
    """The observer of those who count nothing."""

    def session_opened(self) -> None:
        """A connection was let in."""

    def session_closed(self) -> None:
        """It has ended, however it ended."""

    def command(self, command: str, code: int) -> None:
        """`command` got its last reply, with `code`."""

    def refused(self, why: str) -> None:
        """Something was refused; `why` is that of the Refuse."""

    def auth(self, result: str) -> None:
        """A login ended: `ok`, or why not."""

    def accepted(self, seconds: float) -> None:
        """A message was stored, so many seconds after its end of data."""


@dataclass(frozen=True, slots=True)
class Parts:
    """All that a session talks to."""

    authenticator: Authenticator
    rules: SenderRules
    door: Door
    observer: Observer
