"""Command and reply with one host, and the judgement that all stages share: what ends the session, and what does not.

421 at any stage, a broken connection and a reply that cannot belong to the command are about the host: they raise
Stop. Every other reply is handed to the caller, who knows what it is about.
"""

from __future__ import annotations

import structlog

from directmail_relay.delivery.connection import Broken, Connection
from directmail_relay.delivery.outcome import Outcome, Stop
from directmail_relay.delivery.remote_reply import Heard
from directmail_relay.mail.attempt import Stage
from directmail_relay.mail.replies import OUT_OF_STEP

log = structlog.get_logger(__name__)

_NEGATIVE = (4, 5)


class Dialogue:
    """`host` names the other side in the log."""

    def __init__(self, connection: Connection, host: str) -> None:
        self.connection = connection
        self._host = host

    async def say(self, stage: Stage, line: bytes, seconds: float, *, wanted: int = 2) -> Heard:
        """The reply: its code begins with `wanted`, or with 4 or 5. Raises Stop."""
        try:
            heard = await self.connection.say(line, seconds)
        except Broken as error:
            raise self.stop(stage, error) from None
        return self.judge(stage, heard, wanted=wanted)

    async def hear(self, stage: Stage, seconds: float) -> Heard:
        """A reply that is due without a command: the greeting, and the one after the final dot. Raises Stop."""
        try:
            heard = await self.connection.read(seconds)
        except Broken as error:
            raise self.stop(stage, error) from None
        return self.judge(stage, heard)

    def judge(self, stage: Stage, heard: Heard, *, wanted: int = 2) -> Heard:
        if heard.reply.code == 421:
            self.connection.abort()
            raise Stop(Outcome(stage, heard.reply))
        if heard.reply.code // 100 not in (wanted, *_NEGATIVE):
            self.connection.abort()
            log.info("delivery_reply_out_of_step", mx_host=self._host, stage=stage, code=heard.reply.code)
            raise Stop(Outcome(stage, OUT_OF_STEP))
        return heard

    def stop(self, stage: Stage, error: Broken) -> Stop:
        log.info("delivery_connection_broken", mx_host=self._host, stage=stage, why=error.why)
        return Stop(Outcome(stage, error.reply))
