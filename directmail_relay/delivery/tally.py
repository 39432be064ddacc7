"""The attempts of one delivery as they add up: for each recipient the reply that decides, or the best one so far.

A host's failure decides nothing while another host is left. When none is, a temporary failure of any host counts more
than a permanent one of another, and a host's own words more than what we found out ourselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from directmail_relay.delivery.outcome import NotBegun, Outcome
from directmail_relay.delivery.outgoing import Outgoing
from directmail_relay.mail.attempt import DeliveryAttempt
from directmail_relay.mail.message import Recipient
from directmail_relay.mail.reply import Origin, Reply


class Tally:
    """Begins when it is made; `now` gives POSIX seconds."""

    def __init__(self, outgoing: Outgoing, now: Callable[[], float]) -> None:
        self._outgoing = outgoing
        self._now = now
        self._started_at = now()
        self._undecided = {recipient.index: recipient for recipient in outgoing.recipients}
        self._attempts: dict[int, DeliveryAttempt] = {}

    @property
    def undecided(self) -> Outgoing | None:
        """What is left to send, None when nothing is."""
        left = tuple(self._undecided.values())
        return replace(self._outgoing, recipients=left) if left else None

    def note(
        self,
        outcomes: Iterable[Outcome | NotBegun],
        *,
        mx_host: str | None = None,
        mx_ip: str | None = None,
        tls: str | None = None,
    ) -> None:
        """One outcome for each undecided recipient, in their order."""
        for recipient, outcome in zip(list(self._undecided.values()), outcomes, strict=True):
            if isinstance(outcome, NotBegun):
                self._put_back(recipient)
            else:
                attempt = self._attempt(recipient, outcome)
                self._add(replace(attempt, mx_host=mx_host, mx_ip=mx_ip, tls=tls), final=not outcome.wants_next_host)

    def note_for_all(self, outcome: Outcome, *, mx_host: str | None = None, mx_ip: str | None = None) -> None:
        self.note([outcome] * len(self._undecided), mx_host=mx_host, mx_ip=mx_ip)

    def attempts(self) -> tuple[DeliveryAttempt, ...]:
        """One for each recipient that was tried, in the order of the message."""
        return tuple(self._attempts[index] for index in sorted(self._attempts))

    def _put_back(self, recipient: Recipient) -> None:
        # What an earlier host said is forgotten too: who is put back was not tried.
        del self._undecided[recipient.index]
        self._attempts.pop(recipient.index, None)

    def _add(self, attempt: DeliveryAttempt, *, final: bool) -> None:
        index = attempt.rcpt_index
        before = self._attempts.get(index)
        if final:
            del self._undecided[index]
        if final or before is None or _weight(attempt.reply) >= _weight(before.reply):
            self._attempts[index] = attempt

    def _attempt(self, recipient: Recipient, outcome: Outcome) -> DeliveryAttempt:
        return DeliveryAttempt(
            env_id=self._outgoing.env_id,
            rcpt_index=recipient.index,
            stage=outcome.stage,
            reply=outcome.reply,
            started_at=self._started_at,
            ended_at=self._now(),
            about=outcome.about,
            maybe_duplicate=outcome.maybe_duplicate,
        )


def _weight(reply: Reply) -> tuple[bool, bool]:
    return (reply.is_temporary, reply.origin is Origin.REMOTE)
