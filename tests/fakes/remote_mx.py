"""An SMTP server on loopback that says what the script tells it, at each stage and for each recipient, and fails so.

It records every command and the exact octets of every content. It checks nothing: that is the test's work.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from typing import Self

from tests.fakes.mx_script import DEFAULTS, Answer, Gone, Peer, Script, Taken

__all__ = ["Peer", "RemoteMx", "Script", "Taken"]

_PATH = re.compile(rb"<([^>]*)>")


class RemoteMx:
    """`async with RemoteMx(Script(…)) as mx`: then it listens on `mx.ip`, `mx.port`. STARTTLS works with `tls`."""

    def __init__(
        self,
        script: Script | None = None,
        *,
        tls: ssl.SSLContext | None = None,
        ip: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.script = script or Script()
        self.ip = ip
        self.port = port
        self.taken: list[Taken] = []
        self.peers: list[Peer] = []
        self._tls = tls
        self._news = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def commands(self) -> list[bytes]:
        """Of all connections, one after the other."""
        return [command for peer in self.peers for command in peer.commands]

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._begin, self.ip, self.port, limit=64 * 1024 * 1024)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def hang_up(self) -> None:
        """Ends all connections, as a host does with idle sessions."""
        for peer in self.peers:
            peer.writer.close()

    async def heard(self, prefix: bytes) -> None:
        """Waits for a command that begins so; an empty one waits for a connection."""
        async with asyncio.timeout(5):
            while not (self.peers and (not prefix or any(line.startswith(prefix) for line in self.commands))):
                self._news.clear()
                await self._news.wait()

    async def all_over(self) -> None:
        """Waits until no connection is left; fails the test when one stays."""
        async with asyncio.timeout(5):
            await asyncio.gather(*self._tasks)

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(Peer(reader, writer, self._tls)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, peer: Peer) -> None:
        self.peers.append(peer)
        self._news.set()
        try:
            await self._say(peer, "GREETING")
            await self._converse(peer)
        except (Gone, ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            peer.writer.transport.abort()

    async def _converse(self, peer: Peer) -> None:
        mail, rcpt = b"", list[bytes]()
        while line := await peer.reader.readline():
            command = line.rstrip(b"\r\n")
            peer.commands.append(command)
            self._news.set()
            match verb := command.split()[0].decode().upper():
                case "EHLO":
                    await self._say_ehlo(peer)
                case "STARTTLS":
                    await self._start_tls(peer)
                case "MAIL":
                    mail, rcpt = command, []
                    await self._say(peer, verb)
                case "RCPT":
                    rcpt += [command] if await self._say_rcpt(peer, command) else []
                case "DATA":
                    await self._take(peer, mail, tuple(rcpt))
                case _:
                    await self._say(peer, verb)

    async def _say_ehlo(self, peer: Peer) -> None:
        if "EHLO" in self.script.answers:
            await self._say(peer, "EHLO")
            return
        offered = list(self.script.extensions)
        if self._tls is not None and peer.tls_version is None:
            offered.append("STARTTLS")
        lines = ["mx.test", *offered]
        await peer.send(b"".join(b"250-%s\r\n" % text.encode() for text in lines[:-1]))
        await peer.send(b"250 %s\r\n" % lines[-1].encode())

    async def _start_tls(self, peer: Peer) -> None:
        answer = await self._say(peer, "STARTTLS")
        if answer == DEFAULTS["STARTTLS"] and peer.tls is not None:
            await peer.writer.start_tls(peer.tls)

    async def _say_rcpt(self, peer: Peer, command: bytes) -> bool:
        match = _PATH.search(command)
        address = match[1].decode() if match else ""
        answer = self.script.rcpt.get(address, self.script.answers.get("RCPT", DEFAULTS["RCPT"]))
        said = await self._give(peer, answer)
        return isinstance(said, str) and said.startswith("2")

    async def _take(self, peer: Peer, mail: bytes, rcpt: tuple[bytes, ...]) -> None:
        said = await self._say(peer, "DATA")
        if not (isinstance(said, str) and said.startswith("3")):
            return
        if "CONTENT" in self.script.answers:
            await self._say(peer, "CONTENT")
        content = await peer.reader.readuntil(b"\r\n.\r\n")
        number = self.peers.index(peer)
        self.taken.append(Taken(mail, rcpt, content.removesuffix(b".\r\n"), peer.tls_version, number))
        await self._say(peer, "END")

    async def _say(self, peer: Peer, stage: str) -> Answer:
        return await self._give(peer, self.script.answers.get(stage, DEFAULTS.get(stage, "502 5.5.1 What?")))

    async def _give(self, peer: Peer, answer: Answer | list[Answer]) -> Answer:
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if isinstance(answer, str):
            await peer.send(answer.replace("\n", "\r\n").encode() + b"\r\n")
        elif isinstance(answer, bytes):
            await peer.send(answer)
        else:
            await answer(peer)
        return answer
