"""The conversation: how commands are read one by one, how they are answered, counted and timed, how it ends.

What each command does is said by SubmissionSession; nothing here knows about mail.
"""

from __future__ import annotations

import asyncio
import itertools
import traceback
from typing import ClassVar

import structlog

from directmail_relay.mail import replies
from directmail_relay.mail.reply import Reply
from directmail_relay.policy.verdict import Refuse
from directmail_relay.submission import refusals
from directmail_relay.submission.command_line import (
    MAX_AUTH_OCTETS,
    MAX_COMMAND_OCTETS,
    Command,
    parse_command,
)
from directmail_relay.submission.door import Observer
from directmail_relay.submission.patience import DeadlineError, HangUpError, InterruptedWaitError, WireError
from directmail_relay.submission.protocol import ClientProtocol, render
from directmail_relay.submission.registry import Registry
from directmail_relay.submission.settings import SessionSettings, TlsMode
from directmail_relay.submission.wire import LineTooLongError

log = structlog.get_logger(__name__)

# Replies to these may wait for the next one when the next command is here already (RFC 2920 §3.2).
_GROUPED = frozenset({"MAIL", "RCPT", "RSET"})
# After so many commands the others get their turn, although more are here already: ten thousand fit into one read.
_TURN = 32


class Connection(ClientProtocol):
    """`closing`: the loop ends after the reply that was just said. `last_code` is that reply's, for the metrics."""

    #: The methods that a client can reach, by command; made once a class, not on each connection.
    commands: ClassVar[dict[str, str]] = {}

    def __init__(self, settings: SessionSettings, observer: Observer, registry: Registry) -> None:
        super().__init__(settings, observer, registry)
        self.closing = False
        self.last_code = 0
        self._errors = 0

    # ── the conversation ───────────────────────────────────────────────────────────────────────────

    async def _handle_client(self) -> None:
        try:
            await self._converse()
        except DeadlineError:
            self.send_away(replies.TIMEOUT, "timeout")
        except InterruptedWaitError:
            # Nothing is refused, and there is one for each connection: no log line, no metric.
            self.say(replies.SHUTTING_DOWN)
        except asyncio.CancelledError:
            self.wire.abort()
            raise
        except HangUpError:
            log.debug("smtp_client_left", client_ip=self.client_ip)
        except Exception as error:  # noqa: BLE001  a fault of ours, outside of any command: told to the log alone
            await self.handle_exception(error)
        finally:
            await self.wire.close(self._deadline(self.settings.timeouts.linger))

    async def _converse(self) -> None:
        if self.settings.tls_mode is TlsMode.IMPLICIT:
            await self.finish_tls()
        self.say(replies.fill(replies.GREETING, hostname=self.settings.hostname))
        for number in itertools.count(1):
            if self.closing:
                return
            if self.stopping and self.is_idle:
                raise InterruptedWaitError
            if number % _TURN == 0:
                await asyncio.sleep(0)
            await self._next_command()
            await self.wire.drain(self._deadline(self.settings.timeouts.write))

    async def _next_command(self) -> None:
        try:
            command = parse_command(await self._read_command_line())
        except LineTooLongError:
            command = _NO_COMMAND
            self.refuse(refusals.LINE_TOO_LONG)
        except ValueError:
            command = _NO_COMMAND
            self.refuse(refusals.BAD_COMMAND)
        else:
            await self._obey(command)
        self.observer.command(command.label, self.last_code)
        if command.verb not in _GROUPED or not self.wire.has_line:
            self.wire.flush()

    async def _read_command_line(self) -> bytes:
        line = await self.read_line()
        if len(line) > MAX_COMMAND_OCTETS and line[:5].upper() != b"AUTH ":
            raise LineTooLongError
        return line

    async def _obey(self, command: Command) -> None:
        method = self.commands.get(command.verb)
        if method is None:
            self.refuse(refusals.BAD_COMMAND)
            return
        try:
            await getattr(self, method)(command.argument)
        except WireError:
            raise
        except Exception as error:  # noqa: BLE001  a fault of ours is told as 451, and the session goes on
            await self.push(await self.handle_exception(error))
            self.last_code = replies.INTERNAL_ERROR.code

    async def handle_exception(self, error: Exception) -> str:
        """Logs where it happened, not the error's message nor any local: they may hold content or passwords."""
        frames = [
            f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)
        ]
        log.error("smtp_internal_error", client_ip=self.client_ip, error=type(error).__name__, frames=frames)
        return f"{replies.INTERNAL_ERROR.code} {replies.INTERNAL_ERROR.text}"

    # ── what the commands are written with ─────────────────────────────────────────────────────────

    async def read_line(self) -> bytes:
        """The client's next line, within the time that it has for one. Raises LineTooLongError, WireError."""
        return await self.wire.read_line(MAX_AUTH_OCTETS, self._deadline(self.settings.timeouts.command))

    def say_lines(self, code: int, lines: list[str]) -> None:
        """A reply of several lines, as one write."""
        self.last_code = code
        last = len(lines) - 1
        self.wire.write(
            "".join(f"{code}{' ' if n == last else '-'}{line}\r\n" for n, line in enumerate(lines)).encode()
        )

    def say(self, reply: Reply) -> None:
        self.last_code = reply.code
        self.wire.write(render(reply))

    async def push(self, status: str | bytes) -> None:
        """How aiosmtpd speaks; what it says goes out as ours does."""
        self.wire.write((status.encode() if isinstance(status, str) else status) + b"\r\n")

    def refuse(self, refuse: Refuse, *, is_error: bool = True) -> None:
        """Says no and counts it: after too many errors the client is sent away, with a 421 behind the last of them."""
        self.say(refuse.reply)
        self.observer.refused(refuse.why)
        self._errors += is_error
        if self._errors >= self.settings.max_errors and not self.closing:
            self.send_away(replies.TOO_MANY_ERRORS, "too_many_errors")

    def forgive_errors(self) -> None:
        """After an accepted message: a client that sends real mail all day may err now and then."""
        self._errors = 0

    def send_away(self, reply: Reply, why: str) -> None:
        self.closing = True
        self.wire.write(render(reply))
        self.observer.refused(why)
        log.info("smtp_sent_away", why=why, client_ip=self.client_ip)

    async def finish_tls(self) -> None:
        """The end of the handshake. Raises HangUpError when it fails: no word in clear can follow."""
        try:
            await self.wire.finish_tls()
        except OSError as error:
            reason = getattr(error, "reason", None) or type(error).__name__
            log.info("smtp_tls_failed", client_ip=self.client_ip, error=reason)
            raise HangUpError from error

    def _deadline(self, seconds: float) -> float:
        return self.wire.now() + seconds


_NO_COMMAND = Command("", "")
