"""What is registered, frozen and deleted by command while the relay runs, and what its file declares beside it."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import typer

from directmail_relay.cli.account import account_app
from directmail_relay.cli.address import address_app
from directmail_relay.cli.ip import ip_app
from directmail_relay.database.clock import to_ms
from directmail_relay.database.engine import Database
from tests.accounts.registering import GRACE, set_domain
from tests.cli.registering import Commands, verify
from tests.fakes.relay_process import ACCOUNT, RelayProcess, env_id_of, make_config, submit
from tests.fakes.smtp_front import Client

GOOD, OTHER = "SmtpPass12", "SmtpPass34"
ADDRESS = "news@example.com"
BOTH = "is declared in the configuration and registered in the database"
PROMISED_SECONDS = 10.0  # interface.md: "a running relay notices within 10 s"


class Registered:
    """A running relay and the commands on its database; the account `mine` with the address news@example.com."""

    def __init__(self, relay: RelayProcess) -> None:
        self.relay = relay
        self.commands = Commands.beside(relay.file)

    def database(self) -> Database:
        return Database(f"sqlite:///{self.relay.folder / 'relay.db'}")

    def do(self, app: typer.Typer, *words: str, stdin: str | None = None) -> str:
        return self.commands.said(app, *words, stdin=stdin)

    def register(self) -> None:
        self.do(account_app, "add", "mine")
        database = self.database()
        verify(database, "example.com", account="mine")
        database.close()
        self.do(address_app, "add", ADDRESS, "--type", "batch", "--password-stdin", stdin=GOOD)

    def break_domain(self) -> None:
        database = self.database()
        set_domain(database, "example.com", broken_since=to_ms(time.time() - GRACE + 3))
        database.close()
        self.do(account_app, "set", "mine", "--daily-quota", "1000")  # as a check of the DNS, it raises the version


with_one_and_two_workers = pytest.mark.parametrize("registered", [1, 2], ids=["alone", "two workers"], indirect=True)


@pytest.fixture
async def registered(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Registered]:
    # The session asks until the answer changes: its refused commands are no attack.
    smtp = {"max_errors": 1000}
    config = make_config(workers=getattr(request, "param", 2), ip_protection={"allow_private": True}, smtp=smtp)
    async with RelayProcess(tmp_path, config) as relay:
        made = Registered(relay)
        made.register()
        yield made


async def mail_from(client: Client, address: str = ADDRESS) -> str:
    reply = await client.ask(f"MAIL FROM:<{address}>")
    if reply.startswith(b"250"):
        await client.ask("RSET")
    return reply.decode().rstrip()


async def comes(client: Client, reply: str, address: str = ADDRESS) -> None:
    """Within the promised time MAIL gets this reply, in a session that has been open since before."""
    deadline = time.monotonic() + PROMISED_SECONDS
    while (said := await mail_from(client, address)) != reply:
        assert time.monotonic() < deadline, f"still {said}"
        await asyncio.sleep(0.1)  # between two questions to a process that polls


@with_one_and_two_workers
async def test_an_address_logs_in_and_sends_the_moment_it_is_registered(registered: Registered) -> None:
    relay = registered.relay
    client = await relay.connect(ADDRESS, GOOD)
    content = f"From: {ADDRESS}\r\nTo: a@b.test\r\nSubject: Hello\r\n\r\nHello\r\n".encode()
    env_id = env_id_of(await submit(client, "a@b.test", mail_from=ADDRESS, content=content))
    shown = await relay.queue("show", env_id)
    assert shown["account"] == "mine"
    assert registered.commands.asked(account_app, "show", "mine")["daily"]["used"] == 1


async def test_a_new_password_is_right_the_moment_it_is_set(registered: Registered) -> None:
    await registered.relay.connect(ADDRESS, GOOD)
    registered.do(address_app, "password", ADDRESS, "--password-stdin", stdin=OTHER)
    await registered.relay.connect(ADDRESS, OTHER)


async def test_an_old_password_is_refused_within_seconds_and_ends_the_sessions_it_opened(
    registered: Registered,
) -> None:
    session = await registered.relay.connect(ADDRESS, GOOD)
    await comes(session, "250 Mail Ok")
    registered.do(address_app, "password", ADDRESS, "--password-stdin", stdin=OTHER)
    await comes(session, "551 Main account unavailable")
    # Each worker verified lately what it knew; it learns of the change within two seconds.
    async with asyncio.timeout(10):
        while True:
            stranger = await registered.relay.connect_unknown()
            if (await registered.relay.log_in(stranger, ADDRESS, GOOD)).startswith(b"535"):
                break


async def test_an_open_session_learns_that_its_address_was_frozen_unfrozen_and_deleted(registered: Registered) -> None:
    client = await registered.relay.connect(ADDRESS, GOOD)
    await comes(client, "250 Mail Ok")
    registered.do(address_app, "freeze", ADDRESS)
    await comes(client, "551 Main account unavailable")
    registered.do(address_app, "unfreeze", ADDRESS)
    await comes(client, "250 Mail Ok")
    registered.do(address_app, "delete", ADDRESS)
    await comes(client, "551 Main account unavailable")


async def test_an_open_session_learns_of_its_accounts_status_and_end(registered: Registered) -> None:
    client = await registered.relay.connect(ADDRESS, GOOD)
    registered.do(account_app, "set", "mine", "--status", "overdue")
    await comes(client, "551 Main account unavailable")
    registered.do(account_app, "set", "mine", "--status", "normal")
    await comes(client, "250 Mail Ok")
    registered.do(account_app, "delete", "mine")
    await comes(client, "551 Main account unavailable")


async def test_an_open_session_learns_of_ip_protection(registered: Registered) -> None:
    client = await registered.relay.connect(ADDRESS, GOOD)
    registered.do(ip_app, "add", "198.51.100.1", "--account", "mine")
    registered.do(ip_app, "on", "--account", "mine")
    await comes(client, "554 Client address 127.0.0.1 is not in the IP whitelist of this account")
    registered.do(ip_app, "add", "127.0.0.0/8", "--account", "mine")
    await comes(client, "250 Mail Ok")


async def test_a_domain_stops_sending_when_its_grace_is_over(registered: Registered) -> None:
    client = await registered.relay.connect(ADDRESS, GOOD)
    registered.break_domain()
    assert await mail_from(client) == "250 Mail Ok"
    await comes(client, "553 Sending domain example.com is not verified")


@with_one_and_two_workers
async def test_a_reload_follows_the_file_and_leaves_what_is_registered_alone(registered: Registered) -> None:
    relay = registered.relay
    theirs, mine = await relay.connect(), await relay.connect(ADDRESS, GOOD)
    relay.config["accounts"][0]["status"] = "frozen"
    relay.config["accounts"][0]["addresses"].append({"address": "more@test.com", "password": "more"})
    relay.write_config()
    relay.signal(signal.SIGHUP)
    await relay.log("config_taken_over", count=relay.config["workers"])
    assert await mail_from(theirs, "test@test.com") == "551 Main account unavailable"
    assert await mail_from(mine) == "250 Mail Ok"
    await relay.connect("more@test.com", "more")
    relay.config["accounts"] = []
    relay.write_config()
    relay.signal(signal.SIGHUP)
    await relay.log("config_taken_over", count=2 * relay.config["workers"])
    stranger = await relay.connect_unknown()
    assert (await relay.log_in(stranger, "test@test.com", "test")).startswith(b"535")
    assert await mail_from(mine) == "250 Mail Ok"


def clashing() -> list[dict[str, Any]]:
    return [ACCOUNT, {"name": "mine", "addresses": [{"address": "other@example.com", "password": "other"}]}]


@with_one_and_two_workers
async def test_a_reload_that_declares_what_is_registered_is_refused(registered: Registered) -> None:
    relay = registered.relay
    relay.config["accounts"] = clashing()
    relay.write_config()
    relay.signal(signal.SIGHUP)
    [line] = await relay.log("config_refused")
    advice = "take it out of the file, or delete the registered one (account delete mine)"
    assert line["problems"] == [f"accounts: the account mine {BOTH}: {advice}"]
    client = await relay.connect(ADDRESS, GOOD)
    assert await mail_from(client) == "250 Mail Ok"
    await relay.connect()


async def test_a_start_that_declares_what_is_registered_ends_with_a_sentence(registered: Registered) -> None:
    relay = registered.relay
    assert await relay.stop() == 0
    relay.config["accounts"] = clashing()
    relay.write_config()
    relay.launch()
    assert await relay.exit_code() == 1
    last = relay.output.splitlines()[-1]
    assert last.startswith(f"directmail-relay: the account mine {BOTH}: ")


async def test_commands_work_while_the_relay_does_not_run(registered: Registered) -> None:
    relay = registered.relay
    assert await relay.stop() == 0
    registered.do(address_app, "add", "late@example.com", "--type", "trigger", "--password-stdin", stdin=OTHER)
    registered.do(address_app, "freeze", ADDRESS)
    await relay.start()
    late = await relay.connect("late@example.com", OTHER)
    assert await mail_from(late, "late@example.com") == "250 Mail Ok"
    frozen = await relay.connect(ADDRESS, GOOD)
    assert await mail_from(frozen) == "551 Main account unavailable"
