"""What a scripted SMTP server can say and do wrong: replies by stage and by recipient, and faults as functions."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field


class Gone(Exception):  # noqa: N818  # ends a connection, and is no error
    """The connection is over."""


@dataclass
class Peer:
    """One connection. What an answer that is a function gets."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    tls: ssl.SSLContext | None
    commands: list[bytes] = field(default_factory=list)

    async def send(self, data: bytes) -> None:
        try:
            self.writer.write(data)
            await self.writer.drain()
        except ConnectionError:
            raise Gone from None

    @property
    def tls_version(self) -> str | None:
        found = self.writer.get_extra_info("ssl_object")
        return found.version() if found is not None else None


Answer = str | bytes | Callable[[Peer], Awaitable[None]]


async def close(peer: Peer) -> None:
    """Resets the connection without a word."""
    peer.writer.transport.abort()
    raise Gone


async def silence(peer: Peer) -> None:
    """Says nothing until the other side goes."""
    while await peer.reader.read(65536):
        pass
    raise Gone


def endless(start: bytes, more: bytes) -> Answer:
    """A reply that never ends, until the other side has had enough."""

    async def ramble(peer: Peer) -> None:
        await peer.send(start)
        while True:
            await peer.send(more * 1000)

    return ramble


def last_words(text: str) -> Answer:
    """A reply, and then the end of the connection."""

    async def leave(peer: Peer) -> None:
        await peer.send(text.encode() + b"\r\n")
        peer.writer.close()
        raise Gone

    return leave


async def broken_handshake(peer: Peer) -> None:
    """Agrees to STARTTLS, and then does not speak TLS."""
    await peer.send(b"220 Go ahead\r\n")
    await peer.reader.read(100)
    await peer.send(b"500 what?\r\n")
    raise Gone


@dataclass
class Taken:
    """One message, with everything that came with it. `content` is dot-stuffed still, without the final dot's line."""

    mail: bytes
    rcpt: tuple[bytes, ...]
    content: bytes
    tls: str | None
    connection: int


@dataclass
class Script:
    """What to say: by verb, `GREETING`, `CONTENT` (before the content is read) and `END` (after the final dot).

    `rcpt` is by address and comes before the verb's. A list is used up one by one, its last stays.
    """

    answers: dict[str, Answer | list[Answer]] = field(default_factory=dict)
    rcpt: dict[str, Answer | list[Answer]] = field(default_factory=dict)
    extensions: tuple[str, ...] = ("8BITMIME", "SIZE 1000000", "SMTPUTF8", "DSN")


DEFAULTS: Mapping[str, Answer] = {
    "GREETING": "220 mx.test ESMTP",
    "HELO": "250 mx.test",
    "MAIL": "250 2.1.0 Ok",
    "RCPT": "250 2.1.5 Ok",
    "DATA": "354 Go on",
    "END": "250 2.0.0 Queued as 4711",
    "RSET": "250 2.0.0 Ok",
    "QUIT": last_words("221 2.0.0 Bye"),
    "STARTTLS": "220 2.0.0 Ready",
}
