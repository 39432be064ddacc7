"""The guide's 无效地址, end to end: a host says "no such user" once, and the account's next RCPT is 559."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from tests.fakes.mx_script import Script
from tests.fakes.relay_process import ACCOUNT, MESSAGE, STEP, RelayProcess, make_config, route_to, submit
from tests.fakes.remote_mx import RemoteMx

PROMISED = 10.0  # seconds within which a new entry acts in all workers
NO_SUCH_USER = Script(rcpt={"gone@rcpt.test": "550 5.1.1 no such user", "Gone@rcpt.test": "550 5.1.1 no such user"})
OTHER: dict[str, Any] = {
    "name": "other",
    "domains": [{"name": "other.test", "verified": True}],
    "addresses": [{"address": "me@other.test", "password": "test"}],
}


async def command(relay: RelayProcess, *words: str, account: str = "shop") -> Any:
    code, output = await relay.command(*words, "--account", account, "--json")
    assert code == 0, output
    return json.loads(output)


async def rcpt(relay: RelayProcess, address: str, login: str = "test@test.com") -> bytes:
    """The reply to RCPT, in a session of its own."""
    client = await relay.connect(login)
    await client.ask(f"MAIL FROM:<{login}>")
    reply = await client.ask(f"RCPT TO:<{address}>")
    await client.close()
    return reply


async def until_refused(relay: RelayProcess, address: str, times: int = 1) -> None:
    """So many times in a row, over as many connections, which meet all workers sooner or later."""
    in_a_row = 0
    async with asyncio.timeout(PROMISED):
        while in_a_row < times:
            reply = await rcpt(relay, address)
            in_a_row = in_a_row + 1 if reply == b"559 Invalid rcptto\r\n" else 0
            await asyncio.sleep(STEP)


async def until_tagged(relay: RelayProcess, content: bytes, tag: str) -> None:
    """A tag that was just registered counts within the promised time."""
    async with asyncio.timeout(PROMISED):
        found = None
        while found != tag:
            found = (await relay.queue("show", await relay.send("a@rcpt.test", content=content)))["tag"]


async def test_an_address_that_bounced_is_refused_at_rcpt_until_it_is_deleted(tmp_path: Path) -> None:
    async with RemoteMx(NO_SUCH_USER) as mx:
        config = make_config(delivery=route_to(mx.port), accounts=[ACCOUNT, OTHER], workers=2)
        async with RelayProcess(tmp_path, config) as relay:
            await relay.send("Gone@rcpt.test", "fine@rcpt.test")
            await relay.log("failed", status=2)
            await until_refused(relay, "gone@RCPT.test", times=12)
            (entry,) = await command(relay, "invalid", "list")
            assert entry["address"] == "gone@rcpt.test"
            assert entry["reply"].startswith("550 5.1.1")
            assert (await rcpt(relay, "fine@rcpt.test")).startswith(b"250")
            assert (await rcpt(relay, "gone@rcpt.test", "me@other.test")).startswith(b"250")
            assert await command(relay, "invalid", "list", account="other") == []
            assert relay.metrics()['directmail_refused_total{reason="invalid_rcpt"}'] >= 12
            await command(relay, "invalid", "delete", "gone@rcpt.test")
            assert (await rcpt(relay, "gone@rcpt.test")).startswith(b"250")


async def test_a_whole_list_of_refused_recipients_leaves_the_session_and_the_others_alone(tmp_path: Path) -> None:
    async with RemoteMx(Script()) as mx:
        config = make_config(delivery=route_to(mx.port))
        config["smtp"]["max_errors"] = 5
        async with RelayProcess(tmp_path, config) as relay:
            listed = tmp_path / "list.csv"
            listed.write_text("email\n" + "".join(f"n{n}@rcpt.test\n" for n in range(20)))
            assert (await command(relay, "suppress", "import", str(listed)))["added"] == 20
            await until_refused(relay, "n0@rcpt.test")
            client = await relay.connect()
            await client.ask("MAIL FROM:<test@test.com>")
            for n in range(20):
                assert (await client.ask(f"RCPT TO:<n{n}@rcpt.test>")).startswith(b"559")
            assert (await client.ask("RCPT TO:<fine@rcpt.test>")).startswith(b"250")
            await client.ask("RSET")
            assert (await submit(client, "fine@rcpt.test")).startswith(b"250 Data Ok")


async def test_a_registered_tag_goes_with_the_message_and_the_fields_for_us_go(tmp_path: Path) -> None:
    async with RemoteMx(Script()) as mx, RelayProcess(tmp_path, make_config(delivery=route_to(mx.port))) as relay:
        await command(relay, "tag", "add", "spring")
        known, unknown = (b"X-DM-Tag: " + tag + b"\r\n" + MESSAGE for tag in (b"spring", b"autumn"))
        await until_tagged(relay, known, "spring")
        assert (await relay.queue("show", await relay.send("a@rcpt.test", content=unknown)))["tag"] is None
        await relay.until(lambda: len(mx.taken) >= 2, "both arrived")
        assert all(b"X-DM-Tag" not in one.content for one in mx.taken)
