from __future__ import annotations

import pytest

from directmail_relay.delivery.outcome import NotBegun, Outcome
from directmail_relay.mail import replies
from directmail_relay.mail.attempt import About, Stage
from directmail_relay.mail.replies import (
    NOT_SMTP,
    OUT_OF_STEP,
)
from directmail_relay.mail.reply import Reply
from tests.fakes.letters import CONTENT, impatient, letter, settings
from tests.fakes.mx_script import Answer, Script, close, endless, silence
from tests.fakes.remote_mx import RemoteMx
from tests.fakes.sessions import STUFFED, always, send, session_to


async def test_a_message_arrives_octet_for_octet() -> None:
    async with RemoteMx() as mx, session_to(mx) as session:
        outcomes = await session.send(letter(), always)
    assert outcomes == (Outcome(Stage.DATA, Reply(250, "Queued as 4711", "2.0.0"), About.RECIPIENT),)
    (taken,) = mx.taken
    assert taken.content == STUFFED
    assert mx.commands == [
        b"EHLO relay.test",
        b"MAIL FROM:<notice@example.com> SIZE=%d" % len(CONTENT),
        b"RCPT TO:<ok@rcpt.test>",
        b"DATA",
        b"QUIT",
    ]


async def test_each_recipient_keeps_its_own_reply_and_the_accepted_get_the_message() -> None:
    script = Script(rcpt={"no@rcpt.test": "550 5.1.1 No such user", "later@rcpt.test": "451 4.7.1 Greylisted"})
    async with RemoteMx(script) as mx, session_to(mx) as session:
        outcomes = await session.send(letter("no@rcpt.test", "ok@rcpt.test", "later@rcpt.test"), always)
    assert outcomes == (
        Outcome(Stage.RCPT, Reply(550, "No such user", "5.1.1"), About.RECIPIENT),
        Outcome(Stage.DATA, Reply(250, "Queued as 4711", "2.0.0"), About.RECIPIENT),
        Outcome(Stage.RCPT, Reply(451, "Greylisted", "4.7.1"), About.RECIPIENT),
    )
    assert [taken.rcpt for taken in mx.taken] == [(b"RCPT TO:<ok@rcpt.test>",)]


async def test_when_every_recipient_is_refused_no_data_is_sent_and_the_session_goes_on() -> None:
    script = Script(rcpt={"no@rcpt.test": "550 5.1.1 No such user"})
    async with RemoteMx(script) as mx, session_to(mx) as session:
        (outcome,) = await session.send(letter("no@rcpt.test"), always)
        assert session.is_open
        (second,) = await session.send(letter(), always)
    assert outcome == Outcome(Stage.RCPT, Reply(550, "No such user", "5.1.1"), About.RECIPIENT)
    assert isinstance(second, Outcome)
    assert second.reply.is_success
    assert mx.commands[3] == b"RSET"
    assert len(mx.taken) == 1
    assert len(mx.peers) == 1


@pytest.mark.parametrize(
    ("stage", "verb", "answer"),
    [
        (Stage.MAIL, "MAIL", "550 5.7.1 Sender refused"),
        (Stage.MAIL, "MAIL", "451 4.3.0 Later"),
        (Stage.DATA, "DATA", "554 5.5.1 No valid recipients"),
        (Stage.DATA, "END", "552 5.3.4 Too large"),
        (Stage.DATA, "END", "451 4.3.0 Later"),
    ],
)
async def test_a_reply_to_mail_or_data_is_about_the_message_and_leaves_the_session(
    stage: Stage, verb: str, answer: str
) -> None:
    script = Script({verb: [answer, "354 Go" if verb == "DATA" else "250 Ok"]})
    async with RemoteMx(script) as mx, session_to(mx) as session:
        outcomes = await session.send(letter("a@rcpt.test", "b@rcpt.test"), always)
        (again,) = await session.send(letter(), always)
    assert isinstance(again, Outcome)
    assert again.reply.is_success
    for outcome in outcomes:
        assert isinstance(outcome, Outcome)
        assert (outcome.stage, outcome.about, outcome.maybe_duplicate) == (stage, About.MESSAGE, False)
        assert str(outcome.reply) == answer


@pytest.mark.parametrize(("verb", "stage"), [("MAIL", Stage.MAIL), ("DATA", Stage.DATA), ("END", Stage.DATA)])
async def test_a_421_in_a_transaction_is_about_the_host(verb: str, stage: Stage) -> None:
    (outcome,) = await send(Script({verb: "421 4.3.2 Going down"}), letter())
    assert outcome == Outcome(stage, Reply(421, "Going down", "4.3.2"), About.HOST)


async def test_a_421_to_one_rcpt_takes_along_all_that_were_not_refused_before() -> None:
    script = Script(rcpt={"no@rcpt.test": "550 5.1.1 No", "last@rcpt.test": "421 4.7.0 Too many"})
    outcomes = await send(script, letter("ok@rcpt.test", "no@rcpt.test", "last@rcpt.test", "unasked@rcpt.test"))
    assert [outcome.reply.code for outcome in outcomes] == [421, 550, 421, 421]
    assert [outcome.about for outcome in outcomes] == [About.HOST, About.RECIPIENT, About.HOST, About.HOST]


@pytest.mark.parametrize("fault", [close, silence])
@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA"])
async def test_a_connection_that_is_cut_or_dead_in_a_transaction_is_about_the_host(verb: str, fault: Answer) -> None:
    (outcome,) = await send(Script({verb: fault}), letter(), settings(impatient(verb.lower())))
    assert outcome == Outcome(Stage(verb), replies.CONNECTION_CUT, About.HOST)


async def test_success_is_judged_by_the_first_digit() -> None:
    script = Script({"MAIL": "251 Fine", "RCPT": "252 Maybe", "DATA": "350 Well", "END": "299 Mine"})
    async with RemoteMx(script) as mx, session_to(mx) as session:
        await session.send(letter(), always)
    # The fake takes 3xx and 2xx alike: the message is there.
    assert len(mx.taken) == 1


@pytest.mark.parametrize(
    ("verb", "answer", "reply"),
    [
        ("MAIL", "354 Go on", OUT_OF_STEP),
        ("RCPT", "334 dXNlcm5hbWU6", OUT_OF_STEP),
        ("DATA", "250 Ok", OUT_OF_STEP),
        ("MAIL", "hello there", NOT_SMTP),
        ("RCPT", b"\x00\x01\x02\r\n", NOT_SMTP),
    ],
)
async def test_a_reply_that_cannot_be_meant_ends_the_session_and_is_about_the_host(
    verb: str, answer: Answer, reply: Reply
) -> None:
    async with RemoteMx(Script({verb: answer})) as mx, session_to(mx) as session:
        (outcome,) = await session.send(letter(), always)
        assert not session.is_open
    assert outcome == Outcome(Stage(verb), reply, About.HOST)


@pytest.mark.parametrize("more", [b"550-and more\r\n", b"and more "])
async def test_an_endless_reply_counts_by_its_first_code_and_costs_the_connection(more: bytes) -> None:
    async with (
        RemoteMx(Script({"RCPT": endless(b"550-5.7.1 No\r\n550-", more)})) as mx,
        session_to(mx) as session,
    ):
        (outcome,) = await session.send(letter(), always)
        assert not session.is_open
    assert isinstance(outcome, Outcome)
    assert (outcome.stage, outcome.reply.code, outcome.reply.enhanced) == (Stage.RCPT, 550, "5.7.1")
    assert len(outcome.reply.text) <= 1024


async def test_what_a_host_says_unasked_is_not_taken_for_the_next_reply() -> None:
    script = Script({"MAIL": "250 Ok\n451 4.0.0 by the way"})
    (outcome,) = await send(script, letter())
    assert outcome.reply.is_success


async def test_a_message_that_is_no_longer_ours_is_not_sent() -> None:
    async with RemoteMx() as mx, session_to(mx) as session:
        outcomes = await session.send(letter("a@rcpt.test", "b@rcpt.test"), lambda: False)
        assert session.is_open
    assert outcomes == (NotBegun(), NotBegun())
    assert b"DATA" not in mx.commands
    assert mx.commands[-2:] == [b"RSET", b"QUIT"]


async def test_a_host_that_dies_at_rset_changes_no_outcome() -> None:
    async with RemoteMx(Script({"RSET": close})) as mx, session_to(mx) as session:
        outcomes = await session.send(letter(), lambda: False)
        assert not session.is_open
    assert outcomes == (NotBegun(),)
