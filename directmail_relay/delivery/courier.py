"""Delivers messages to one destination, one at a time, over a session that it keeps: host after host until one answers.

What comes out is one attempt a recipient, never an exception. It neither classifies nor retries: that is decided by who
called. A reply about a message or a recipient is final for this call, 4xx too: Postfix would ask the backup MX at once,
but a greylisting domain would then only be asked five times in a row, and an attempt would hold five replies.
"""

from __future__ import annotations

from directmail_relay.delivery.itinerary import Itinerary
from directmail_relay.delivery.outcome import NotBegun, Outcome
from directmail_relay.delivery.outgoing import Outgoing
from directmail_relay.delivery.smtp_client import SmtpSession, open_session
from directmail_relay.delivery.tally import Tally
from directmail_relay.delivery.transaction import MayBeginData
from directmail_relay.delivery.way import Way
from directmail_relay.mail.attempt import About, DeliveryAttempt, Stage


class Courier:
    """`destination` is a domain in A-labels. One task at a time uses it; `close` it in the end."""

    def __init__(self, destination: str, way: Way) -> None:
        self._destination = destination
        self._way = way
        self._session: SmtpSession | None = None

    @property
    def has_session(self) -> bool:
        """Whether the next delivery may find a session open."""
        return self._session is not None and self._session.is_open

    async def deliver(self, outgoing: Outgoing, may_begin_data: MayBeginData) -> tuple[DeliveryAttempt, ...]:
        """One attempt for each recipient, in their order; the one that counts where several hosts were asked.

        `may_begin_data` is asked at the last moment before each DATA. Where it says no, recipients have no attempt in
        the result: they are to be put back as they were, uncounted. Nothing but cancellation is raised.
        """
        tally = Tally(outgoing, self._way.now)
        await self._try_kept_session(tally, may_begin_data)
        itinerary = Itinerary(self._destination, self._way)
        while tally.undecided and (target := await itinerary.next_target()):
            opened = await open_session(target, self._way.settings)
            if isinstance(opened, Outcome):
                tally.note_for_all(opened, mx_host=target.host, mx_ip=target.ip)
            else:
                self._session = opened
                await self._send(tally, may_begin_data)
        for trouble in itinerary.troubles:
            tally.note_for_all(trouble.outcome, mx_host=trouble.host)
        return tally.attempts()

    async def close(self) -> None:
        """Takes leave of the host; a few seconds at most."""
        session, self._session = self._session, None
        if session is not None:
            await session.quit()

    async def _try_kept_session(self, tally: Tally, may_begin_data: MayBeginData) -> None:
        if self.has_session:
            await self._send(tally, may_begin_data, kept=True)
        self._forget_if_closed()

    async def _send(self, tally: Tally, may_begin_data: MayBeginData, *, kept: bool = False) -> None:
        session, outgoing = self._session, tally.undecided
        if session is None or outgoing is None:
            return
        outcomes = await session.send(outgoing, may_begin_data)
        self._forget_if_closed()
        if kept and all(_died_idle(outcome) for outcome in outcomes):
            return  # nobody's failure: hosts end idle sessions, and many after a number of messages
        tally.note(outcomes, mx_host=session.target.host, mx_ip=session.target.ip, tls=session.tls)

    def _forget_if_closed(self) -> None:
        if not self.has_session:
            self._session = None


def _died_idle(outcome: Outcome | NotBegun) -> bool:
    return isinstance(outcome, Outcome) and outcome.stage is Stage.MAIL and outcome.about is About.HOST
