"""A database that cuts every connection again and again, in the middle of whatever goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

import psycopg

from tests.fakes.relay_process import RelayProcess, make_config, route_to, submit
from tests.fakes.remote_mx import RemoteMx
from tests.scenarios.conftest import StartRelay
from tests.scenarios.test_killed_after_250_still_delivers import numbered, subjects

SENDERS = 8
CUTS = 12

CUT = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
OPEN = "SELECT count(*) FROM recipients WHERE state NOT IN ('delivered', 'failed')"


def has_more_than(found: set[str], number: int) -> bool:
    return len(found) > number


async def send_until(done: asyncio.Event, relay: RelayProcess, sender: int, acknowledged: set[str]) -> set[bytes]:
    """Numbered messages, none twice, whatever is answered. What the refusals said."""
    client, said, number = await relay.connect(), set[bytes](), sender * 10_000
    while not done.is_set():
        number += 1
        reply = await submit(client, "user@rcpt.test", content=numbered(number))
        if reply.startswith(b"250"):
            acknowledged.add(str(number))
        else:
            said.add(reply)
            await client.ask("RSET")
    return said


async def test_whatever_commit_loses_its_answer_all_acknowledged_mail_is_delivered_once_and_nothing_is_left_behind(
    start_relay: StartRelay, fresh_postgres: Callable[[], str]
) -> None:
    url, acknowledged, done = fresh_postgres(), set[str](), asyncio.Event()
    async with RemoteMx() as mx:
        relay = await start_relay(make_config(workers=2, database={"url": url}, delivery=route_to(mx.port)))
        senders = [asyncio.create_task(send_until(done, relay, number, acknowledged)) for number in range(SENDERS)]
        with psycopg.connect(url, autocommit=True) as admin:
            for _ in range(CUTS):
                enough = len(acknowledged) + 10
                await relay.until(partial(has_more_than, acknowledged, enough), "mail flows")
                admin.execute(CUT)
            done.set()
            said = set[bytes]().union(*await asyncio.gather(*senders))
            await relay.until(lambda: admin.execute(OPEN).fetchone() == (0,), "nothing is open any more", 20)
        assert await relay.stop() == 0
    assert said <= {b"451 Requested action aborted: local error in processing\r\n"}
    assert acknowledged <= set(subjects(mx))
    assert not [subject for subject, times in subjects(mx).items() if times > 1]
    assert not relay.logs("worker_died")
