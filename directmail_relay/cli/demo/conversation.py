"""An SMTP client that says exactly what it is told and shows exactly what it hears, line by line."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Callable

from directmail_relay.cli.demo.failure import DemoFailedError
from directmail_relay.cli.demo.ports import LOOPBACK

REPLY_SECONDS = 10.0

Show = Callable[[str], None]


class Conversation:
    """Made by `open_conversation`. `show` gets each line as it was said: `S: …` by the relay, `C: …` by us."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, show: Show) -> None:
        self._reader = reader
        self._writer = writer
        self._show = show

    async def expect(self, pattern: str) -> re.Match[str]:
        """The next reply, its lines joined by line feeds, which must match. Raises DemoFailedError when it does not."""
        try:
            async with asyncio.timeout(REPLY_SECONDS):
                lines = [await self._read_line()]
                while lines[-1][3:4] == "-":
                    lines.append(await self._read_line())
        except (OSError, EOFError, ValueError) as error:
            raise DemoFailedError(
                f"the relay gave no reply ({type(error).__name__}) where /{pattern}/ was due"
            ) from error
        match = re.fullmatch(pattern, "\n".join(lines))
        if match is None:
            raise DemoFailedError(f"the relay said {' / '.join(lines)} where /{pattern}/ was due")
        return match

    async def say(self, *lines: str) -> None:
        for line in lines:
            self._show(f"C: {line}".rstrip())
        try:
            self._writer.write("".join(f"{line}\r\n" for line in lines).encode())
            await self._writer.drain()
        except OSError as error:
            raise DemoFailedError(f"the relay hung up before {lines[0]!r}") from error

    async def start_tls(self, context: ssl.SSLContext, hostname: str) -> None:
        """The handshake, after the relay agreed to it; its certificate must fit."""
        try:
            async with asyncio.timeout(REPLY_SECONDS):
                await self._writer.start_tls(context, server_hostname=hostname)
        except OSError as error:  # ssl.SSLError is one
            raise DemoFailedError(f"the TLS handshake with the relay failed: {error}") from error

    def close(self) -> None:
        self._writer.close()

    async def _read_line(self) -> str:
        line = await self._reader.readline()
        if not line.endswith(b"\r\n"):
            raise EOFError
        text = line.decode("utf-8", "backslashreplace").removesuffix("\r\n")
        self._show(f"S: {text}")
        return text


async def open_conversation(port: int, show: Show) -> Conversation:
    """Raises DemoFailedError when nobody listens."""
    try:
        async with asyncio.timeout(REPLY_SECONDS):
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
    except OSError as error:
        raise DemoFailedError(f"nobody answers at {LOOPBACK}:{port}") from error
    return Conversation(reader, writer, show)
