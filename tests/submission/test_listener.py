"""Listeners: limits on connections, TLS handshakes, an orderly stop, settings that change."""

from __future__ import annotations

import asyncio
import dataclasses
import socket
import ssl
from pathlib import Path

import pytest
import trustme

from directmail_relay.submission.connection_counts import ConnectionCounts
from directmail_relay.submission.door import Parts
from directmail_relay.submission.listener import Listener, stop_listeners
from directmail_relay.submission.registry import Registry
from directmail_relay.submission.settings import AuthWithoutTls, SessionSettings, Timeouts, TlsMode
from directmail_relay.submission.tls import make_tls_context
from tests.fakes.smtp_front import PATIENCE, Client, Front, Passwords, Rules, Store, Tally, running_front, until

SETTINGS = SessionSettings("relay.test")
TOO_MANY = b"421 Too many connections, try again later\r\n"
STOPPING = b"421 Service shutting down, closing connection\r\n"


async def test_an_address_has_two_hundred_connections_and_no_more() -> None:
    async with running_front(SETTINGS, Registry(max_per_ip=200)) as front:
        clients = [await front.connect() for _ in range(200)]
        for client in clients:
            await client.expect("220")
        late = await front.connect()
        assert await late.rest() == TOO_MANY
        assert ("refused", "too_many_connections") in front.tally.events
        await clients[0].ask("QUIT")
        await clients[0].close()
        await until(lambda: front.registry.connected < 200)
        again = await front.connect()
        await again.expect("220")
        for client in [*clients, late, again]:
            await client.close()


async def test_the_whole_has_a_limit_too() -> None:
    async with running_front(SETTINGS, Registry(max_connections=1)) as front:
        first = await front.connect()
        await first.expect("220")
        second = await front.connect()
        assert await second.rest() == TOO_MANY
        await first.close()
        await second.close()


async def test_nothing_is_left_of_addresses_that_have_gone() -> None:
    counts = ConnectionCounts()
    async with running_front(SETTINGS, Registry(counts=counts)) as front:
        client = await front.connect()
        await client.expect("220")
        await client.close()
        await until(lambda: front.registry.connected == 0)
        assert (counts.total, counts.of("127.0.0.1")) == (0, 0)


async def test_stopping_sends_idle_sessions_away_and_lets_transactions_finish() -> None:
    async with running_front(SETTINGS) as front:
        idle, busy = await front.ready(), await front.ready()
        half = await front.connect()
        await half.expect("220")
        await half.send(b"NOO")
        await busy.ask("MAIL FROM:<test@test.com>")
        stopping = asyncio.ensure_future(stop_listeners([front.listener], front.registry, PATIENCE))
        assert await idle.rest() == STOPPING
        assert await half.rest() == STOPPING
        assert not stopping.done()
        await busy.ask("RCPT TO:<to@example.com>")
        await busy.ask("DATA")
        await busy.send(b"subject: x\r\n\r\n.\r\nNOOP\r\n")
        assert (await busy.reply()).startswith(b"250 Data Ok")
        assert await busy.rest() == STOPPING
        for client in (idle, half, busy):
            await client.close()
        await asyncio.wait_for(stopping, PATIENCE)
        assert len(front.store.taken) == 1


async def test_a_message_that_is_being_stored_gets_its_reply_although_the_server_stops() -> None:
    async with running_front(SETTINGS) as front:
        client = await front.ready()
        front.store.gate.clear()
        await client.send(b"MAIL FROM:<test@test.com>\r\nRCPT TO:<to@example.com>\r\nDATA\r\n.\r\n")
        await asyncio.wait_for(front.store.entered.wait(), PATIENCE)
        stopping = asyncio.ensure_future(stop_listeners([front.listener], front.registry, PATIENCE))
        await asyncio.sleep(0)
        front.store.gate.set()
        assert (await client.rest()).endswith(b"250 Data Ok: queued as freedom ###envid=148316944\r\n" + STOPPING)
        await client.close()
        await asyncio.wait_for(stopping, PATIENCE)


async def test_a_stopped_listener_takes_nobody() -> None:
    async with running_front(SETTINGS) as front:
        await stop_listeners([front.listener], front.registry, PATIENCE)
        with pytest.raises(OSError, match=r"refused|Connect"):
            await front.connect()


async def test_what_does_not_finish_in_time_is_cut_but_what_is_stored_is_stored() -> None:
    async with running_front(SETTINGS) as front:
        stuck, storing = await front.ready(), await front.ready()
        await stuck.ask("MAIL FROM:<test@test.com>")
        front.store.gate.clear()
        await storing.send(b"MAIL FROM:<test@test.com>\r\nRCPT TO:<to@example.com>\r\nDATA\r\n.\r\n")
        await asyncio.wait_for(front.store.entered.wait(), PATIENCE)
        await asyncio.wait_for(stop_listeners([front.listener], front.registry, 0.05), PATIENCE)
        assert await stuck.rest() == b""
        assert (await storing.rest()).endswith(b"354 End data with <CR><LF>.<CR><LF>\r\n")
        assert front.store.taken == []
        front.store.gate.set()
        await until(lambda: len(front.store.taken) == 1)
        await stuck.close()
        await storing.close()


async def test_new_settings_are_for_new_connections() -> None:
    async with running_front(SETTINGS) as front:
        old = await front.connect()
        await old.expect("220 relay.test")
        front.listener.settings = dataclasses.replace(SETTINGS, hostname="other.test")
        new = await front.connect()
        await new.expect("220 other.test")
        assert await old.ask("HELO a") == b"250 relay.test\r\n"
        await old.close()
        await new.close()


async def test_an_ipv4_client_of_an_ipv6_socket_is_itself() -> None:
    with socket.socket(socket.AF_INET6) as sock:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind(("::ffff:127.0.0.1", 0))
        passwords, registry = Passwords(), Registry()
        listener = Listener(sock, SETTINGS, Parts(passwords, Rules(), Store(), Tally()), registry)
        await listener.start()
        front = Front(listener, registry, sock.getsockname()[1], passwords, Rules(), Store(), Tally())
        client = await front.ready()
        assert passwords.asked == [("test@test.com", "127.0.0.1")]
        await client.close()
        await stop_listeners([listener], registry, PATIENCE)


@pytest.mark.parametrize("mode", [TlsMode.STARTTLS, TlsMode.IMPLICIT])
@pytest.mark.parametrize("octets", [b"EHLO test.com\r\n", b"\x16\x03\x01\x00\x05hello", b"\x00" * 5000])
async def test_a_handshake_that_is_none_ends_the_connection_alone(
    mode: TlsMode, octets: bytes, server_tls: ssl.SSLContext
) -> None:
    async with running_front(SessionSettings("relay.test", tls_mode=mode, tls_context=server_tls)) as front:
        client = await front.connect()
        if mode is TlsMode.STARTTLS:
            await client.expect("220")
            assert await client.ask("STARTTLS") == b"220 Ready to start TLS\r\n"
        await client.send(octets)
        assert b"250" not in await read_all(client)
        await client.close()


async def read_all(client: Client) -> bytes:
    try:
        return await client.rest()
    except ConnectionResetError:
        return b""


@pytest.mark.parametrize("mode", [TlsMode.STARTTLS, TlsMode.IMPLICIT])
async def test_a_handshake_has_its_time(mode: TlsMode, server_tls: ssl.SSLContext) -> None:
    timeouts = Timeouts(handshake=0.05)
    settings = SessionSettings("relay.test", tls_mode=mode, tls_context=server_tls, timeouts=timeouts)
    async with running_front(settings) as front:
        client = await front.connect()
        if mode is TlsMode.STARTTLS:
            await client.expect("220")
            await client.ask("STARTTLS")
        assert await read_all(client) == b""
        await client.close()


@pytest.mark.parametrize("mode", [TlsMode.STARTTLS, TlsMode.IMPLICIT])
async def test_a_client_that_leaves_during_the_handshake_is_forgotten(
    mode: TlsMode, server_tls: ssl.SSLContext
) -> None:
    async with running_front(SessionSettings("relay.test", tls_mode=mode, tls_context=server_tls)) as front:
        client = await front.connect()
        if mode is TlsMode.STARTTLS:
            await client.expect("220")
            await client.ask("STARTTLS")
        client.writer.transport.abort()
        await until(lambda: front.registry.connected == 0)


async def test_a_large_message_passes_through_tls(server_tls: ssl.SSLContext, client_tls: ssl.SSLContext) -> None:
    settings = SessionSettings(
        "relay.test", tls_mode=TlsMode.IMPLICIT, tls_context=server_tls, auth_without_tls=AuthWithoutTls.NEVER
    )
    async with running_front(settings) as front:
        client = await front.connect(client_tls)
        await client.expect("220")
        await client.ask("EHLO test.com")
        await client.ask("AUTH PLAIN AHRlc3RAdGVzdC5jb20AdGVzdA==")
        content = b"subject: x\r\n\r\n" + b"0123456789abcde\r\n" * 200_000
        assert (await client.send_message(content + b".\r\n")).startswith(b"250 Data Ok")
        (taken,) = front.store.taken
        assert taken.content == content
        assert taken.protocol == "ESMTPSA"
        assert await client.ask("QUIT") == b"221 Bye\r\n"
        assert await client.rest() == b""
        await client.close()


def test_a_key_that_does_not_fit_is_an_error(authority: trustme.CA, tmp_path: Path) -> None:
    one, other = authority.issue_cert("a.test"), authority.issue_cert("b.test")
    (tmp_path / "cert.pem").write_bytes(one.cert_chain_pems[0].bytes())
    other.private_key_pem.write_to_path(tmp_path / "key.pem")
    with pytest.raises(ssl.SSLError):
        make_tls_context(tmp_path / "cert.pem", tmp_path / "key.pem")


def test_settings_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="certificate"):
        SessionSettings("relay.test", tls_mode=TlsMode.STARTTLS)
    with pytest.raises(ValueError, match="556 or 452"):
        SessionSettings("relay.test", rcpt_overflow=550)


@pytest.mark.parametrize(
    ("policy", "client_ip", "tls", "allowed"),
    [
        (AuthWithoutTls.NEVER, "127.0.0.1", False, False),
        (AuthWithoutTls.NEVER, "192.0.2.1", True, True),
        (AuthWithoutTls.LOOPBACK, "127.9.9.9", False, True),
        (AuthWithoutTls.LOOPBACK, "::1", False, True),
        (AuthWithoutTls.LOOPBACK, "192.0.2.1", False, False),
        (AuthWithoutTls.ALWAYS, "192.0.2.1", False, True),
    ],
)
def test_where_a_password_may_cross(policy: AuthWithoutTls, client_ip: str, *, tls: bool, allowed: bool) -> None:
    settings = SessionSettings("relay.test", auth_without_tls=policy)
    assert settings.may_auth(tls=tls, client_ip=client_ip) is allowed
    offered = [line for line in settings.capabilities(tls=tls, client_ip=client_ip) if "AUTH" in line]
    assert offered == (["AUTH=PLAIN LOGIN", "AUTH PLAIN LOGIN"] if allowed else [])
