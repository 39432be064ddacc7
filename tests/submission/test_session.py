"""Sessions over real sockets: what reaches the door, what the client sees, what is counted and logged."""

from __future__ import annotations

import asyncio
import base64
import itertools
import re
import smtplib
import socket
import struct
from collections.abc import AsyncIterator
from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from directmail_relay.mail import replies
from directmail_relay.mail.address import Address
from directmail_relay.mail.message import Envelope, Kind, RcptTo, Submission
from directmail_relay.policy.verdict import Refuse
from directmail_relay.submission.settings import SessionSettings, Timeouts
from tests.fakes.smtp_front import PATIENCE, Front, running_front, until

SETTINGS = SessionSettings("relay.test")
LOGIN = b"HELO a\r\nAUTH PLAIN AHRlc3RAdGVzdC5jb20AdGVzdA==\r\n"
DATA_OK = b"250 Data Ok: queued as freedom ###envid=148316944\r\n"


@pytest.fixture
async def front() -> AsyncIterator[Front]:
    async with running_front(SETTINGS) as front:
        yield front


async def test_what_reaches_the_door_is_all_that_was_said(front: Front) -> None:
    client = await front.ready()
    await client.ask("MAIL FROM:<test@test.com> SIZE=100 BODY=8BITMIME RET=HDRS ENVID=QQ1")
    await client.ask("RCPT TO:<a@Example.COM> NOTIFY=FAILURE,DELAY ORCPT=rfc822;a@example.com")
    await client.ask("RCPT TO:<a@example.com> NOTIFY=NEVER")
    await client.ask("RCPT TO:<b@example.com>")
    await client.ask("DATA")
    await client.send(b"subject: test\r\n\r\n..dot\r\n.\r\n")
    assert await client.reply() == b"250 Data Ok: queued as freedom ###envid=148316944\r\n"
    assert front.store.taken == [
        Submission(
            account="shop",
            login="test@test.com",
            envelope=Envelope(
                Address("test", "test.com"),
                (
                    RcptTo(Address("a", "example.com"), "FAILURE,DELAY", "rfc822;a@example.com"),
                    RcptTo(Address("b", "example.com")),
                ),
                body_8bit=True,
                ret="HDRS",
                envid="QQ1",
            ),
            content=b"subject: test\r\n\r\n.dot\r\n",
            kind=Kind.TRIGGER,
            client_ip="127.0.0.1",
            helo="test.com",
            protocol="ESMTPA",
        )
    ]
    await client.close()


async def test_eight_bit_content_is_marked_although_it_was_not_announced(front: Front) -> None:
    client = await front.ready()
    await client.send_message("subject: 测试\r\n\r\n.\r\n".encode())
    await client.send_message(b"subject: test\r\n\r\n.\r\n")
    assert [taken.envelope.body_8bit for taken in front.store.taken] == [True, False]
    await client.close()


async def test_smtputf8_shows_in_envelope_and_protocol(front: Front) -> None:
    client = await front.ready()
    await client.ask("MAIL FROM:<测试@test.com> SMTPUTF8")
    await client.ask("RCPT TO:<用户@例子.com>")
    await client.ask("DATA")
    assert await client.ask(".") == b"250 Data Ok: queued as freedom ###envid=148316944\r\n"
    (taken,) = front.store.taken
    assert taken.protocol == "UTF8SMTPA"
    assert taken.envelope.smtputf8
    assert taken.envelope.rcpt_to[0].address == Address("用户", "xn--fsqu00a.com")
    await client.close()


async def test_pythons_smtplib_sends_a_mail_with_attachment(front: Front) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "test@test.com", "to@example.com", "测试"
    message.set_content(".a line with a dot\n你好\n")
    message.add_attachment(bytes(range(256)) * 4000, maintype="application", subtype="octet-stream", filename="x")
    message.set_boundary("boundary")

    def send() -> tuple[bytes, dict[str, tuple[int, bytes]]]:
        with smtplib.SMTP("127.0.0.1", front.port, local_hostname="test.com", timeout=PATIENCE) as smtp:
            smtp.login("test@test.com", "test")
            refused = smtp.send_message(message, to_addrs=["to@example.com", "x@localhost"])
            with pytest.raises(smtplib.SMTPSenderRefused):
                smtp.send_message(message, from_addr="other@test.com")
            return smtp.noop()[1], refused

    noop, refused = await asyncio.to_thread(send)
    assert noop == b"Ok"
    assert refused == {"x@localhost": (553, b"The recipient address needs a fully qualified domain")}
    (taken,) = front.store.taken
    assert taken.content.replace(b"\r\n", b"\n") == bytes(message).replace(b"\r\n", b"\n")


@pytest.mark.parametrize(("answer", "line"), [
    (Refuse(replies.DAILY_QUOTA, "daily_quota"), b"552 Daily sending quota exceeded\r\n"),
    (RuntimeError("password is hunter2"), b"451 Requested action aborted: local error in processing\r\n"),
    (TimeoutError("the database"), b"451 Requested action aborted: local error in processing\r\n"),
    (ConnectionResetError("the database"), b"451 Requested action aborted: local error in processing\r\n"),
])  # fmt: skip
async def test_what_the_door_refuses_or_breaks_ends_the_message_alone(
    front: Front, answer: Refuse | Exception, line: bytes
) -> None:
    client = await front.ready()
    front.store.answer = answer
    assert await client.send_message() == line
    front.store.answer = None
    assert (await client.send_message()).startswith(b"250 Data Ok")
    await client.close()


async def test_what_the_authenticator_refuses_is_told_in_its_words(front: Front) -> None:
    refused = replies.fill(replies.IP_NOT_ALLOWED, client_ip="127.0.0.1")
    front.passwords.answer = Refuse(refused, "ip_not_allowed")
    client = await front.connect()
    await client.send(LOGIN + b"MAIL FROM:<test@test.com>\r\nQUIT\r\n")
    expected = replies_of(refused, replies.AUTH_REQUIRED, replies.BYE)
    assert (await client.rest()).endswith(expected)
    assert ("auth", "ip_not_allowed") in front.tally.events


async def test_an_account_that_is_frozen_meanwhile_is_refused_at_the_next_mail(front: Front) -> None:
    client = await front.ready()
    assert (await client.send_message()).startswith(b"250 Data Ok")
    front.rules.mail_refuse = Refuse(replies.ACCOUNT_UNAVAILABLE, "account_status")
    with capture_logs() as logs:
        assert await client.ask("MAIL FROM:<test@test.com>") == b"551 Main account unavailable\r\n"
    assert [(entry["event"], entry["login"]) for entry in logs] == [("smtp_mail_refused", "test@test.com")]
    assert ("refused", "account_status") in front.tally.events


async def test_a_failing_authenticator_is_told_as_451_and_the_session_goes_on(front: Front) -> None:
    known, front.passwords.known = front.passwords.known, None  # type: ignore[assignment]  # it breaks at the look-up
    client = await front.connect()
    await client.send(LOGIN)
    await client.expect("220")
    await client.expect("250")
    assert await client.reply() == b"451 Requested action aborted: local error in processing\r\n"
    front.passwords.known = known
    assert await client.ask("AUTH PLAIN AHRlc3RAdGVzdC5jb20AdGVzdA==") == b"235 Authentication successful\r\n"


async def test_an_internal_error_is_logged_without_what_it_says(front: Front) -> None:
    client = await front.ready()
    front.store.answer = RuntimeError("hunter2")
    with capture_logs() as logs:
        await client.send_message()
    (entry,) = [entry for entry in logs if entry["event"] == "smtp_internal_error"]
    assert entry["error"] == "RuntimeError"
    assert "hunter2" not in repr(logs)
    assert any("accept" in frame for frame in entry["frames"])
    await client.close()


async def test_no_password_is_logged_or_kept(front: Front) -> None:
    client = await front.connect()
    await client.reply()
    await client.ask("HELO test.com")
    with capture_logs() as logs:
        assert (await client.ask("AUTH PLAIN " + base64.b64encode(b"\0me\0hunter2").decode())).startswith(b"535")
        await client.ask("AUTH LOGIN " + base64.b64encode(b"test@test.com").decode())
        assert (await client.ask(base64.b64encode(b"test").decode())).startswith(b"235")
        (session,) = front.registry._sessions
        assert "hunter2" not in repr(logs) + repr(vars(session))
        assert base64.b64encode(b"hunter2").decode() not in repr(logs) + repr(vars(session))
    (entry,) = logs
    assert (entry["event"], entry["why"], entry["login"]) == ("smtp_login_refused", "auth_failed", "(not an address)")
    await client.close()


async def test_everything_is_counted_under_known_names(front: Front) -> None:
    client = await front.ready()
    await client.ask("XYZZY")
    await client.ask("ETRN a")
    await client.send_message()
    await client.ask("QUIT")
    assert front.tally.events == [
        ("command", "EHLO", 250),
        ("auth", "ok"),
        ("command", "AUTH", 235),
        ("refused", "bad_command"),
        ("command", "other", 500),
        ("refused", "bad_command"),
        ("command", "other", 500),
        ("command", "MAIL", 250),
        ("command", "RCPT", 250),
        ("accepted",),
        ("command", "DATA", 250),
        ("command", "QUIT", 221),
    ]
    await client.close()


async def test_an_accepted_message_forgives_earlier_errors() -> None:
    async with running_front(SessionSettings("relay.test", max_errors=2)) as front:
        client = await front.ready()
        for _ in range(3):
            assert await client.ask("XYZZY") == b"500 Command not recognized\r\n"
            assert (await client.send_message()).startswith(b"250 ")
        await client.ask("XYZZY")
        await client.send(b"XYZZY\r\n")
        assert await client.rest() == replies_of(replies.BAD_COMMAND, replies.TOO_MANY_ERRORS)
        await client.close()


def replies_of(*said: object) -> bytes:
    return b"".join(f"{reply}\r\n".encode() for reply in said)


async def test_a_client_that_leaves_during_the_commit_does_not_stop_it(front: Front) -> None:
    client = await front.ready()
    front.store.gate.clear()
    await client.ask("MAIL FROM:<test@test.com>")
    await client.ask("RCPT TO:<to@example.com>")
    await client.ask("DATA")
    await client.send(b"subject: test\r\n\r\n.\r\n")
    await asyncio.wait_for(front.store.entered.wait(), PATIENCE)
    sock = client.writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.writer.transport.abort()
    (session,) = front.registry._sessions
    await until(lambda: session.wire._transport is None)  # type: ignore[attr-defined]  # a SubmissionSession it is
    front.store.gate.set()
    await until(lambda: len(front.store.taken) == 1)
    await until(lambda: front.registry.connected == 0)


async def test_the_reply_after_a_half_close_waits_for_the_commit(front: Front) -> None:
    client = await front.ready()
    front.store.gate.clear()
    await client.send(b"MAIL FROM:<test@test.com>\r\nRCPT TO:<to@example.com>\r\nDATA\r\nsubject: x\r\n\r\n.\r\n")
    client.writer.write_eof()
    await asyncio.wait_for(front.store.entered.wait(), PATIENCE)
    front.store.gate.set()
    assert (await client.rest()).endswith(b"354 End data with <CR><LF>.<CR><LF>\r\n" + DATA_OK)
    await client.close()


async def test_a_client_that_leaves_within_the_content_leaves_nothing(front: Front) -> None:
    client = await front.ready()
    await client.ask("MAIL FROM:<test@test.com>")
    await client.ask("RCPT TO:<to@example.com>")
    await client.ask("DATA")
    await client.send(b"subject: test\r\n\r\nQUIT\r\n")
    client.writer.write_eof()
    assert await client.rest() == b""
    assert front.store.taken == []
    await client.close()


async def test_replies_to_grouped_commands_come_as_one_segment(front: Front) -> None:
    client = await front.ready()
    await client.send(b"MAIL FROM:<test@test.com>\r\nRCPT TO:<a@b.com>\r\nRCPT TO:<c@d.com>\r\nDATA\r\n")
    expected = b"250 Mail Ok\r\n250 Rcpt Ok\r\n250 Rcpt Ok\r\n354 End data with <CR><LF>.<CR><LF>\r\n"
    assert await client.reader.read(65536) == expected
    await client.close()


@pytest.mark.parametrize("octets", [2047, 2048, 2049, 12289, 300_000])
async def test_a_line_that_is_too_long_is_thrown_away_whole(front: Front, octets: int) -> None:
    client = await front.connect()
    await client.expect("220")
    reply = await client.ask("NOOP " + "x" * (octets - 5))
    assert reply == (b"250 Ok\r\n" if octets <= 2048 else b"500 Line too long\r\n")
    assert await client.ask("NOOP") == b"250 Ok\r\n"
    await client.close()


@pytest.mark.parametrize("octets", [12286, 12287, 50_000])
async def test_a_line_of_an_auth_exchange_may_be_longer(front: Front, octets: int) -> None:
    client = await front.connect()
    await client.expect("220")
    await client.ask("HELO test.com")
    assert await client.ask("AUTH LOGIN") == b"334 dXNlcm5hbWU6\r\n"
    expected = b"501 Cannot decode base64\r\n" if octets <= 12286 else b"500 Authentication exchange line too long\r\n"
    assert await client.ask("!" * octets) == expected
    assert await client.ask("NOOP") == b"250 Ok\r\n"
    await client.close()


async def test_an_endless_line_takes_no_memory_and_ends_with_the_timeout() -> None:
    timeouts = Timeouts(command=0.3)
    async with running_front(SessionSettings("relay.test", timeouts=timeouts)) as front:
        client = await front.connect()
        await client.expect("220")
        (session,) = front.registry._sessions

        async def pour() -> None:
            while True:
                await client.send(b"x" * 65536)
                assert len(session.wire._input) < 1024 * 1024  # type: ignore[attr-defined]  # a SubmissionSession it is

        pouring = asyncio.ensure_future(pour())
        assert await client.reply() == b"421 Timeout, closing connection\r\n"
        pouring.cancel()
        client.writer.transport.abort()


@pytest.mark.parametrize(
    ("said", "timeouts"),
    [
        (b"", Timeouts(command=0.05)),
        (b"NOOP", Timeouts(command=0.05)),
        (b"HELO a\r\nAUTH LOGIN\r\n", Timeouts(command=0.05)),
        (LOGIN + b"MAIL FROM:<test@test.com>\r\n", Timeouts(command=0.05)),
        (LOGIN + b"MAIL FROM:<test@test.com>\r\nRCPT TO:<a@b.com>\r\nDATA\r\nhalf", Timeouts(data_block=0.05)),
    ],
)
async def test_a_silent_client_is_told_and_cut(said: bytes, timeouts: Timeouts) -> None:
    async with running_front(SessionSettings("relay.test", timeouts=timeouts)) as front:
        client = await front.connect()
        await client.send(said)
        assert (await client.rest()).endswith(b"\r\n421 Timeout, closing connection\r\n")
        assert ("refused", "timeout") in front.tally.events
        await client.close()


async def test_content_that_drips_in_forever_is_cut() -> None:
    timeouts = Timeouts(data_block=PATIENCE, data=0.2)
    async with running_front(SessionSettings("relay.test", timeouts=timeouts)) as front:
        client = await front.ready()
        await client.send(b"MAIL FROM:<test@test.com>\r\nRCPT TO:<a@b.com>\r\nDATA\r\n")
        for _ in range(3):
            await client.reply()

        async def drip() -> None:
            while True:
                await client.send(b"x")
                await asyncio.sleep(0.01)

        dripping = asyncio.ensure_future(drip())
        assert await client.rest() == b"421 Timeout, closing connection\r\n"
        dripping.cancel()
        await client.close()


async def test_a_client_that_never_reads_is_cut() -> None:
    timeouts = Timeouts(write=0.1, linger=0.05)
    async with running_front(SessionSettings("relay.test", timeouts=timeouts)) as front:
        client = await front.connect()
        client.reader._transport.pause_reading()  # type: ignore[attr-defined]  # asyncio has no public way
        (session,) = front.registry._sessions

        async def ask() -> None:
            while True:
                client.writer.write(b"EHLO a\r\n" * 10_000)
                await client.writer.drain()

        asking = asyncio.ensure_future(ask())
        await until(lambda: front.registry.connected == 0)
        asking.cancel()
        assert len(session.wire._output) < 10_000  # type: ignore[attr-defined]  # a SubmissionSession it is
        client.writer.transport.abort()


async def test_ten_thousand_commands_in_one_piece_leave_the_others_their_turn(front: Front) -> None:
    client = await front.connect()
    await client.expect("220")
    handled: list[int] = []

    async def watch() -> None:
        while True:
            handled.append(len(front.tally.events))
            await asyncio.sleep(0)

    watching = asyncio.ensure_future(watch())
    await client.send(b"NOOP\r\n" * 10_000 + b"QUIT\r\n")
    assert await client.rest() == b"250 Ok\r\n" * 10_000 + b"221 Bye\r\n"
    watching.cancel()
    assert max(later - earlier for earlier, later in itertools.pairwise(handled)) <= 32


FRAGMENTS = st.one_of(
    st.binary(max_size=20),
    st.sampled_from([line.encode() for line in (
        "EHLO a", "AUTH PLAIN AHRlc3RAdGVzdC5jb20AdGVzdA==", "AUTH LOGIN", "dGVzdA==", "*", "MAIL FROM:<test@test.com>",
        "MAIL FROM:<test@test.com> SIZE=1", "RCPT TO:<a@b.com>", "RCPT TO:<a@localhost>", "DATA", ".", "..", "RSET",
        "STARTTLS", "HELP", "VRFY a", "a: b", "",
    )]),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(FRAGMENTS, st.sampled_from([b"\r\n", b"\n", b""])), max_size=30))
def test_whatever_a_client_sends_it_gets_well_formed_replies(said: list[tuple[bytes, bytes]]) -> None:
    async def converse() -> bytes:
        async with running_front(SETTINGS) as front:
            client = await front.connect()
            await client.send(LOGIN + b"".join(line + end for line, end in said))
            client.writer.write_eof()
            return await client.rest()

    with capture_logs() as logs:
        heard = asyncio.run(converse())
    assert re.fullmatch(rb"(?:[2-5][0-9]{2}[ -][ -~]*\r\n)+", heard), heard
    assert not [entry for entry in logs if entry["event"] == "smtp_internal_error"]
