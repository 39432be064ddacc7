"""Each file of tests/dialogs is a session: what the client says, and what must come back, octet for octet.

    # a comment
    listener: hostname=relay.test max_rcpt=2      settings of the listener; `tls=starttls` with a test certificate
    C: EHLO test.com          a line of the client; CRLF is added; escapes as in Python: \\x00 \\r \\n \\\\
    C> MAIL FROM:<a@b.c>      the same, held back and sent in one piece with the next lines until one is `C:`
    C| half a line            sent without CRLF
    S: 250 Ok                 the next line of the server; {env_id} stands for digits
    tls:                      the client shakes hands
    eof:                      the client closes its side and goes on reading
    closed:                   the server has closed its side, and said nothing more

The lines of one reply must come in one segment.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from directmail_relay.submission.settings import AuthWithoutTls, SessionSettings, TlsMode
from tests.fakes.smtp_front import PATIENCE, running_front

DIALOGS = sorted((Path(__file__).parent.parent / "dialogs").glob("*.smtp"))
STEP = re.compile(r"(#|listener:|C:|C>|C\||S:|tls:|eof:|closed:) ?(.*)")


class Player:
    """A client that reads whatever one segment brought, so that it can tell one write from two."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.held = b""
        self.received = b""

    async def line(self) -> bytes:
        if not self.received:
            self.received = await asyncio.wait_for(self.reader.read(65536), PATIENCE)
        line, end, self.received = self.received.partition(b"\r\n")
        assert end, f"no whole line in one segment: {line!r}"
        if line[3:4] == b"-":
            assert self.received, f"a reply came in pieces, after {line!r}"
        return line

    async def say(self, octets: bytes) -> None:
        self.writer.write(self.held + octets)
        self.held = b""
        await self.writer.drain()

    async def play(self, kind: str, text: str, context: ssl.SSLContext) -> None:
        octets = text.encode().decode("unicode_escape").encode("latin-1") if "\\" in text else text.encode()
        match kind:
            case "C:":
                await self.say(octets + b"\r\n")
            case "C>":
                self.held += octets + b"\r\n"
            case "C|":
                await self.say(octets)
            case "S:":
                expected = re.escape(text).replace(r"\{env_id\}", r"\d+").encode()
                line = await self.line()
                assert re.fullmatch(expected, line), f"{line!r} instead of {text!r}"
            case "tls:":
                await asyncio.wait_for(self.writer.start_tls(context, server_hostname="localhost"), PATIENCE)
            case "eof:":
                self.writer.write_eof()
            case "closed:":
                rest = self.received + await asyncio.wait_for(self.reader.read(), PATIENCE)
                assert rest == b"", f"more came: {rest!r}"
            case _:
                raise AssertionError(kind)


def steps(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        if line.strip():
            match = STEP.fullmatch(line)
            assert match, f"not a step: {line!r}"
            if match[1] != "#":
                yield match[1], match[2]


def make_settings(text: str, context: ssl.SSLContext) -> SessionSettings:
    given = dict(word.split("=", 1) for word in text.split())
    mode = TlsMode(given.pop("tls", "none"))
    auth = AuthWithoutTls(given.pop("auth_without_tls", "loopback"))
    hostname = given.pop("hostname", "relay.test")
    numbers = {key: int(value) for key, value in given.items()}
    return SessionSettings(
        hostname=hostname,
        tls_mode=mode,
        tls_context=None if mode is TlsMode.NONE else context,
        auth_without_tls=auth,
        **numbers,  # type: ignore[arg-type]  # the file names fields of numbers alone
    )


@pytest.mark.parametrize(
    "dialog", [path.read_text(encoding="utf-8") for path in DIALOGS], ids=[p.stem for p in DIALOGS]
)
async def test_the_server_answers_as_the_dialog_says(
    dialog: str, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    script = list(steps(dialog))
    settings = "".join(text for kind, text in script if kind == "listener:")
    async with running_front(make_settings(settings, server_tls)) as front:
        player = Player(*await asyncio.open_connection("127.0.0.1", front.port))
        try:
            for number, (kind, text) in enumerate(script):
                if kind != "listener:":
                    try:
                        await player.play(kind, text, client_tls)
                    except (AssertionError, OSError, asyncio.IncompleteReadError, TimeoutError) as error:
                        raise AssertionError(f"step {number} ({kind} {text}): {error!r}") from error
        finally:
            player.writer.transport.abort()


def test_the_first_dialog_is_the_guide() -> None:
    assert DIALOGS[0].name == "01-guide-example.smtp"
