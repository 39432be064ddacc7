"""How a session, or one transaction in it, ended for a recipient, before it becomes an attempt on record.

The distinction that everything turns on is `about`: a host's failure sends the recipient to the next host.
"""

from __future__ import annotations

from dataclasses import dataclass

from directmail_relay.mail.attempt import About, Stage
from directmail_relay.mail.reply import Reply


@dataclass(frozen=True, slots=True)
class Outcome:
    """`maybe_duplicate`: the content was sent with its final dot, and what became of it is not known."""

    stage: Stage
    reply: Reply
    about: About = About.HOST
    maybe_duplicate: bool = False

    @property
    def wants_next_host(self) -> bool:
        """Another host may do better. Not after an unknown outcome: trying at once would make the duplicate likely."""
        return self.about is About.HOST and not self.maybe_duplicate


@dataclass(frozen=True, slots=True)
class NotBegun:
    """The recipient was not ours any more, or we are stopping: nothing was sent, and nothing is to be counted."""


class Stop(Exception):  # noqa: N818  # control flow inside a session; it never leaves the session
    """No way on in this session; `outcome` is that of every recipient that has none of its own yet."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(str(outcome.reply))
        self.outcome = outcome
