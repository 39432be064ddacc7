from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from directmail_relay.delivery.outcome import Outcome
from directmail_relay.mail import replies
from directmail_relay.mail.attempt import About, Stage
from directmail_relay.mail.replies import (
    NO_SMTPUTF8,
    OUT_OF_STEP,
    TOO_LARGE_FOR_HOST,
)
from directmail_relay.mail.reply import Reply
from tests.fakes.letters import impatient, letter, settings
from tests.fakes.mx_script import Answer, Peer, Script, close, endless, last_words, silence
from tests.fakes.remote_mx import RemoteMx
from tests.fakes.sessions import HUGE, always, send, session_to


@pytest.mark.parametrize("fault", [close, silence])
async def test_a_lost_reply_to_the_final_dot_may_mean_a_duplicate(fault: Answer) -> None:
    async with (
        RemoteMx(Script({"END": fault})) as mx,
        session_to(mx, chosen=settings(impatient("final_dot"))) as session,
    ):
        (outcome,) = await session.send(letter(), always)
    assert outcome == Outcome(Stage.DATA, replies.CONNECTION_CUT, About.HOST, maybe_duplicate=True)
    assert not outcome.wants_next_host
    assert len(mx.taken) == 1


async def test_a_cut_before_the_final_dot_is_no_duplicate() -> None:
    (outcome,) = await send(Script({"CONTENT": close}, extensions=()), letter(content=HUGE))
    assert outcome == Outcome(Stage.DATA, replies.CONNECTION_CUT, About.HOST)


async def test_a_host_that_stops_reading_halfway_is_left() -> None:
    async def stop(peer: Peer) -> None:
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]  # typeshed: a WriteTransport; it is both
        await asyncio.Event().wait()

    script = Script({"CONTENT": stop}, extensions=())
    (outcome,) = await send(script, letter(content=HUGE), settings(impatient("block")))
    assert outcome == Outcome(Stage.DATA, replies.CONNECTION_CUT, About.HOST)


async def test_a_refusal_in_the_middle_of_the_content_is_heard() -> None:
    async def refuse(peer: Peer) -> None:
        await peer.reader.readexactly(100_000)
        await last_words("552 5.3.4 Too much")(peer)  # type: ignore[operator]  # it is the function among answers

    (outcome,) = await send(Script({"CONTENT": refuse}, extensions=()), letter(content=HUGE))
    assert outcome == Outcome(Stage.DATA, Reply(552, "Too much", "5.3.4"), About.MESSAGE)


async def test_after_a_refusal_in_the_middle_the_rest_is_not_sent() -> None:
    read = 0

    async def refuse(peer: Peer) -> None:
        nonlocal read
        await peer.send(b"552 5.3.4 Too much\r\n")
        while chunk := await peer.reader.read(65536):
            read += len(chunk)

    async with RemoteMx(Script({"CONTENT": refuse}, extensions=())) as mx, session_to(mx) as session:
        (outcome,) = await session.send(letter(content=HUGE), always)
        assert not session.is_open
    assert outcome == Outcome(Stage.DATA, Reply(552, "Too much", "5.3.4"), About.MESSAGE)
    assert read < len(HUGE)


async def test_a_reply_to_the_final_dot_counts_although_the_host_leaves_with_it() -> None:
    (outcome,) = await send(Script({"END": last_words("250 2.0.0 Got it")}), letter())
    assert outcome == Outcome(Stage.DATA, Reply(250, "Got it", "2.0.0"), About.RECIPIENT)


async def test_after_the_final_dot_a_reply_that_cannot_be_meant_may_mean_a_duplicate() -> None:
    (outcome,) = await send(Script({"END": "354 Go on"}), letter())
    assert outcome == Outcome(Stage.DATA, OUT_OF_STEP, About.HOST, maybe_duplicate=True)


async def test_an_endless_success_is_a_success_and_costs_the_connection() -> None:
    async with (
        RemoteMx(Script({"END": endless(b"250-2.0.0 Ok\r\n", b"250-and more\r\n")})) as mx,
        session_to(mx) as session,
    ):
        (outcome,) = await session.send(letter(), always)
        assert not session.is_open
    assert isinstance(outcome, Outcome)
    assert (outcome.reply.code, outcome.about) == (250, About.RECIPIENT)


async def test_a_message_beyond_the_announced_size_is_not_even_begun() -> None:
    async with RemoteMx(Script(extensions=("SIZE 10",))) as mx, session_to(mx) as session:
        (outcome,) = await session.send(letter(), always)
        assert session.is_open
    assert outcome == Outcome(Stage.MAIL, TOO_LARGE_FOR_HOST, About.MESSAGE)
    assert mx.commands == [b"EHLO relay.test", b"QUIT"]


async def test_a_message_that_needs_smtputf8_goes_only_where_it_is_offered() -> None:
    wide = replace(letter(content="Subject: 你好\r\n\r\nx\r\n".encode()), smtputf8=True)
    (outcome,) = await send(Script(extensions=("8BITMIME",)), wide)
    assert outcome == Outcome(Stage.MAIL, NO_SMTPUTF8, About.MESSAGE)
    async with RemoteMx() as mx, session_to(mx) as session:
        await session.send(wide, always)
    assert mx.taken[0].mail.endswith(b" BODY=8BITMIME SMTPUTF8")


async def test_an_international_recipient_alone_is_refused_where_smtputf8_is_not_offered() -> None:
    outgoing = replace(letter("收件@rcpt.test", "ok@rcpt.test"), smtputf8=True)
    refused, accepted = await send(Script(extensions=()), outgoing)
    assert refused == Outcome(Stage.RCPT, NO_SMTPUTF8, About.RECIPIENT)
    assert accepted.reply.is_success


async def test_8_bits_go_as_they_are_to_a_host_that_does_not_offer_8bitmime() -> None:
    content = b"Subject: x\r\n\r\n\xe4\xf6\xfc\r\n"
    async with RemoteMx(Script(extensions=())) as mx, session_to(mx) as session:
        await session.send(letter(content=content), always)
    assert mx.taken[0].content == content
    assert mx.taken[0].mail == b"MAIL FROM:<notice@example.com>"
