"""The sandbox put together: sandbox.test with its two mail hosts, one of which is down, and the DNS that knows them."""

from __future__ import annotations

import ssl
from collections import deque
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Self

from directmail_relay.sandbox.certificate import make_certificate
from directmail_relay.sandbox.dns_server import DnsServer
from directmail_relay.sandbox.mailboxes import DOMAIN
from directmail_relay.sandbox.mx_host import MxHost, TakenMessage
from directmail_relay.sandbox.zone import Zone, txt_line

DOWN = f"mx1.{DOMAIN}"  # preferred, but nobody listens at its address
UP = f"mx2.{DOMAIN}"
RECORDS = (
    f"{DOMAIN}. MX 10 {DOWN}.",
    f"{DOMAIN}. MX 20 {UP}.",
    f"{DOWN}. A 127.0.0.2",
    f"{UP}. A 127.0.0.1",
)


class World:
    """`async with World(folder, texts) as world`: the TXT records `texts` are published as well. Use it once.

    `folder` is for the hosts' certificate and key.
    """

    def __init__(self, folder: Path, texts: Mapping[str, str]) -> None:
        self._folder = folder
        self._zone = Zone([*RECORDS, *(txt_line(name, text) for name, text in texts.items())])
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            self._dns = await stack.enter_async_context(DnsServer(self._zone))
            self._mx = await stack.enter_async_context(MxHost(UP, self._make_tls()))
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def dns_server(self) -> str:
        """`127.0.0.1:port`."""
        return self._dns.address

    @property
    def mx_port(self) -> int:
        return self._mx.port

    @property
    def taken(self) -> deque[TakenMessage]:
        """The messages that were accepted, the oldest first."""
        return self._mx.taken

    def _make_tls(self) -> ssl.SSLContext:
        certificate, key = make_certificate([UP, DOWN])
        path = self._folder / "mx.pem"
        path.touch(mode=0o600)
        path.write_bytes(key + certificate)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context
