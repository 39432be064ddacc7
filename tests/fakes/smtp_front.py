"""A real listener on loopback with small real parts behind it, and a raw client that sees every octet and segment."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from directmail_relay.mail import replies
from directmail_relay.mail.address import Address
from directmail_relay.mail.message import Kind, Submission
from directmail_relay.policy.verdict import Accept, Refuse, Verdict
from directmail_relay.submission.door import Accepted, Authenticated, Parts, Sender
from directmail_relay.submission.listener import Listener
from directmail_relay.submission.registry import Registry
from directmail_relay.submission.settings import SessionSettings

PATIENCE = 5.0


@dataclass(frozen=True, slots=True)
class Person:
    """A sender address with its account."""

    login: str
    account: str = "shop"
    kind: Kind = Kind.TRIGGER


@dataclass
class Passwords:
    """Knows the given logins. `asked` are the logins and addresses that it was asked about."""

    known: dict[str, str] = field(default_factory=lambda: {"test@test.com": "test"})
    asked: list[tuple[str, str]] = field(default_factory=list)
    answer: Refuse | None = None

    async def authenticate(self, login: str, password: str, client_ip: str) -> Authenticated | Refuse:
        self.asked.append((login, client_ip))
        if self.answer is not None:
            return self.answer
        if self.known.get(login) == password:
            return Authenticated(Person(login))
        return Refuse(replies.AUTH_FAILED, "auth_failed")


@dataclass
class Rules:
    """The sender must be the login; recipients of `frozen.test` are refused, those of `broken.test` raise."""

    mail_refuse: Refuse | None = None

    def check_mail_from(self, sender: Sender, mail_from: Address | None, client_ip: str) -> Verdict:  # noqa: ARG002  as the protocol has it
        if self.mail_refuse is not None:
            return self.mail_refuse
        if str(mail_from) == sender.login or (mail_from is not None and not mail_from.local.isascii()):
            return Accept()
        shown = "<>" if mail_from is None else mail_from
        return Refuse(replies.fill(replies.SENDER_MISMATCH, login=sender.login, mail_from=shown), "sender_mismatch")

    async def check_rcpt_to(self, sender: Sender, rcpt: Address) -> Verdict:  # noqa: ARG002  as the protocol has it
        if rcpt.domain == "broken.test":
            raise RuntimeError("secret detail")
        if rcpt.domain == "frozen.test":
            return Refuse(replies.ACCOUNT_UNAVAILABLE, "account_status")
        return Accept()


@dataclass
class Store:
    """A door that keeps what it is given; it can be held shut (`gate`), refuse or fail."""

    taken: list[Submission] = field(default_factory=list)
    answer: Refuse | Exception | None = None
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    entered: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    async def accept(self, submission: Submission) -> Accepted | Refuse:
        self.entered.set()
        await self.gate.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer is not None:
            return self.answer
        self.taken.append(submission)
        return Accepted(148316944 + len(self.taken) - 1)


@dataclass
class Tally:
    """An observer that writes everything down."""

    events: list[tuple[object, ...]] = field(default_factory=list)
    open_sessions: int = 0

    def session_opened(self) -> None:
        self.open_sessions += 1

    def session_closed(self) -> None:
        self.open_sessions -= 1

    def command(self, command: str, code: int) -> None:
        self.events.append(("command", command, code))

    def refused(self, why: str) -> None:
        self.events.append(("refused", why))

    def auth(self, result: str) -> None:
        self.events.append(("auth", result))

    def accepted(self, seconds: float) -> None:
        assert seconds >= 0
        self.events.append(("accepted",))


@dataclass
class Front:
    """A running listener and what stands behind it."""

    listener: Listener
    registry: Registry
    port: int
    passwords: Passwords
    rules: Rules
    store: Store
    tally: Tally
    clients: list[Client] = field(default_factory=list)

    async def connect(self, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> Client:
        opening = asyncio.open_connection(host, self.port, ssl=tls, server_hostname="localhost" if tls else None)
        client = Client(*await asyncio.wait_for(opening, PATIENCE))
        self.clients.append(client)
        return client

    async def ready(self) -> Client:
        """A client that is greeted and logged in."""
        client = await self.connect()
        await client.expect("220")
        assert (await client.ask("EHLO test.com")).startswith(b"250-")
        assert await client.ask("AUTH PLAIN AHRlc3RAdGVzdC5jb20AdGVzdA==") == b"235 Authentication successful\r\n"
        return client


class Client:
    """Speaks raw octets. Every wait is bounded, so that a silent server fails the test instead of hanging it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, octets: bytes) -> None:
        self.writer.write(octets)
        await asyncio.wait_for(self.writer.drain(), PATIENCE)

    async def reply(self) -> bytes:
        """One whole reply, all its lines; empty at the end of the connection."""
        lines = b""
        while True:
            line = await asyncio.wait_for(self.reader.readline(), PATIENCE)
            lines += line
            if line[3:4] != b"-":
                return lines

    async def ask(self, command: str) -> bytes:
        await self.send(command.encode() + b"\r\n")
        return await self.reply()

    async def expect(self, code: str) -> bytes:
        reply = await self.reply()
        assert reply.startswith(code.encode()), reply
        return reply

    async def rest(self) -> bytes:
        """Everything until the server closes."""
        return await asyncio.wait_for(self.reader.read(), PATIENCE)

    async def send_message(self, content: bytes = b"subject: test\r\n\r\ntest\r\n.\r\n") -> bytes:
        """From MAIL to the reply after the dot, of a client that is ready."""
        assert await self.ask("MAIL FROM:<test@test.com>") == b"250 Mail Ok\r\n"
        assert await self.ask("RCPT TO:<to@example.com>") == b"250 Rcpt Ok\r\n"
        assert await self.ask("DATA") == b"354 End data with <CR><LF>.<CR><LF>\r\n"
        await self.send(content)
        return await self.reply()

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


async def until(condition: Callable[[], bool]) -> None:
    """Lets the loop run until it is so; fails when it never is."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110  what is waited for has no event to tell it
            await asyncio.sleep(0.001)


@contextlib.asynccontextmanager
async def running_front(settings: SessionSettings, registry: Registry | None = None) -> AsyncIterator[Front]:
    """Clients that are still there are cut at the end; fails when a session is left then."""
    sock = socket.create_server(("127.0.0.1", 0))
    passwords, rules, store, tally = Passwords(), Rules(), Store(), Tally()
    registry = registry or Registry()
    listener = Listener(sock, settings, Parts(passwords, rules, store, tally), registry)
    await listener.start()
    front = Front(listener, registry, sock.getsockname()[1], passwords, rules, store, tally)
    try:
        yield front
    finally:
        listener.close()
        for client in front.clients:
            client.writer.transport.abort()
        # The transports close their sockets in the next round of the loop.
        await asyncio.sleep(0)
        await registry.stop(PATIENCE)
        assert registry.connected == 0
        assert tally.open_sessions == 0
