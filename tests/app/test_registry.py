"""The directory of a worker follows the database: by itself, and at once when a login asks."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from sqlalchemy import event

from directmail_relay.accounts.addresses import freeze_address, set_address_password
from directmail_relay.accounts.directory import Directory, DirectoryHolder
from directmail_relay.accounts.registered import no_keys
from directmail_relay.app import registry
from directmail_relay.app.registry import Registry
from directmail_relay.content.signing_keys import KeyKind, SigningKey, generate_private_key
from directmail_relay.database.clock import to_ms
from directmail_relay.database.engine import Database
from tests.accounts.registering import GRACE, add_shop, set_domain, write
from tests.conftest import START, Clock

LOGIN = "notice@example.com"


class Worker:
    """A registry with its directory, and how often it read what."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self.database = database
        self.holder = DirectoryHolder(Directory())
        self.registry = Registry(database, self.holder, no_keys, clock.time)
        self.registry.take_over({}, GRACE)
        self.versions = self.pictures = 0
        event.listen(database._reader, "before_cursor_execute", self._count)

    def _count(self, _connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        self.versions += "FROM registry_version" in statement
        self.pictures += "FROM allow_entries" in statement

    def password_hash(self) -> str | None:
        sender = self.holder.current.find_login(LOGIN)
        return None if sender is None else sender.password_hash

    def is_usable(self) -> bool:
        facts = self.holder.current.sender_facts(LOGIN)
        return facts is not None and facts.domain_usable


@pytest.fixture
def worker(database: Database, clock: Clock) -> Worker:
    add_shop(database)
    return Worker(database, clock)


async def test_a_look_reads_what_changed_and_nothing_when_nothing_did(worker: Worker) -> None:
    await worker.registry.load()
    assert worker.password_hash() == "$argon2id$one"
    assert worker.pictures == 1
    await worker.registry.look()
    assert worker.pictures == 1
    write(worker.database, set_address_password, LOGIN, "$argon2id$two")
    await worker.registry.look()
    assert (worker.password_hash(), worker.pictures) == ("$argon2id$two", 2)


async def test_those_who_ask_at_the_same_time_share_the_looks(worker: Worker) -> None:
    await worker.registry.load()
    worker.versions = 0
    await asyncio.gather(*(worker.registry.look_for_login() for _ in range(50)))
    assert worker.versions == 2  # the first one's; those who came meanwhile need one that begins after they came


async def test_who_asks_while_somebody_looks_sees_what_was_committed_before_it_asked(worker: Worker) -> None:
    await worker.registry.load()
    first = asyncio.create_task(worker.registry.look())
    await asyncio.sleep(0)
    write(worker.database, set_address_password, LOGIN, "$argon2id$two")
    await worker.registry.look()
    assert worker.password_hash() == "$argon2id$two"
    await first


async def test_serving_finds_changes_without_being_asked(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "POLL_SECONDS", 0.0)
    await worker.registry.load()
    serving = asyncio.create_task(worker.registry.serve())
    write(worker.database, freeze_address, LOGIN)
    async with asyncio.timeout(10):
        while True:
            facts = worker.holder.current.sender_facts(LOGIN)
            if facts is not None and facts.frozen:
                break
            await asyncio.sleep(0)
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving


async def test_a_domain_stops_when_its_grace_ends_though_nothing_was_changed(worker: Worker, clock: Clock) -> None:
    set_domain(worker.database, "example.com", broken_since=to_ms(START))
    await worker.registry.load()
    clock.advance(GRACE - 1)
    await worker.registry.look()
    assert worker.is_usable()
    clock.advance(1)
    await worker.registry.look()
    assert not worker.is_usable()
    pictures = worker.pictures
    await worker.registry.look()
    assert worker.pictures == pictures


async def test_a_new_configuration_counts_from_the_next_look_on(worker: Worker) -> None:
    await worker.registry.load()
    key = SigningKey("example.com", "s1", generate_private_key(KeyKind.ED25519))
    worker.registry.take_over({"example.com": (key,)}, GRACE)
    await worker.registry.look()
    assert worker.holder.current.dkim_keys("example.com", "shop") == (key,)


async def test_a_configuration_that_comes_while_everything_is_read_is_not_lost(worker: Worker) -> None:
    key = SigningKey("example.com", "s1", generate_private_key(KeyKind.ED25519))
    reading = asyncio.create_task(worker.registry.load())
    await asyncio.sleep(0)
    worker.registry.take_over({"example.com": (key,)}, GRACE)
    await reading
    await worker.registry.look()
    assert worker.holder.current.dkim_keys("example.com", "shop") == (key,)


async def test_a_login_does_not_wait_for_ever_and_the_look_goes_on(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "LOOK_SECONDS", 0.01)
    go = threading.Event()
    event.listen(worker.database._reader, "before_cursor_execute", lambda *_: go.wait(10))
    await worker.registry.look_for_login()
    assert worker.password_hash() is None
    go.set()
    await asyncio.gather(*worker.registry._tasks)
    assert worker.password_hash() == "$argon2id$one"
    assert not worker.registry._tasks


async def test_a_look_that_nobody_waits_for_any_more_ends_with_the_relay(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "LOOK_SECONDS", 0.01)
    await worker.registry._reading.acquire()  # as somebody whose database does not answer
    await worker.registry.look_for_login()
    [task] = worker.registry._tasks
    await worker.registry.close()
    assert task.cancelled()


async def test_a_database_in_trouble_leaves_what_was_known_and_stops_no_login(worker: Worker) -> None:
    await worker.registry.load()

    def fail(*_: Any) -> None:
        raise OSError("the disk is gone")

    event.listen(worker.database._reader, "before_cursor_execute", fail)
    await worker.registry.look_for_login()
    assert worker.password_hash() == "$argon2id$one"
    event.remove(worker.database._reader, "before_cursor_execute", fail)
    write(worker.database, set_address_password, LOGIN, "$argon2id$two")
    await worker.registry.look_for_login()
    assert worker.password_hash() == "$argon2id$two"
