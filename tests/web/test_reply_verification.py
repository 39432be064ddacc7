"""The page behind the verification link, asked over HTTP: nothing but a click approves, and nothing is given away."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Connection, select

from directmail_relay.accounts.changes import Change, list_audit
from directmail_relay.accounts.reply_verification import begin_verification
from directmail_relay.content.verification_mail import PATH
from directmail_relay.database.accounts_schema import accounts, addresses
from directmail_relay.database.engine import Database
from directmail_relay.web.health import make_app
from directmail_relay.web.reply_verification import PER_MINUTE, ReplyVerification
from tests.conftest import Clock

ADDRESS = "o'neil&co@example.com"
Client = httpx.AsyncClient


def register(connection: Connection) -> None:
    connection.execute(
        accounts.insert().values(name="shop", status="normal", ip_protection=False, declared=False, created_at=0)
    )
    connection.execute(
        addresses.insert().values(
            address=ADDRESS,
            account="shop",
            domain="example.com",
            kind="trigger",
            frozen=False,
            reply_to="office@example.net",
            reply_to_verified=False,
            declared=False,
            created_at=0,
        )
    )


def is_verified(connection: Connection) -> bool:
    return bool(connection.execute(select(addresses.c.reply_to_verified)).scalar_one())


@pytest.fixture
def ticket(database: Database, clock: Clock) -> str:
    database.write_now(register)
    return database.write_now(begin_verification, Change("cli:root", clock.time()), ADDRESS).text


@pytest.fixture
def open_page(database: Database, clock: Clock) -> Callable[..., Client]:
    door = ReplyVerification(database, clock.time, clock.monotonic)
    app = make_app({}, [door.route])

    def connect(ip: str = "192.0.2.7") -> Client:
        return Client(transport=httpx.ASGITransport(app, client=(ip, 40_000)), base_url="http://relay.test")

    return connect


@pytest.fixture
async def client(open_page: Callable[..., Client]) -> AsyncIterator[Client]:
    async with open_page() as opened:
        yield opened


async def get(client: Client, ticket: str) -> httpx.Response:
    return await client.get(PATH, params={"ticket": ticket})


async def post(client: Client, ticket: str) -> httpx.Response:
    return await client.post(PATH, data={"ticket": ticket})


async def test_a_scanner_that_opens_every_link_approves_nothing(
    client: Client, database: Database, ticket: str
) -> None:
    for _ in range(3):
        page = await get(client, ticket)
        assert page.status_code == 200
    assert (await client.head(PATH, params={"ticket": ticket})).status_code == 200
    assert not database.read_now(is_verified)


async def test_the_form_of_the_page_approves(client: Client, database: Database, ticket: str) -> None:
    page = await get(client, ticket)
    (method, action) = re.findall(r'<form method="(\w+)" action="([^"]*)">', page.text)[0]
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.text))
    assert (method, fields) == ("post", {"ticket": ticket})
    done = await client.post(page.url.join(action).copy_with(query=None), data=fields)
    assert done.status_code == 200
    assert "验证成功" in done.text
    assert "Verified" in done.text
    assert database.read_now(is_verified)
    assert database.read_now(list_audit)[0]["who"] == "relay"


async def test_the_page_names_both_mailboxes_and_quotes_them(client: Client, ticket: str) -> None:
    page = await get(client, ticket)
    assert "o&#x27;neil&amp;co@example.com" in page.text
    assert "office@example.net" in page.text
    assert ADDRESS not in page.text
    assert "验证回信地址" in page.text
    assert "Verify a reply address" in page.text


async def test_the_link_works_once(client: Client, ticket: str) -> None:
    assert (await post(client, ticket)).status_code == 200
    for again in (await post(client, ticket), await get(client, ticket)):
        assert again.status_code == 404
        assert "链接无效" in again.text


async def test_unknown_used_and_old_tickets_get_the_very_same_page(
    client: Client, clock: Clock, database: Database, ticket: str
) -> None:
    clock.advance(600)
    old = [await get(client, ticket), await post(client, ticket)]
    unknown = [
        await get(client, "x" * 43),
        await post(client, "x" * 43),
        await client.get(PATH),
        await client.post(PATH),
    ]
    clock.advance(60)
    fresh = database.write_now(begin_verification, Change("cli:root", clock.time()), ADDRESS).text
    assert (await post(client, fresh)).status_code == 200
    used = [await get(client, fresh), await post(client, fresh)]
    answers = [*old, *unknown, *used]
    assert {one.status_code for one in answers} == {404}
    assert len({one.content for one in answers}) == 1
    assert len({tuple(sorted(one.headers.items())) for one in answers}) == 1
    assert "Have a new verification mail sent" in answers[0].text


async def test_every_page_is_strict_about_what_browsers_do(client: Client, ticket: str) -> None:
    for page in (await get(client, ticket), await get(client, "no"), await post(client, ticket)):
        headers = page.headers
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["content-type"] == "text/html; charset=utf-8"
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; form-action 'self';")
        assert "<script" not in page.text
        assert "style" not in page.text
        assert "http" not in page.text


@pytest.mark.parametrize(
    "body", [b"", b"ticket", b"\xff\xfe", b"ticket=" + b"x" * 100_000, b"a=1&b=2&c=3", b"ticket=%00", b"&" * 1000]
)
async def test_a_strange_form_is_a_ticket_that_is_not_valid(client: Client, ticket: str, body: bytes) -> None:
    assert (await client.post(PATH, content=body)).status_code == 404


async def test_other_methods_are_not_allowed(client: Client, ticket: str) -> None:
    assert (await client.put(PATH, params={"ticket": ticket})).status_code == 405


async def test_of_many_clicks_at_once_one_approves(open_page: Callable[..., Client], ticket: str) -> None:
    async with open_page() as client:
        answers = await asyncio.gather(*(post(client, ticket) for _ in range(8)))
    assert sorted(one.status_code for one in answers) == [200] + [404] * 7


async def test_a_client_that_guesses_is_slowed_down_alone(
    open_page: Callable[..., Client], clock: Clock, ticket: str
) -> None:
    async with open_page("2001:db8::1") as guesser, open_page("2001:db8::2") as neighbour, open_page() as other:
        for _ in range(PER_MINUTE):
            assert (await get(guesser, "guess")).status_code == 404
        refused = await post(guesser, ticket)
        assert refused.status_code == 429
        assert refused.headers["retry-after"] == "60"
        assert refused.headers["cache-control"] == "no-store"
        assert (await get(neighbour, ticket)).status_code == 429  # the same /64
        assert (await get(other, ticket)).status_code == 200
        clock.advance(60)
        assert (await get(guesser, ticket)).status_code == 200


async def test_a_database_in_trouble_is_a_page_too(tmp_path: Path, clock: Clock) -> None:
    broken = Database(f"sqlite:///{tmp_path / 'empty.db'}")  # no tables
    app = make_app({}, [ReplyVerification(broken, clock.time, clock.monotonic).route])
    async with Client(transport=httpx.ASGITransport(app), base_url="http://relay.test") as client:
        for answer in (await get(client, "x"), await post(client, "x")):
            assert answer.status_code == 503
            assert "Not just now" in answer.text
            assert "no such table" not in answer.text
    broken.close()


async def test_the_machines_pages_are_where_they_were(client: Client) -> None:
    assert (await client.get("/healthz")).text == "ok\n"
    assert (await client.get("/readyz")).json() == {"ready": True, "checks": {}}
