"""aiosmtpd's protocol made ours: what asyncio tells a connection, and how it begins.

Neither reads the class anew for each connection nor cancels anything when the client leaves. What is replaced
of aiosmtpd, and why, is in docs/design.md, "Dependencies".
"""

from __future__ import annotations

import asyncio
import ipaddress
from typing import cast

from aiosmtpd.smtp import SMTP

from directmail_relay.mail import replies
from directmail_relay.mail.reply import Reply
from directmail_relay.submission.door import Observer
from directmail_relay.submission.registry import Registry
from directmail_relay.submission.settings import SessionSettings, TlsMode
from directmail_relay.submission.wire import Wire


class ClientProtocol(SMTP):
    """One connection of one client; `wire` carries its octets, and the whole conversation is one task."""

    def __init__(
        self,
        settings: SessionSettings,
        observer: Observer,
        registry: Registry,
    ) -> None:
        """The registry says whether there is room for one more.

        SMTP.__init__ is left out: it reads the class anew for every connection (0.4 ms), and makes a StreamReader.
        Everything that uses what it sets is overridden here or in SubmissionSession.
        """
        self.loop = asyncio.get_running_loop()
        asyncio.StreamReaderProtocol.__init__(self, cast("asyncio.StreamReader", None), loop=self.loop)
        self.settings = settings
        self.observer = observer
        self.wire = Wire(self.loop)
        self.client_ip = ""
        self.task: asyncio.Task[None] | None = None
        self.registry = registry
        self.stopping = False

    # ── asyncio's callbacks ────────────────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast("asyncio.Transport", transport)
        self.wire.attach(transport)
        self.client_ip = client_address(transport)
        if self.registry.admit(self, self.client_ip):
            self.observer.session_opened()
            self.task = self.loop.create_task(self._handle_client())
            self.task.add_done_callback(self._ended)
            if self.settings.tls_mode is TlsMode.IMPLICIT:
                self.begin_tls()
            return
        self._turn_away(transport)

    def begin_tls(self) -> None:
        """From here on every octet belongs to the handshake. Raises HangUpError."""
        context = self.settings.tls_context
        assert context is not None, "SessionSettings has seen to it"  # noqa: S101  told to the type checker
        self.wire.begin_tls(self, context, self.settings.timeouts.handshake)

    async def _handle_client(self) -> None:
        raise NotImplementedError

    def _turn_away(self, transport: asyncio.Transport) -> None:
        """Cheaply: no task. Before a TLS handshake there is no way to say why."""
        reply, why = replies.TOO_MANY_CONNECTIONS, "too_many_connections"
        if self.registry.stopping:
            reply, why = replies.SHUTTING_DOWN, "shutting_down"
        self.observer.refused(why)
        if self.settings.tls_mode is not TlsMode.IMPLICIT:
            transport.write(render(reply))
        transport.close()

    def _ended(self, _: asyncio.Task[None]) -> None:
        self.registry.release(self, self.client_ip)
        self.observer.session_closed()

    def data_received(self, data: bytes) -> None:
        self.wire.feed(data)

    def eof_received(self) -> bool:
        return self.wire.feed_eof()

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002  asyncio's signature
        """Cancels nothing: a message that is being stored is stored, and its session sees the end by itself."""
        self.wire.lost()

    def pause_writing(self) -> None:
        self.wire.pause_writing()

    def resume_writing(self) -> None:
        self.wire.resume_writing()

    # ── the server's wish ──────────────────────────────────────────────────────────────────────────

    @property
    def is_idle(self) -> bool:
        """Whether nothing is lost to the client when it is sent away now."""
        return True

    def stop(self) -> None:
        """Sends the client away with 421, at once or when its transaction has ended."""
        self.stopping = True
        if self.is_idle:
            self.wire.interrupt()


def client_address(transport: asyncio.Transport) -> str:
    """The client's address; an IPv4 client of an IPv6 socket is itself again. Unspecified when it has left already."""
    peer = transport.get_extra_info("peername")
    if not peer:
        return "0.0.0.0"  # noqa: S104  an address that nobody has, not one to listen on
    address = ipaddress.ip_address(peer[0].partition("%")[0])
    return str(getattr(address, "ipv4_mapped", None) or address)


def render(reply: Reply) -> bytes:
    """The space after the code stays even without text: `334 ` (RFC 4954 §4)."""
    return f"{reply.code} {reply.text}\r\n".encode()
