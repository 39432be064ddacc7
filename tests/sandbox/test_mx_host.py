"""The sandbox's mail host says what real hosts say, and takes what it says it takes."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from directmail_relay.sandbox import MAILBOXES, make_certificate
from directmail_relay.sandbox.mailboxes import GREYLIST_SECONDS, SLOW_SECONDS
from directmail_relay.sandbox.mx_host import MxHost
from tests.conftest import Clock

NAME = "mx.sandbox.test"


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def hear(self) -> list[str]:
        lines = [""]
        while lines[-1][3:4] != " ":
            line = await self.reader.readline()
            assert line.endswith(b"\r\n")
            lines.append(line.decode().removesuffix("\r\n"))
        return lines[1:]

    async def say(self, text: str) -> str:
        """The last line of the reply."""
        self.writer.write(text.encode() + b"\r\n")
        return (await self.hear())[-1]

    async def send(self, rcpt: str, content: str = "Subject: x\r\n\r\nx") -> str:
        """The reply that ends the transaction."""
        assert await self.say("MAIL FROM:<a@test.com> SIZE=100") == "250 2.1.0 Ok"
        if not (reply := await self.say(f"RCPT TO:<{rcpt}>")).startswith("250"):
            assert await self.say("RSET") == "250 2.0.0 Ok"
            return reply
        assert await self.say("DATA") == "354 End data with <CR><LF>.<CR><LF>"
        return await self.say(content + "\r\n.")


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
async def host(tmp_path: Path, clock: Clock, pauses: list[float]) -> AsyncIterator[MxHost]:
    certificate, key = make_certificate([NAME, "127.0.0.1"])
    (tmp_path / "mx.pem").write_bytes(key + certificate)
    (tmp_path / "cert.pem").write_bytes(certificate)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "mx.pem")

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    async with MxHost(NAME, tls, monotonic=clock.monotonic, pause=pause) as opened:
        yield opened


@pytest.fixture
async def client(host: MxHost) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", host.port)
    opened = Client(reader, writer)
    assert await opened.hear() == [f"220 {NAME} ESMTP Postfix"]
    assert await opened.say("EHLO relay.test") == "250 SMTPUTF8"
    yield opened
    writer.close()
    await writer.wait_closed()


async def test_each_mailbox_answers_as_real_hosts_do(client: Client, host: MxHost) -> None:
    for name, start in (
        ("ok", "250 2.0.0 Ok: queued as "),
        ("unknown", "550 5.1.1 <unknown@sandbox.test>: Recipient address rejected: User unknown"),
        ("nobody", "550 5.1.1 <nobody@sandbox.test>: Recipient address rejected: User unknown"),
        ("full", "552 5.2.2 <full@sandbox.test> Quota exceeded"),
        ("grey", "450 4.2.0 <grey@sandbox.test>: Recipient address rejected: Greylisted"),
        ("spam", "554 5.7.1 Spam message rejected"),
        ("slow", "250 2.0.0 Ok: queued as "),
    ):
        assert (await client.send(f"{name}@sandbox.test")).startswith(start)
    assert [message.rcpt_to for message in host.taken] == [("ok@sandbox.test",), ("slow@sandbox.test",)]


async def test_mail_for_another_domain_is_not_relayed(client: Client) -> None:
    assert await client.send("ok@example.com") == "554 5.7.1 <ok@example.com>: Relay access denied"


async def test_who_comes_back_after_the_greylisting_time_is_let_in(client: Client, clock: Clock) -> None:
    assert (await client.send("grey@sandbox.test")).startswith("450")
    clock.advance(GREYLIST_SECONDS - 0.1)
    assert (await client.send("grey@sandbox.test")).startswith("450")
    clock.advance(0.2)
    assert (await client.send("grey@sandbox.test")).startswith("250")


async def test_the_slow_mailbox_takes_its_time_after_the_content(client: Client, pauses: list[float]) -> None:
    await client.send("slow@sandbox.test")
    assert pauses == [SLOW_SECONDS]


async def test_the_content_is_kept_as_it_was_before_dot_stuffing(client: Client, host: MxHost) -> None:
    await client.send("ok@sandbox.test", "Subject: dots\r\n\r\n..\r\n..a\r\n")
    assert host.taken[0].content == b"Subject: dots\r\n\r\n.\r\n.a\r\n\r\n"
    assert host.taken[0].mail_from == "a@test.com"


async def test_starttls_works_with_its_certificate_and_is_offered_once(
    client: Client, host: MxHost, tmp_path: Path
) -> None:
    client.writer.write(b"EHLO relay.test\r\n")
    assert "250-STARTTLS" in await client.hear()
    assert (await client.say("STARTTLS")).startswith("220")
    await client.writer.start_tls(ssl.create_default_context(cafile=tmp_path / "cert.pem"), server_hostname=NAME)
    client.writer.write(b"EHLO relay.test\r\n")
    assert "250-STARTTLS" not in await client.hear()
    assert (await client.say("STARTTLS")).startswith("554")
    await client.send("ok@sandbox.test")
    assert host.taken[0].tls == "TLSv1.3"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("DATA", "503"),
        ("RCPT TO:<ok@sandbox.test>", "503"),
        ("MAIL FROM:a@test.com", "501"),
        ("RCPT", "501"),
        ("XYZZY", "500"),
        ("", "500"),
        ("\x00\xff", "500"),
        ("NOOP", "250"),
        ("helo x", "250"),
    ],
)
async def test_a_client_that_is_confused_gets_one_reply_and_may_go_on(client: Client, line: str, code: str) -> None:
    assert (await client.say(line)).startswith(code)
    assert (await client.send("ok@sandbox.test")).startswith("250")


async def test_a_line_without_end_ends_that_connection_alone(client: Client, host: MxHost) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", host.port)
    writer.write(b"x" * 1_000_000)
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await reader.readexactly(1000)
    writer.close()
    assert (await client.send("ok@sandbox.test")).startswith("250")


def test_every_mailbox_has_an_address_and_says_what_it_is() -> None:
    assert [mailbox.address.partition("@")[0] for mailbox in MAILBOXES.values()] == list(MAILBOXES)
    assert set(MAILBOXES) == {"ok", "unknown", "full", "grey", "spam", "slow"}
    assert all(mailbox.what for mailbox in MAILBOXES.values())
