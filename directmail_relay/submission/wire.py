"""The octets of one connection, both ways: lines in, replies out, deadlines, flow control, TLS, an orderly end.

One buffer serves commands and content. Memory is bounded against a client that talks too much and against one
that never reads. Nobody who waits here is cancelled because the peer left: the next read says so instead.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl

from directmail_relay.submission.patience import DeadlineError, HangUpError, InterruptedWaitError, Patience
from directmail_relay.submission.tls import ServerTls

# Beyond this much unread input the socket is left alone until somebody reads. asyncio reads as much at once; with
# less, each read of a large message would switch reading off and on.
HIGH_WATER = 256 * 1024
# Beyond this much collected output a reply is not held back for the next one.
MAX_COALESCED = 4 * 1024


class LineTooLongError(Exception):
    """The line was longer than allowed; all of it has been thrown away."""


class Wire:
    """Times are those of the event loop's clock: a deadline is a moment, in seconds."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._input = bytearray()
        self._output = bytearray()
        self._patience = Patience(loop)
        self._reading_paused = False
        self._writing_paused = False
        self._handshake: asyncio.Future[None] | None = None
        self._discarding = False
        self._interrupted = False
        self._eof = False
        self.tls = False
        self.now = loop.time

    # ── what the transport tells us ────────────────────────────────────────────────────────────────

    def attach(self, transport: asyncio.Transport) -> None:
        self._transport = transport

    def feed(self, data: bytes) -> None:
        if self._discarding:
            return
        self._input += data
        full = len(self._input) > HIGH_WATER and not self._reading_paused
        if full and self._transport is not None:
            self._reading_paused = True
            self._transport.pause_reading()
        self._patience.wake()

    def feed_eof(self) -> bool:
        """Whether the transport stays open: the client of a half-closed connection still gets its replies."""
        self._eof = True
        self._patience.wake()
        return not self.tls

    def lost(self) -> None:
        self._eof = True
        self._transport = None
        self._patience.wake()

    def pause_writing(self) -> None:
        self._writing_paused = True

    def resume_writing(self) -> None:
        self._writing_paused = False
        self._patience.wake()

    # ── reading ────────────────────────────────────────────────────────────────────────────────────

    @property
    def has_line(self) -> bool:
        """Whether the next command is here already."""
        return b"\n" in self._input

    @property
    def has_input(self) -> bool:
        return bool(self._input)

    async def read_line(self, limit: int, deadline: float) -> bytes:
        """The next line without its end, CRLF or a bare LF, of at most `limit` octets with it.

        Raises LineTooLongError, DeadlineError, HangUpError (an unfinished last line is no line), InterruptedWaitError.
        """
        searched = 0
        while (end := self._input.find(b"\n", searched)) < 0:
            if len(self._input) > limit:
                await self._skip_line(deadline)
            searched = len(self._input)
            await self._more(deadline)
        line = bytes(self._input[:end])
        del self._input[: end + 1]
        if end >= limit:
            raise LineTooLongError
        return line.removesuffix(b"\r")

    async def read_some(self, deadline: float) -> bytearray:
        """Whatever is there, at least one octet. Raises as `read_line`, but for LineTooLongError."""
        while not self._input:
            await self._more(deadline)
        some, self._input = self._input, bytearray()
        return some

    def give_back(self, octets: bytes) -> None:
        """What was read too far comes first again."""
        if octets:
            self._input[:0] = octets

    async def _skip_line(self, deadline: float) -> None:
        while (end := self._input.find(b"\n")) < 0:
            self._input.clear()
            await self._more(deadline)
        del self._input[: end + 1]
        raise LineTooLongError

    async def _more(self, deadline: float) -> None:
        self.flush()
        if self._eof:
            raise HangUpError
        if self._reading_paused:
            self._reading_paused = False
            self._open_transport().resume_reading()
        await self._patience.wait(deadline)
        if self._interrupted:
            raise InterruptedWaitError

    # ── writing ────────────────────────────────────────────────────────────────────────────────────

    def write(self, octets: bytes) -> None:
        """Collects; goes out at the next `flush`, or when we wait for the client."""
        self._output += octets
        if len(self._output) > MAX_COALESCED:
            self.flush()

    def flush(self) -> None:
        """All that was collected, as one write."""
        if self._output:
            if self._transport is not None and not self._transport.is_closing():
                self._transport.write(bytes(self._output))
            self._output.clear()

    async def drain(self, deadline: float) -> None:
        """Waits while the client reads nothing of what we say. Raises DeadlineError, HangUpError."""
        while self._writing_paused:
            if self._transport is None:
                raise HangUpError
            await self._patience.wait(deadline)

    def interrupt(self) -> None:
        """Ends a wait for input, now and from now on, with InterruptedWaitError."""
        self._interrupted = True
        self._patience.wake()

    # ── TLS and the end ────────────────────────────────────────────────────────────────────────────

    def begin_tls(self, protocol: asyncio.Protocol, context: ssl.SSLContext, seconds: float) -> None:
        """The handshake begins; what was collected goes out before it. Raises HangUpError.

        The caller has made sure that no input is left. All of this happens without letting the loop run, so no
        octet can come between the last one in clear and the first of the handshake.
        """
        self.flush()
        transport = self._open_transport()
        self._handshake = self._loop.create_future()
        tls = ServerTls(self._loop, protocol, context, self._handshake, seconds)
        transport.set_protocol(tls)
        tls.connection_made(transport)
        self._transport, self.tls = tls.app_transport, True

    async def finish_tls(self) -> None:
        """Waits for the handshake. Raises OSError (SSLError is one) when it fails or takes too long, HangUpError.

        The input is left alone: the first command may have arrived together with the end of the handshake.
        """
        if self._handshake is None:
            raise HangUpError
        try:
            await self._handshake
            self._open_transport()
        except BaseException:
            # A handshake that fails tells the protocol nothing, in some of its ways to fail.
            self.abort()
            self.lost()
            raise

    async def close(self, deadline: float) -> None:
        """Sends what is left, and ends so that it can arrive.

        A socket that is closed with unread input is reset by the kernel, and the reset can overtake our last
        reply. So our side is shut, the input thrown away, and the client given until the deadline to hang up.
        """
        self.flush()
        self._discarding = True
        transport = self._transport
        if transport is None:
            return
        transport.resume_reading()
        try:
            # OSError: the client reset the connection, and asyncio has not noticed yet.
            with contextlib.suppress(DeadlineError, OSError):
                await self._end(transport, deadline)
        finally:
            transport.abort()

    async def _end(self, transport: asyncio.Transport, deadline: float) -> None:
        if not (self.tls or self._eof):
            transport.write_eof()
        while self._transport is not None and not (self.tls or self._eof):
            await self._patience.wait(deadline)
        transport.close()
        while self._transport is not None:
            await self._patience.wait(deadline)

    def abort(self) -> None:
        """At once, whatever is still unsent."""
        if self._transport is not None:
            self._transport.abort()

    def _open_transport(self) -> asyncio.Transport:
        if self._transport is None or self._transport.is_closing():
            raise HangUpError
        return self._transport
