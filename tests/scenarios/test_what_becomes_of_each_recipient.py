"""Each way in which a recipient can end: by what DNS says, and by what its host says."""

from __future__ import annotations

from typing import Any

from tests.fakes.relay_process import RelayProcess, make_config, route_to
from tests.fakes.remote_mx import RemoteMx, Script
from tests.fakes.zone import Fault, Zone
from tests.scenarios.conftest import StartRelay

RECORDS = """
dead.test. 60 A 127.0.0.9
mx.test. 60 A 127.0.0.1
down.test. 60 MX 10 dead.test.
down.test. 60 MX 20 mx.test.
implicit.test. 60 A 127.0.0.1
empty.test. 60 TXT "no mail here"
null.test. 60 MX 0 .
broken.test. 60 MX 10 mx.test.
"""


async def outcome(relay: RelayProcess, event: str, rcpt: str) -> dict[str, Any]:
    return (await relay.log(event, rcpt=rcpt))[0]


async def test_each_answer_of_dns_has_its_own_outcome(start_relay: StartRelay) -> None:
    async with Zone(RECORDS) as zone, RemoteMx() as mx:
        zone.fail("broken.test", "MX", Fault.SERVFAIL)
        dns = {"servers": [zone.server], "timeout": "1s"}
        delivery = {"port": mx.port, "dns": dns, "retry": {"schedule": ["300ms"], "lifetime": "1h"}}
        relay = await start_relay(make_config(delivery=delivery))
        names = ("down", "implicit", "gone", "empty", "null", "broken")
        await relay.send(*(f"a@{name}.test" for name in names))

        down = await outcome(relay, "delivered", "a@down.test")
        implicit = await outcome(relay, "delivered", "a@implicit.test")
        gone = await outcome(relay, "failed", "a@gone.test")
        empty = await outcome(relay, "failed", "a@empty.test")
        null = await outcome(relay, "failed", "a@null.test")
        broken = await outcome(relay, "deferred", "a@broken.test")
        zone.fail("broken.test", "MX", None)
        mended = await outcome(relay, "delivered", "a@broken.test")

    assert (down["mx_host"], implicit["mx_host"]) == ("mx.test", "implicit.test")
    assert (gone["reply"], gone["status"]) == ("524 Host not found by dns resolve", 4)
    assert (empty["reply"], empty["status"]) == ("526 No data by dns resolve", 4)
    assert (null["stage"], null["status"]) == ("RESOLVE", 4)
    assert (broken["reply"], broken["stage"]) == ("423 Dns resolve error", "RESOLVE")
    assert mended["attempts"] >= 2


async def test_each_answer_of_a_host_has_its_own_status(start_relay: StartRelay) -> None:
    replies = {
        "unknown@rcpt.test": "550 5.1.1 The email account that you tried to reach does not exist",
        "full@rcpt.test": "552 5.2.2 Mailbox full",
    }
    spam = Script({"END": "554 5.7.1 Message rejected as spam"})
    async with RemoteMx(Script(rcpt=dict(replies))) as mx, RemoteMx(spam) as strict:
        routes = [{"domain": "strict.test", "host": "127.0.0.1", "port": strict.port, "tls": "none"}]
        delivery = {"routes": routes + route_to(mx.port)["routes"]}
        relay = await start_relay(make_config(delivery=delivery))
        env_id = await relay.send("unknown@rcpt.test", "full@rcpt.test", "ok@rcpt.test", "a@strict.test")
        unknown = await outcome(relay, "failed", "unknown@rcpt.test")
        spam_line = await outcome(relay, "failed", "a@strict.test")
        await outcome(relay, "delivered", "ok@rcpt.test")
        shown = await relay.queue("show", env_id)

    assert (unknown["status"], unknown["category"], unknown["stage"]) == (2, "recipient_not_found", "RCPT")
    assert (spam_line["status"], spam_line["category"], spam_line["stage"]) == (3, "spam", "DATA")
    statuses = {one["rcpt"]: (one["state"], one["status"]) for one in shown["recipients"]}
    assert statuses["ok@rcpt.test"] == ("delivered", 0)
    assert statuses["unknown@rcpt.test"] == ("failed", 2)
    assert statuses["a@strict.test"] == ("failed", 3)
    (attempt,) = shown["recipients"][0]["attempts"]
    assert (attempt["code"], attempt["enhanced"]) == (550, "5.1.1")


async def test_a_private_mx_gets_nothing_unless_it_is_allowed(start_relay: StartRelay) -> None:
    async with Zone("rcpt.test. 60 MX 10 mx.rcpt.test.\nmx.rcpt.test. 60 A 127.0.0.1") as zone, RemoteMx() as mx:
        delivery = {"port": mx.port, "dns": {"servers": [zone.server]}, "allow_private_mx": False}
        relay = await start_relay(make_config(delivery=delivery))
        env_id = await relay.send("a@rcpt.test")
        line = (await relay.log("deferred", env_id=env_id))[0]
        assert mx.peers == []
    assert (line["reply"], line["stage"]) == ("427 Socks Connect to UNREACHABLE host", "RESOLVE")
