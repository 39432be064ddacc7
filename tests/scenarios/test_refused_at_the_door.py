"""What a whole relay refuses, with the guide's own replies. One relay for all of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.relay_process import RelayProcess, make_config, route_to, submit


def account(name: str, **settings: Any) -> dict[str, Any]:
    return {
        "name": name,
        "domains": [{"name": f"{name}.test", "verified": True}],
        "addresses": [{"address": f"a@{name}.test", "password": "secret"}],
        **settings,
    }


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RelayProcess]:
    config = make_config(delivery=route_to(1))
    config["accounts"] += [
        account("guarded", ip_protection={"enabled": True, "allow": ["192.0.2.0/24", "203.0.113.7"]}),
        account("open", ip_protection={"enabled": True, "allow": ["127.0.0.0-127.0.0.9"]}),
        account("frozen", status="frozen"),
        account("small", daily_quota=2),
        account("spent", total_quota=0),
    ]
    folder: Path = tmp_path_factory.mktemp("shared")
    process = RelayProcess(folder, config)
    asyncio.run(process.start())
    yield process
    process.kill()


@pytest.fixture
async def relay(shared: RelayProcess) -> AsyncIterator[RelayProcess]:
    yield shared
    for client in shared.clients:
        await client.close()
    shared.clients.clear()


def from_(address: str) -> bytes:
    return f"From: {address}\r\nSubject: x\r\n\r\nx\r\n".encode()


async def test_a_wrong_password_and_an_unknown_login_are_told_the_same(relay: RelayProcess) -> None:
    client = await relay.connect_unknown()
    wrong = await relay.log_in(client, "test@test.com", "wrong")
    unknown = await relay.log_in(client, "nobody@nowhere.test", "test")
    assert wrong == unknown == b"535 Authentication failure.\r\n"


async def test_ip_protection_tells_only_who_knows_the_password(relay: RelayProcess) -> None:
    client = await relay.connect_unknown()
    assert await relay.log_in(client, "a@guarded.test", "wrong") == b"535 Authentication failure.\r\n"
    reply = await relay.log_in(client, "a@guarded.test", "secret")
    assert reply == b"554 Client address 127.0.0.1 is not in the IP whitelist of this account\r\n"
    assert (await submit(client, "b@rcpt.test", mail_from="a@guarded.test")).startswith(b"530 ")


async def test_an_address_of_the_list_is_let_through(relay: RelayProcess) -> None:
    client = await relay.connect("a@open.test", "secret")
    reply = await submit(client, "b@rcpt.test", mail_from="a@open.test", content=from_("a@open.test"))
    assert reply.startswith(b"250 Data Ok: ")


async def test_a_frozen_account_is_unavailable_at_mail(relay: RelayProcess) -> None:
    client = await relay.connect("a@frozen.test", "secret")
    assert await client.ask("MAIL FROM:<a@frozen.test>") == b"551 Main account unavailable\r\n"


async def test_the_envelope_sender_must_be_the_login(relay: RelayProcess) -> None:
    client = await relay.connect()
    reply = await client.ask("MAIL FROM:<other@test.com>")
    assert reply == (
        b'553 "MAIL FROM" doesn\'t conform with authentication '
        b"(Auth Account:test@test.com|Mail Account:other@test.com)\r\n"
    )


async def test_the_header_from_must_be_the_envelope_sender(relay: RelayProcess) -> None:
    client = await relay.connect()
    reply = await submit(client, "b@rcpt.test", content=from_("boss@test.com"))
    assert reply == b"553 Header From doesn't conform with authentication\r\n"


async def test_the_31st_recipient_is_refused_and_the_message_goes_to_the_others(relay: RelayProcess) -> None:
    client = await relay.connect()
    assert await client.ask("MAIL FROM:<test@test.com>") == b"250 Mail Ok\r\n"
    replies = [await client.ask(f"RCPT TO:<user{number}@rcpt.test>") for number in range(31)]
    assert replies == [b"250 Rcpt Ok\r\n"] * 30 + [b"556 The number of RCPTs is over size\r\n"]
    await client.ask("DATA")
    await client.send(from_("test@test.com") + b".\r\n")
    env_id = (await client.expect("250")).decode().strip().rpartition("=")[2]
    (accepted,) = await relay.log("accepted", env_id=env_id)
    assert accepted["rcpts"] == 30


@pytest.mark.parametrize(
    ("login", "reply"),
    [
        ("a@small.test", b"552 Daily sending quota exceeded\r\n"),
        ("a@spent.test", b"552 Not enough sending quota\r\n"),
    ],
)
async def test_a_message_to_more_recipients_than_are_left_is_refused_whole(
    relay: RelayProcess, login: str, reply: bytes
) -> None:
    client = await relay.connect(login, "secret")
    three = [f"user{number}@rcpt.test" for number in range(3)]
    assert await submit(client, *three, mail_from=login, content=from_(login)) == reply


async def test_a_bare_line_feed_is_refused_and_nothing_is_smuggled_in(relay: RelayProcess) -> None:
    client = await relay.connect()
    content = from_("test@test.com") + b"\n.\nMAIL FROM:<test@test.com>\r\n"
    reply = await submit(client, "b@rcpt.test", content=content)
    assert reply.startswith(b"550 Bare CR, bare LF or NUL")
    assert await client.ask("NOOP") == b"250 Ok\r\n"
