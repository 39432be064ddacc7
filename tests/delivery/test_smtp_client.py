from __future__ import annotations

import asyncio

import pytest

from directmail_relay.delivery.outcome import Outcome
from directmail_relay.delivery.smtp_client import open_session
from directmail_relay.mail import replies
from directmail_relay.mail.attempt import About, Stage
from directmail_relay.mail.reply import Reply
from tests.fakes.letters import impatient, letter, settings
from tests.fakes.mx_script import Answer, Peer, Script, close, silence
from tests.fakes.remote_mx import RemoteMx
from tests.fakes.sessions import always, session_to, target


@pytest.mark.parametrize("verb", ["GREETING", "EHLO"])
async def test_a_421_before_the_session_stands_is_about_the_host(verb: str) -> None:
    async with RemoteMx(Script({verb: "421 4.3.2 Busy"})) as mx:
        outcome = await open_session(target(mx), settings())
    assert isinstance(outcome, Outcome)
    assert (str(outcome.reply), outcome.about) == ("421 4.3.2 Busy", About.HOST)
    assert outcome.stage is (Stage.CONNECT if verb == "GREETING" else Stage.EHLO)


@pytest.mark.parametrize("answer", ["554 5.7.1 Go away", "450 4.7.1 Not now"])
async def test_a_refusing_greeting_is_about_the_host(answer: str) -> None:
    async with RemoteMx(Script({"GREETING": answer})) as mx:
        outcome = await open_session(target(mx), settings())
    assert isinstance(outcome, Outcome)
    assert (outcome.stage, str(outcome.reply), outcome.about) == (Stage.CONNECT, answer, About.HOST)


@pytest.mark.parametrize("fault", [close, silence])
@pytest.mark.parametrize(("verb", "stage"), [("GREETING", Stage.CONNECT), ("EHLO", Stage.EHLO)])
async def test_a_connection_that_is_cut_or_dead_at_the_start_is_about_the_host(
    verb: str, stage: Stage, fault: Answer
) -> None:
    async with RemoteMx(Script({verb: fault})) as mx:
        outcome = await open_session(target(mx), settings(impatient(verb.lower())))
    assert outcome == Outcome(stage, replies.CONNECTION_CUT, About.HOST)


async def test_nobody_listening_is_an_unreachable_host() -> None:
    async with RemoteMx() as mx:
        gone = target(mx)
    assert await open_session(gone, settings()) == Outcome(Stage.CONNECT, replies.UNREACHABLE, About.HOST)


async def test_a_host_that_chatters_without_end_is_not_read_without_end() -> None:
    chatter = asyncio.Event()

    async def talk(peer: Peer) -> None:
        peer.writer.write(b"250 Ok\r\n" + b"250 and\r\n" * 1_000_000)
        chatter.set()

    async with RemoteMx(Script({"EHLO": talk})) as mx, session_to(mx) as session:
        await chatter.wait()
        for _ in range(200):
            await asyncio.sleep(0)
        assert len(session._dialogue.connection._unread) < 1_000_000
        mx.hang_up()


async def test_helo_is_tried_when_ehlo_is_not_known() -> None:
    async with RemoteMx(Script({"EHLO": "502 5.5.1 What?"})) as mx, session_to(mx) as session:
        (outcome,) = await session.send(letter(), always)
    assert isinstance(outcome, Outcome)
    assert outcome.reply.is_success
    assert mx.commands[:3] == [b"EHLO relay.test", b"HELO relay.test", b"MAIL FROM:<notice@example.com>"]


async def test_a_host_that_wants_neither_ehlo_nor_helo_is_left() -> None:
    async with RemoteMx(Script({"EHLO": "550 5.7.1 Who?", "HELO": "550 5.7.1 Who?"})) as mx:
        outcome = await open_session(target(mx), settings())
    assert outcome == Outcome(Stage.EHLO, Reply(550, "Who?", "5.7.1"), About.HOST)


async def test_cancelling_leaves_no_connection_behind() -> None:
    async with RemoteMx(Script({"MAIL": silence})) as mx, session_to(mx) as session:
        sending = asyncio.create_task(session.send(letter(), always))
        await mx.heard(b"MAIL")
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert not session.is_open


async def test_cancelling_while_the_session_is_opened_leaves_no_connection_behind() -> None:
    async with RemoteMx(Script({"GREETING": silence})) as mx:
        opening = asyncio.create_task(open_session(target(mx), settings()))
        await mx.heard(b"")
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        await mx.all_over()


async def test_an_unanswered_quit_is_not_waited_for() -> None:
    async with RemoteMx(Script({"QUIT": silence})) as mx, session_to(mx, chosen=settings(impatient("quit"))) as session:
        pass
    assert not session.is_open


async def test_a_session_is_used_again_without_a_reset() -> None:
    async with RemoteMx() as mx, session_to(mx) as session:
        for _ in range(3):
            await session.send(letter(), always)
    assert len(mx.taken) == 3
    assert b"RSET" not in mx.commands
