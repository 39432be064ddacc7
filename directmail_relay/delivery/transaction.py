"""One message in a session that stands: MAIL, each RCPT with its own reply, DATA (RFC 5321 §3.3).

It fills in an outcome for each recipient and raises nothing but Stop. It never sends a content without asking first
whether it still may, and never says DATA when nobody would get it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from directmail_relay.delivery.connection import Broken
from directmail_relay.delivery.dialogue import Dialogue
from directmail_relay.delivery.esmtp import Extensions, envelope_needs_smtputf8, render_mail, render_rcpt, stuff_dots
from directmail_relay.delivery.outcome import NotBegun, Outcome, Stop
from directmail_relay.delivery.outgoing import Outgoing
from directmail_relay.delivery.remote_reply import Heard
from directmail_relay.delivery.timeouts import Timeouts
from directmail_relay.mail.attempt import About, Stage
from directmail_relay.mail.message import Recipient
from directmail_relay.mail.replies import NO_SMTPUTF8, OUT_OF_STEP, TOO_LARGE_FOR_HOST

BLOCK = 64 * 1024  # octets that have `Timeouts.block` seconds to go out

MayBeginData = Callable[[], bool]


class Transaction:
    """`run` it once. `outcomes` has one entry a recipient, in their order; None means: what `run` returned."""

    def __init__(self, dialogue: Dialogue, extensions: Extensions, timeouts: Timeouts, outgoing: Outgoing) -> None:
        self._dialogue = dialogue
        self._extensions = extensions
        self._timeouts = timeouts
        self._outgoing = outgoing
        self.outcomes: list[Outcome | None] = [None] * len(outgoing.recipients)

    async def run(self, may_begin_data: MayBeginData) -> Outcome | NotBegun:
        """The outcome of all recipients that have none of their own. Raises Stop."""
        unsendable = self._check_message()
        if unsendable is not None:
            return unsendable
        mail = render_mail(self._outgoing, self._extensions)
        heard = await self._dialogue.say(Stage.MAIL, mail, self._timeouts.mail)
        if not heard.reply.is_success:
            return Outcome(Stage.MAIL, heard.reply, About.MESSAGE)
        await self._name_recipients()
        if None not in self.outcomes or not may_begin_data():
            await self._reset()
            return NotBegun()
        return await self._send_content()

    def _check_message(self) -> Outcome | None:
        limit = self._extensions.max_size
        if limit and len(self._outgoing.content) > limit:
            return Outcome(Stage.MAIL, TOO_LARGE_FOR_HOST, About.MESSAGE)
        if envelope_needs_smtputf8(self._outgoing) and not self._extensions.offers("SMTPUTF8"):
            return Outcome(Stage.MAIL, NO_SMTPUTF8, About.MESSAGE)
        return None

    async def _name_recipients(self) -> None:
        for place, recipient in enumerate(self._outgoing.recipients):
            self.outcomes[place] = await self._name(recipient)

    async def _name(self, recipient: Recipient) -> Outcome | None:
        if recipient.rcpt.needs_smtputf8 and not self._extensions.offers("SMTPUTF8"):
            return Outcome(Stage.RCPT, NO_SMTPUTF8, About.RECIPIENT)
        rcpt = render_rcpt(recipient, self._extensions)
        heard = await self._dialogue.say(Stage.RCPT, rcpt, self._timeouts.rcpt)
        return None if heard.reply.is_success else Outcome(Stage.RCPT, heard.reply, About.RECIPIENT)

    async def _send_content(self) -> Outcome:
        heard = await self._dialogue.say(Stage.DATA, b"DATA", self._timeouts.data, wanted=3)
        if heard.reply.code // 100 != 3:
            await self._reset()
            return Outcome(Stage.DATA, heard.reply, About.MESSAGE)
        *blocks, last = _blocks(stuff_dots(self._outgoing.content))
        early = await self._send_blocks(blocks)
        if early is not None:
            return self._refused_halfway(early)
        return await self._send_last(last)

    async def _send_blocks(self, blocks: list[memoryview]) -> Heard | None:
        """The host's reply if it speaks before the end; there is no use in going on then."""
        connection = self._dialogue.connection
        try:
            for block in blocks:
                await connection.write(block, self._timeouts.block)
                early = connection.take()
                if early is not None:
                    return early
        except Broken as error:
            return self._last_words(error)
        return None

    def _last_words(self, error: Broken) -> Heard:
        """A host that cuts us off halfway has mostly said why just before."""
        try:
            heard = self._dialogue.connection.take()
        except Broken as broken:
            raise self._dialogue.stop(Stage.DATA, broken) from None
        if heard is None:
            raise self._dialogue.stop(Stage.DATA, error)
        return heard

    def _refused_halfway(self, early: Heard) -> Outcome:
        self._dialogue.connection.abort()
        self._dialogue.judge(Stage.DATA, early)
        if early.reply.is_success:
            return Outcome(Stage.DATA, OUT_OF_STEP)
        return Outcome(Stage.DATA, early.reply, About.MESSAGE)

    async def _send_last(self, last: memoryview) -> Outcome:
        """From here on the host may have the message, whatever we get to hear of it (RFC 5321 §6.1)."""
        try:
            heard = await self._finish(last)
        except Stop as stop:
            known = stop.outcome.reply.code == 421
            raise Stop(Outcome(Stage.DATA, stop.outcome.reply, maybe_duplicate=not known)) from None
        about = About.RECIPIENT if heard.reply.is_success else About.MESSAGE
        return Outcome(Stage.DATA, heard.reply, about)

    async def _finish(self, last: memoryview) -> Heard:
        try:
            await self._dialogue.connection.write(last, self._timeouts.block)
        except Broken as error:
            return self._dialogue.judge(Stage.DATA, self._last_words(error))
        return await self._dialogue.hear(Stage.DATA, self._timeouts.final_dot)

    async def _reset(self) -> None:
        """RSET, so that the session can be used again; every recipient's outcome stands already."""
        try:
            heard = await self._dialogue.say(Stage.MAIL, b"RSET", self._timeouts.rset)
        except Stop:
            return  # the connection is aborted, and the session is not used again
        if not heard.reply.is_success:
            self._dialogue.connection.abort()


def _blocks(content: bytes) -> Iterator[memoryview]:
    """In pieces without copying; never none, since the final dot is always there."""
    view = memoryview(content)
    for start in range(0, len(content), BLOCK):
        yield view[start : start + BLOCK]
