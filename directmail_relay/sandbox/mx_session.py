"""One connection to the sandbox's mail host: the receiving side of RFC 5321, as far as a sending relay walks it.

Who may get mail, and what they answer, stands in `mailboxes`; here is only the order of things.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from directmail_relay.sandbox.mailboxes import (
    DOMAIN,
    GREYLISTED,
    QUEUED,
    RCPT_OK,
    RELAY_DENIED,
    Greylist,
    Mailbox,
    find_mailbox,
)

IDLE_SECONDS = 300.0
MAX_CONTENT = 26_214_400
_PATH = re.compile(r"(?:FROM|TO):\s*<([^>\r\n]*)>", re.IGNORECASE)
_EXTENSIONS = ("PIPELINING", f"SIZE {MAX_CONTENT}", "ENHANCEDSTATUSCODES", "8BITMIME", "DSN", "SMTPUTF8")


@dataclass(frozen=True, slots=True)
class TakenMessage:
    """What was accepted: the envelope, the content with its dots unstuffed, the TLS version or None."""

    mail_from: str
    rcpt_to: tuple[str, ...]
    content: bytes
    tls: str | None
    queue_id: str


@dataclass(frozen=True, slots=True)
class Host:
    """What all connections of a host share; `take` is called with each message that it accepts."""

    name: str
    tls: ssl.SSLContext
    greylist: Greylist
    take: Callable[[TakenMessage], None]
    pause: Callable[[float], Awaitable[None]]


class MxSession:
    def __init__(self, host: Host, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._host = host
        self._reader = reader
        self._writer = writer
        self._mail_from: str | None = None
        self._rcpt_to: list[tuple[str, Mailbox]] = []
        self._handlers: dict[str, Callable[[str], Awaitable[str]]] = {
            "EHLO": self._ehlo,
            "HELO": self._helo,
            "STARTTLS": self._start_tls,
            "MAIL": self._mail,
            "RCPT": self._rcpt,
            "DATA": self._data,
            "RSET": self._rset,
            "NOOP": self._noop,
        }

    async def serve(self) -> None:
        """Until the client goes, or falls silent."""
        try:
            await self._say(f"220 {self._host.name} ESMTP Postfix")
            while line := await self._read_line():
                verb, _, rest = line.decode("utf-8", "replace").strip().partition(" ")
                if verb.upper() == "QUIT":
                    await self._say("221 2.0.0 Bye")
                    return
                handler = self._handlers.get(verb.upper(), self._unknown)
                if reply := await handler(rest):
                    await self._say(reply)
        except (OSError, ValueError, EOFError):
            return  # gone, too slow, a line without end, or a handshake that failed: nobody is left to be told
        finally:
            self._writer.close()

    async def _read_line(self) -> bytes:
        async with asyncio.timeout(IDLE_SECONDS):
            return await self._reader.readline()

    async def _say(self, reply: str) -> None:
        self._writer.write(reply.encode() + b"\r\n")
        await self._writer.drain()

    @property
    def _tls_version(self) -> str | None:
        found = self._writer.get_extra_info("ssl_object")
        return None if found is None else found.version()

    def _forget_transaction(self) -> None:
        self._mail_from = None
        self._rcpt_to = []

    async def _ehlo(self, _rest: str) -> str:
        self._forget_transaction()
        offered = [*_EXTENSIONS[:2], *(() if self._tls_version else ("STARTTLS",)), *_EXTENSIONS[2:]]
        lines = [self._host.name, *offered]
        return "\r\n".join([*(f"250-{line}" for line in lines[:-1]), f"250 {lines[-1]}"])

    async def _helo(self, _rest: str) -> str:
        self._forget_transaction()
        return f"250 {self._host.name}"

    async def _start_tls(self, _rest: str) -> str:
        if self._tls_version:
            return "554 5.5.1 Error: TLS already active"
        await self._say("220 2.0.0 Ready to start TLS")
        await self._writer.start_tls(self._host.tls)
        self._forget_transaction()
        return ""

    async def _mail(self, rest: str) -> str:
        match = _PATH.match(rest)
        if match is None:
            return "501 5.5.4 Syntax: MAIL FROM:<address>"
        if self._mail_from is not None:
            return "503 5.5.1 Error: nested MAIL command"
        self._mail_from = match[1]
        return "250 2.1.0 Ok"

    async def _rcpt(self, rest: str) -> str:
        match = _PATH.match(rest)
        if match is None:
            return "501 5.5.4 Syntax: RCPT TO:<address>"
        if self._mail_from is None:
            return "503 5.5.1 Error: need MAIL command"
        mailbox = find_mailbox(match[1])
        reply = self._judge(match[1], mailbox)
        if mailbox is not None and reply == RCPT_OK:
            self._rcpt_to.append((match[1], mailbox))
        return reply.format(rcpt=match[1], domain=DOMAIN)

    def _judge(self, rcpt: str, mailbox: Mailbox | None) -> str:
        if mailbox is None:
            return RELAY_DENIED
        client = str(self._writer.get_extra_info("peername")[0])
        if mailbox.greylists and not self._host.greylist.lets_pass(client, self._mail_from or "", rcpt):
            return GREYLISTED
        return mailbox.at_rcpt

    async def _data(self, _rest: str) -> str:
        if not self._rcpt_to:
            return "503 5.5.1 Error: need RCPT command"
        await self._say("354 End data with <CR><LF>.<CR><LF>")
        content = await self._read_content()
        reply = await self._weigh(content)
        self._forget_transaction()
        return reply

    async def _read_content(self) -> bytes | None:
        """Without the final dot, unstuffed (RFC 5321 §4.5.2); None when it was too large, and read to its end."""
        lines, size = list[bytes](), 0
        while (line := await self._read_line()) != b".\r\n":
            if not line:
                raise EOFError
            size += len(line)
            if size <= MAX_CONTENT:
                lines.append(line.removeprefix(b"."))
        return b"".join(lines) if size <= MAX_CONTENT else None

    async def _weigh(self, content: bytes | None) -> str:
        if content is None:
            return "552 5.3.4 Error: message file too big"
        await self._host.pause(max(mailbox.wait for _, mailbox in self._rcpt_to))
        for _, mailbox in self._rcpt_to:
            if mailbox.at_end != QUEUED:
                return mailbox.at_end
        queue_id = secrets.token_hex(5).upper()
        rcpt_to = tuple(address for address, _ in self._rcpt_to)
        self._host.take(TakenMessage(self._mail_from or "", rcpt_to, content, self._tls_version, queue_id))
        return QUEUED.format(queue_id=queue_id)

    async def _rset(self, _rest: str) -> str:
        self._forget_transaction()
        return "250 2.0.0 Ok"

    async def _noop(self, _rest: str) -> str:
        return "250 2.0.0 Ok"

    async def _unknown(self, _rest: str) -> str:
        return "500 5.5.2 Error: command not recognized"
