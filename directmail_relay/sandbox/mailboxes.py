"""Who has a mailbox at sandbox.test, and what its host answers: data, worded as Postfix, Dovecot, postgrey, rspamd do.

Decides nothing but which reply comes when; the relay must make its own sense of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

DOMAIN = "sandbox.test"

RCPT_OK = "250 2.1.5 Ok"
QUEUED = "250 2.0.0 Ok: queued as {queue_id}"
UNKNOWN = "550 5.1.1 <{rcpt}>: Recipient address rejected: User unknown in virtual mailbox table"
FULL = "552 5.2.2 <{rcpt}> Quota exceeded (mailbox for user is full)"
GREYLISTED = (
    "450 4.2.0 <{rcpt}>: Recipient address rejected: Greylisted, see http://postgrey.schweikert.ch/help/{domain}.html"
)
SPAM = "554 5.7.1 Spam message rejected"
RELAY_DENIED = "554 5.7.1 <{rcpt}>: Relay access denied"

SLOW_SECONDS = 4.0
GREYLIST_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Mailbox:
    """`at_rcpt` answers RCPT, `at_end` the final dot, after `wait` seconds. `what` says it to a person."""

    name: str
    what: str
    at_rcpt: str = RCPT_OK
    at_end: str = QUEUED
    wait: float = 0.0
    greylists: bool = False

    @property
    def address(self) -> str:
        return f"{self.name}@{DOMAIN}"


MAILBOXES = {
    mailbox.name: mailbox
    for mailbox in (
        Mailbox("ok", "takes the mail"),
        Mailbox("unknown", "does not exist", at_rcpt=UNKNOWN),
        Mailbox("full", "is over its quota", at_rcpt=FULL),
        Mailbox("grey", f"is behind greylisting: come back after {GREYLIST_SECONDS:.0f} s", greylists=True),
        Mailbox("spam", "has a filter that calls everything spam", at_end=SPAM),
        Mailbox("slow", f"answers the content only after {SLOW_SECONDS:.0f} s", wait=SLOW_SECONDS),
    )
}


def find_mailbox(address: str) -> Mailbox | None:
    """The mailbox of an address at our domain, one that nobody has included; None for another domain."""
    local, _, domain = address.rpartition("@")
    if domain.lower() != DOMAIN:
        return None
    return MAILBOXES.get(local.lower(), MAILBOXES["unknown"])


class Greylist:
    """Turns away who is not known yet, as postgrey does: by client, sender and recipient. `monotonic` is in seconds."""

    def __init__(self, seconds: float, monotonic: Callable[[], float]) -> None:
        self._seconds = seconds
        self._monotonic = monotonic
        self._first_seen: dict[tuple[str, str, str], float] = {}

    def lets_pass(self, client: str, mail_from: str, rcpt: str) -> bool:
        now = self._monotonic()
        return now - self._first_seen.setdefault((client, mail_from, rcpt), now) >= self._seconds
