"""One TCP connection to a host: lines out, replies in, each within its time; TLS on top when it is asked for.

It knows nothing of the order of commands. Whatever goes wrong with the connection is one exception, Broken, and
leaves it aborted; everything that the host sent before the end can still be read.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from typing import cast

from directmail_relay.delivery.remote_reply import Heard, ReplyError, ReplyParser
from directmail_relay.mail import replies
from directmail_relay.mail.replies import NOT_SMTP
from directmail_relay.mail.reply import Reply

MAX_UNREAD = 64 * 1024  # octets that wait for us before the host has to

_UNSPEAKABLE = re.compile(rb"[\x00-\x1f\x7f]")


class Broken(Exception):  # noqa: N818  # a state of the connection, which the caller turns into a value
    """The connection is over. `reply` is what the attempt says of it, `why` is for the log."""

    def __init__(self, reply: Reply, why: str) -> None:
        super().__init__(why)
        self.reply = reply
        self.why = why


class Connection(asyncio.Protocol):
    """Made by `connect`. One task at a time uses it."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._parser = ReplyParser()
        self._unread = bytearray()
        self._news = asyncio.Event()  # something came, or the connection ended
        self._writable = asyncio.Event()
        self._writable.set()
        self._ended = asyncio.Event()

    @property
    def is_open(self) -> bool:
        transport = self._transport
        return transport is not None and not transport.is_closing() and not self._ended.is_set()

    @property
    def tls(self) -> str | None:
        """`TLSv1.3`, None in clear."""
        found = self._transport.get_extra_info("ssl_object") if self._transport else None
        return cast("ssl.SSLObject", found).version() if found is not None else None

    async def say(self, line: bytes, seconds: float) -> Heard:
        """Sends a command, without its line end, and waits for the reply. Raises Broken.

        Raises ValueError if the line would be more than one: a mistake of ours that must never reach a host.
        """
        if _UNSPEAKABLE.search(line):
            raise ValueError("a command holds a control character")
        # What came unasked belongs to no command; taken for this one's reply it would shift all that follow.
        self._parser = ReplyParser()
        self._unread.clear()
        await self.write(line + b"\r\n", seconds)
        return await self.read(seconds)

    async def read(self, seconds: float) -> Heard:
        """The next reply, the whole of it within `seconds`. Raises Broken."""
        try:
            async with asyncio.timeout(seconds):
                while (heard := self.take()) is None:
                    await self._more()
        except TimeoutError:
            raise self._break("timeout") from None
        return heard

    def take(self) -> Heard | None:
        """A reply that is here already. Raises Broken when what is here is no reply."""
        self._parser.feed(self._unread)
        self._unread.clear()
        try:
            heard = self._parser.take()
        except ReplyError as error:
            raise self._break(str(error), NOT_SMTP) from None
        if heard is not None and heard.endless:
            self.abort()
        return heard

    async def write(self, data: bytes | memoryview, seconds: float) -> None:
        """Sends, and waits until the host takes nearly all of it. Raises Broken."""
        if self._transport is None or not self.is_open:
            raise self._break("closed by the host")
        self._transport.write(data)
        if self._writable.is_set():
            return
        try:
            async with asyncio.timeout(seconds):
                await self._writable.wait()
        except TimeoutError:
            raise self._break("timeout") from None

    async def start_tls(self, context: ssl.SSLContext, server_hostname: str, seconds: float) -> None:
        """The handshake, after the host agreed to it. Raises Broken."""
        transport = self._transport
        if transport is None or not self.is_open:
            raise self._break("closed by the host")
        if self._unread or self._parser.holds_more:
            # Sent before the handshake, and so by anybody on the way: RFC 3207 §6, CVE-2011-0411.
            raise self._break("data between STARTTLS and the handshake")
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(seconds):
                upgraded = await loop.start_tls(
                    transport, self, context, server_hostname=server_hostname, ssl_handshake_timeout=seconds
                )
        except (OSError, ValueError) as error:  # ssl.SSLError and TimeoutError are OSErrors; ValueError: no host name
            raise self._break(f"TLS handshake: {error}") from None
        if upgraded is None or self._ended.is_set():
            raise self._break("closed by the host in the TLS handshake")
        self._transport = upgraded

    def abort(self) -> None:
        """Ends it at once; nothing is flushed."""
        if self._transport is not None:
            self._transport.abort()

    async def close(self, seconds: float) -> None:
        """Ends it in order, or by force after `seconds`."""
        if self._transport is None:
            return
        self._transport.close()
        try:
            async with asyncio.timeout(seconds):
                await self._ended.wait()
        except TimeoutError:
            self.abort()

    def _break(self, why: str, reply: Reply = replies.CONNECTION_CUT) -> Broken:
        self.abort()
        return Broken(reply, why)

    async def _more(self) -> None:
        if self._ended.is_set():
            raise self._break("closed by the host")
        self._news.clear()
        if self._transport is not None and self.is_open:
            self._transport.resume_reading()
        await self._news.wait()

    # What the event loop tells us.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._unread += data
        self._news.set()
        if len(self._unread) > MAX_UNREAD and self._transport is not None:
            self._transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # the end is the end, whatever its cause
        self._ended.set()
        self._news.set()
        self._writable.set()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()


async def connect(ip: str, port: int, seconds: float) -> Connection:
    """Raises Broken with the guide's 427 when there is no way to the host."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(seconds):
            _, connection = await loop.create_connection(Connection, ip, port)
    except OSError as error:  # TimeoutError is one
        raise Broken(replies.UNREACHABLE, f"{type(error).__name__}: {error}") from None
    return connection
