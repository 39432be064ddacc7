"""The server's side of TLS: what it offers, and asyncio's TLS layer with buffers of a sensible size."""

from __future__ import annotations

import asyncio
import ssl
from asyncio.sslproto import SSLProtocol
from pathlib import Path
from typing import cast


def make_tls_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """A server's context: TLS 1.2 and later. Reads the files; raises OSError or ssl.SSLError when they do not fit.

    TLS 1.3 sends no session tickets: each worker has keys of its own, so most would be worthless, and a client
    that sends and leaves without reading them would reset the connection.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.num_tickets = 0
    context.load_cert_chain(certificate, key)
    return context


class ServerTls(SSLProtocol):
    """Stands between a transport and a protocol that is connected already.

    Used directly, as aiosmtpd does, and not through `loop.start_tls`: that begins in a later round of the loop, and
    uvloop reads on meanwhile, so the first octets of the handshake can be lost. The buffer takes one TLS record;
    asyncio reserves 256 KiB, and most connections are idle (docs/design.md, "Dependencies").
    """

    max_size = 16 * 1024

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        protocol: asyncio.Protocol,
        context: ssl.SSLContext,
        handshake: asyncio.Future[None],
        seconds: float,
    ) -> None:
        """`handshake` is resolved when it has ended, or fails with an OSError; `seconds` is what it may take."""
        super().__init__(
            loop,
            protocol,
            context,
            handshake,
            server_side=True,
            call_connection_made=False,
            ssl_handshake_timeout=seconds,  # type: ignore[arg-type]  # typeshed has int; it goes to call_later
        )

    @property
    def app_transport(self) -> asyncio.Transport:
        """What the protocol writes to from now on."""
        return cast("asyncio.Transport", self._app_transport)
