"""验证回信地址 from end to end: a command queues the mail, a running relay delivers it, its link is confirmed."""

from __future__ import annotations

import asyncio
import email
import email.policy
import re
import time
from email.message import EmailMessage
from pathlib import Path

import httpx
from sqlalchemy import Connection, select

from directmail_relay.accounts.changes import Change
from directmail_relay.cli.reply_to import send_verification
from directmail_relay.config import load_config
from directmail_relay.database.accounts_schema import accounts, addresses
from directmail_relay.database.engine import Database
from tests.fakes.relay_process import PATIENCE, RelayProcess, make_config, route_to
from tests.fakes.remote_mx import RemoteMx

ADDRESS = "notice@shop.test.com"


def register(connection: Connection) -> None:
    connection.execute(
        accounts.insert().values(name="office", status="normal", ip_protection=False, declared=False, created_at=0)
    )
    connection.execute(
        addresses.insert().values(
            address=ADDRESS,
            account="office",
            domain="shop.test.com",
            kind="trigger",
            frozen=False,
            reply_to="anna@example.net",
            reply_to_verified=False,
            declared=False,
            created_at=0,
        )
    )


def is_verified(connection: Connection) -> bool:
    wanted = select(addresses.c.reply_to_verified).where(addresses.c.address == ADDRESS)
    return bool(connection.execute(wanted).scalar_one())


def find_link(content: bytes) -> str:
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    text = message.get_body(("plain",))
    assert text is not None
    links: set[str] = set(re.findall(r"http://\S+", text.get_content()))
    assert len(links) == 1  # in Chinese and in English the same
    return links.pop()


async def test_the_owner_of_the_mailbox_confirms_by_the_link_in_the_mail(tmp_path: Path) -> None:
    async with RemoteMx() as mx, RelayProcess(tmp_path, make_config(delivery=route_to(mx.port))) as relay:
        database = Database(f"sqlite:///{tmp_path / 'relay.db'}")
        await asyncio.to_thread(database.write_now, register)
        change = Change("cli:root", time.time())
        await asyncio.to_thread(send_verification, database, load_config(relay.file), change, ADDRESS)
        await relay.until(lambda: mx.taken, "the mail has arrived", PATIENCE)
        (taken,) = mx.taken
        assert taken.mail.upper().startswith(b"MAIL FROM:<>")
        async with httpx.AsyncClient(trust_env=False) as browser:
            page = await browser.get(find_link(taken.content))
            assert page.status_code == 200, page.text
            assert not database.read_now(is_verified)
            fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page.text))
            action = page.url.join("verify").copy_with(query=None)
            done = await browser.post(action, data=fields)
            assert done.status_code == 200
            assert database.read_now(is_verified)
            assert (await browser.post(action, data=fields)).status_code == 404
        (line,) = await relay.log("reply_address_verified")
        assert line["address"] == ADDRESS
        assert fields["ticket"] not in relay.output
        database.close()
