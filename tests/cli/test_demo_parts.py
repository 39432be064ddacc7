"""The demo's own checks fail when they should: a wrong reply, a broken signature, another end, no relay."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from directmail_relay.cli.demo.conversation import Conversation, open_conversation
from directmail_relay.cli.demo.failure import DemoFailedError
from directmail_relay.cli.demo.fates import PROMISED, Fate, Tried
from directmail_relay.cli.demo.ports import find_free_port
from directmail_relay.cli.demo.relay_process import RelayProcess
from directmail_relay.cli.demo.stage import Stage, make_signing_key, set_stage, write_secrets
from directmail_relay.cli.demo.verdict import judge_signature
from directmail_relay.config import load_config
from directmail_relay.content.signing import sign
from directmail_relay.content.signing_keys import SigningKey, public_record
from directmail_relay.mail.attempt import Stage as SmtpStage
from directmail_relay.mail.message import State
from directmail_relay.mail.reply import Reply
from directmail_relay.sandbox import MAILBOXES, World

CONTENT = b"From: <test@test.com>\r\nSubject: test\r\n\r\ntest\r\n"


@asynccontextmanager
async def talk_to(answer: bytes) -> AsyncIterator[tuple[Conversation, list[str]]]:
    """A conversation with a server that says `answer` and hangs up; and what was shown of it."""

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        writer.close()
        await writer.wait_closed()

    shown: list[str] = []
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        conversation = await open_conversation(server.sockets[0].getsockname()[1], shown.append)
        yield conversation, shown
        conversation.close()


async def test_the_reply_that_is_due_is_taken_and_shown() -> None:
    async with talk_to(b"250-a\r\n250 b\r\n") as (conversation, shown):
        await conversation.expect("250-a\n250 b")
        assert shown == ["S: 250-a", "S: 250 b"]


@pytest.mark.parametrize("answer", [b"", b"250 b", b"550 b\r\n", b"250-b\r\n", b"250 bc\r\n", b"x" * 100_000])
async def test_any_other_reply_ends_the_demo(answer: bytes) -> None:
    async with talk_to(answer) as (conversation, _):
        with pytest.raises(DemoFailedError, match="where /250 b/ was due"):
            await conversation.expect("250 b")


async def test_nobody_to_talk_to_ends_the_demo() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(DemoFailedError, match=f"nobody answers at 127.0.0.1:{port}"):
        await open_conversation(port, print)


async def judge(tmp_path: Path, content: bytes, key: SigningKey) -> str:
    async with World(tmp_path, {key.record_name: public_record(key.private_key)}) as world:
        return await judge_signature(content, world.dns_server)


async def test_the_verdict_passes_only_what_the_sender_signed(tmp_path: Path, rsa_key: rsa.RSAPrivateKey) -> None:
    key = SigningKey("test.com", "s1", rsa_key)
    signed = sign(CONTENT, [key], now=1_795_000_000) + CONTENT
    assert await judge(tmp_path, signed, key) == "DKIM: pass (d=test.com s=s1, rsa-sha256)"
    stranger = SigningKey("example.com", "s1", rsa_key)
    for content, published, why in (
        (CONTENT, key, "DKIM: fail"),
        (signed + b"more\r\n", key, "DKIM: fail"),
        (signed.replace(b"Subject: test", b"Subject: text"), key, "DKIM: fail"),
        (signed, stranger, "DKIM: fail"),
        (sign(CONTENT, [stranger], now=1_795_000_000) + CONTENT, stranger, "not by d=test.com"),
    ):
        with pytest.raises(DemoFailedError, match=why):
            await judge(tmp_path, content, published)


def test_an_end_that_was_not_promised_is_noticed() -> None:
    tried = Tried(SmtpStage.RCPT, Reply(450, "Greylisted", "4.2.0"), "greylisted", None, None)

    def grey(state: State, status: int | None, tries: int) -> bool:
        return Fate("grey", 1, state, status, None, (tried,) * tries).is_as_promised

    assert grey(State.DELIVERED, 0, 2)
    assert not grey(State.DELIVERED, 0, 1)
    assert not grey(State.FAILED, 0, 2)
    assert not grey(State.DELIVERED, 4, 2)
    assert set(PROMISED) == set(MAILBOXES)


def test_a_port_that_is_taken_is_passed_over() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert find_free_port(port) > port
        assert find_free_port(port, taken=frozenset({port + 1})) > port + 1


async def test_the_config_that_is_written_is_one_that_the_relay_takes(tmp_path: Path) -> None:
    async with World(tmp_path, {}) as world:
        write_secrets(tmp_path)
        make_signing_key(tmp_path)
        stage = set_stage(tmp_path, world)
        config = load_config(stage.config)
    assert config.smtp.listeners[0].port == stage.smtp_port
    assert config.delivery.port == world.mx_port


async def test_a_relay_that_does_not_come_up_is_told_with_its_last_words(tmp_path: Path) -> None:
    stage = Stage(tmp_path, 2525, 8080)
    stage.config.write_text("hostname: relay.sandbox.test\nworkerz: 2\n", encoding="utf-8")
    relay = RelayProcess(stage)
    with pytest.raises(DemoFailedError, match=r"did not come up\n(?s:.*)workerz"):
        await relay.start()
    await relay.stop()
