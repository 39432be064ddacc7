from __future__ import annotations

import ssl
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from directmail_relay.delivery.outcome import Outcome
from directmail_relay.delivery.smtp_client import SmtpSession, open_session
from directmail_relay.delivery.tls import TlsContexts, make_tls_contexts
from directmail_relay.mail.attempt import About, Stage
from directmail_relay.mail.replies import (
    TLS_FAILED,
)
from directmail_relay.mail.reply import Reply
from directmail_relay.policy.route import TlsPolicy
from tests.fakes.letters import impatient, letter, settings
from tests.fakes.mx_script import Answer, Peer, Script, broken_handshake, close, silence
from tests.fakes.remote_mx import RemoteMx
from tests.fakes.sessions import BIG, STUFFED, always, session_to, target


async def inject(peer: Peer) -> None:
    """Somebody on the way adds a reply in clear; after that the handshake would succeed (CVE-2011-0411)."""
    await peer.send(b"220 Ready\r\n250-mx.test\r\n250 AUTH PLAIN\r\n")
    assert peer.tls is not None
    await peer.writer.start_tls(peer.tls)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def certified(authority: trustme.CA) -> ssl.SSLContext:
    """A server's context with the right name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("mx.rcpt.test").configure_cert(context)
    return context


@pytest.fixture(scope="module")
def misnamed(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("other.test").configure_cert(context)
    return context


@pytest.fixture(scope="module")
def trusting(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> TlsContexts:
    path: Path = tmp_path_factory.mktemp("tls") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return make_tls_contexts(path)


@pytest.mark.parametrize("policy", [TlsPolicy.MAY, TlsPolicy.ENCRYPT])
async def test_tls_is_used_when_it_is_offered_whoever_signed_the_certificate(
    misnamed: ssl.SSLContext, policy: TlsPolicy
) -> None:
    async with RemoteMx(tls=misnamed) as mx, session_to(mx, policy) as session:
        assert session.tls == "TLSv1.3"
        (outcome,) = await session.send(letter(), always)
    assert isinstance(outcome, Outcome)
    assert outcome.reply.is_success
    assert mx.taken[0].tls == "TLSv1.3"
    assert mx.taken[0].content == STUFFED
    assert mx.commands[:3] == [b"EHLO relay.test", b"STARTTLS", b"EHLO relay.test"]
    assert len(mx.peers) == 1


async def test_what_was_offered_in_clear_is_forgotten_in_tls(certified: ssl.SSLContext) -> None:
    script = Script({"EHLO": ["250-mx.test\n250-STARTTLS\n250 SIZE 10", "250 mx.test"]})
    async with RemoteMx(script, tls=certified) as mx, session_to(mx) as session:
        (outcome,) = await session.send(letter(), always)
    assert isinstance(outcome, Outcome)
    assert outcome.reply.is_success


async def test_tls_is_not_used_when_the_route_says_so(certified: ssl.SSLContext) -> None:
    async with RemoteMx(tls=certified) as mx, session_to(mx, TlsPolicy.NONE) as session:
        assert session.tls is None
    assert b"STARTTLS" not in mx.commands


@pytest.mark.parametrize(
    "answer",
    [
        broken_handshake,
        close,
        silence,
        "454 4.7.0 Not now",
        "354 Go on",
        inject,
        "gibberish",
    ],
)
async def test_when_tls_fails_the_mail_goes_in_clear_over_a_new_connection(
    certified: ssl.SSLContext, answer: Answer
) -> None:
    chosen = settings(impatient("starttls"))
    async with (
        RemoteMx(Script({"STARTTLS": answer}), tls=certified) as mx,
        session_to(mx, chosen=chosen) as session,
    ):
        (outcome,) = await session.send(letter(), always)
    assert isinstance(outcome, Outcome)
    assert outcome.reply.is_success
    assert session.tls is None
    assert [taken.connection for taken in mx.taken] == [1]
    assert b"STARTTLS" not in mx.peers[1].commands


@pytest.mark.parametrize("policy", [TlsPolicy.ENCRYPT, TlsPolicy.VERIFY])
@pytest.mark.parametrize("answer", [broken_handshake, inject, close, "454 4.7.0 Not now", "502 5.5.1 What?"])
async def test_when_tls_is_demanded_and_fails_nothing_is_sent(
    certified: ssl.SSLContext, policy: TlsPolicy, answer: Answer
) -> None:
    async with RemoteMx(Script({"STARTTLS": answer}), tls=certified) as mx:
        outcome = await open_session(target(mx, policy), settings())
    assert outcome == Outcome(Stage.STARTTLS, TLS_FAILED, About.HOST)
    assert len(mx.peers) == 1


@pytest.mark.parametrize("policy", [TlsPolicy.ENCRYPT, TlsPolicy.VERIFY])
async def test_when_tls_is_demanded_and_not_offered_nothing_is_sent(policy: TlsPolicy) -> None:
    async with RemoteMx() as mx:
        outcome = await open_session(target(mx, policy), settings())
    assert outcome == Outcome(Stage.STARTTLS, TLS_FAILED, About.HOST)


async def test_a_host_that_dislikes_our_side_of_the_handshake_gets_the_mail_in_clear(authority: trustme.CA) -> None:
    # It wants a certificate of ours. In TLS 1.3 we take the handshake for done before it says so.
    demanding = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("mx.rcpt.test").configure_cert(demanding)
    authority.configure_trust(demanding)
    demanding.verify_mode = ssl.CERT_REQUIRED
    async with RemoteMx(tls=demanding) as mx:
        async with session_to(mx) as session:
            assert session.tls is None
        assert await open_session(target(mx, TlsPolicy.ENCRYPT), settings()) == Outcome(Stage.STARTTLS, TLS_FAILED)


async def test_a_421_to_starttls_is_about_the_host(certified: ssl.SSLContext) -> None:
    async with RemoteMx(Script({"STARTTLS": "421 4.3.2 Busy"}), tls=certified) as mx:
        outcome = await open_session(target(mx), settings())
    assert outcome == Outcome(Stage.STARTTLS, Reply(421, "Busy", "4.3.2"), About.HOST)


async def test_a_verified_session_needs_the_hosts_own_certificate(
    certified: ssl.SSLContext, misnamed: ssl.SSLContext, trusting: TlsContexts
) -> None:
    chosen = settings(tls=trusting)
    async with RemoteMx(tls=certified) as mx, session_to(mx, TlsPolicy.VERIFY, chosen) as session:
        assert session.tls == "TLSv1.3"
    async with RemoteMx(tls=misnamed) as mx:
        outcome = await open_session(target(mx, TlsPolicy.VERIFY), chosen)
    assert outcome == Outcome(Stage.STARTTLS, TLS_FAILED, About.HOST)
    async with RemoteMx(tls=certified) as mx:
        outcome = await open_session(target(mx, TlsPolicy.VERIFY), settings())
    assert outcome == Outcome(Stage.STARTTLS, TLS_FAILED, About.HOST)


async def test_a_big_message_goes_through_tls(certified: ssl.SSLContext) -> None:
    async with RemoteMx(Script(extensions=()), tls=certified) as mx, session_to(mx) as session:
        (outcome,) = await session.send(letter(content=BIG), always)
    assert isinstance(outcome, Outcome)
    assert outcome.reply.is_success
    assert mx.taken[0].content == BIG


async def test_a_host_name_that_tls_cannot_take_is_sent_to_in_clear(certified: ssl.SSLContext) -> None:
    async with RemoteMx(tls=certified) as mx:
        opened = await open_session(replace(target(mx), host="." + "x" * 70), settings())
        assert isinstance(opened, SmtpSession)
        assert opened.tls is None
        await opened.quit()
