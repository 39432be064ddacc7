"""Group commit: what gathers, what fails, and who waits for whom."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest
from sqlalchemy import Connection, select
from sqlalchemy.exc import IntegrityError, OperationalError

from directmail_relay.database.engine import Database
from directmail_relay.database.group_commit import GroupCommit
from directmail_relay.database.schema import leases


class Store:
    """Stores a lease per duty; remembers the groups; can be made to wait while the first group is under way."""

    def __init__(self) -> None:
        self.groups: list[list[str]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()

    def __call__(self, connection: Connection, duties: Sequence[str]) -> list[str]:
        self.groups.append(list(duties))
        self.entered.set()
        assert self.gate.wait(10)
        connection.execute(leases.insert(), [{"duty": duty, "owner": 1, "epoch": 1} for duty in duties])
        return [f"stored {duty}" for duty in duties]


def stored(database: Database) -> set[str]:
    return set(database.read_now(lambda connection: connection.execute(select(leases.c.duty)).scalars().all()))


async def until(event: threading.Event) -> None:
    assert await asyncio.to_thread(event.wait, 10)


async def occupy_lanes(commit: GroupCommit[str, str], store: Store, lanes: int) -> list[asyncio.Task[str]]:
    """Every lane has a group of one under way, and waits at the gate."""
    store.gate.clear()
    tasks = []
    for lane in range(lanes):
        store.entered.clear()
        tasks.append(asyncio.create_task(commit.submit(f"lane {lane}")))
        await until(store.entered)
    return tasks


async def test_what_comes_while_a_commit_is_under_way_is_one_group(database: Database) -> None:
    store = Store()
    commit = GroupCommit(database, store)
    first = await occupy_lanes(commit, store, database.write_lanes)
    rest = [asyncio.create_task(commit.submit(str(n))) for n in range(20)]
    await asyncio.sleep(0)
    store.gate.set()
    assert await asyncio.gather(*rest) == [f"stored {n}" for n in range(20)]
    assert await asyncio.gather(*first)
    assert store.groups[database.write_lanes :] == [[str(n) for n in range(20)]]
    assert len(stored(database)) == 20 + database.write_lanes


async def test_a_group_ends_at_its_most_items(database: Database) -> None:
    store = Store()
    commit = GroupCommit(database, store, max_items=8)
    await asyncio.gather(*(commit.submit(str(n)) for n in range(20)))
    assert sorted(len(group) for group in store.groups) == [4, 8, 8]  # PostgreSQL takes several at a time


async def test_a_group_ends_at_its_most_bytes_but_takes_one_item_of_any_size(database: Database) -> None:
    store = Store()
    commit = GroupCommit(database, store, max_bytes=10, size_of=len)
    items = ["aaaa", "bbbb", "cccc", "d" * 50, "e"]
    await asyncio.gather(*(commit.submit(item) for item in items))
    assert sorted(store.groups) == sorted([["aaaa", "bbbb"], ["cccc"], ["d" * 50], ["e"]])


async def test_a_bad_item_fails_alone_and_its_neighbours_are_stored(database: Database) -> None:
    store = Store()
    commit = GroupCommit(database, store)
    await commit.submit("twice")
    results = await asyncio.gather(*(commit.submit(n) for n in ("a", "twice", "b")), return_exceptions=True)
    assert results[0] == "stored a"
    assert isinstance(results[1], IntegrityError)
    assert results[2] == "stored b"
    assert stored(database) == {"twice", "a", "b"}


async def test_an_error_of_our_own_is_the_items_answer_too(database: Database) -> None:
    def refuse(_connection: Connection, items: Sequence[str]) -> list[str]:
        if "bad" in items:
            raise ValueError("bad item")
        return list(items)

    commit = GroupCommit(database, refuse)
    results = await asyncio.gather(*(commit.submit(n) for n in ("a", "bad", "b")), return_exceptions=True)
    assert results[0] == "a"
    assert isinstance(results[1], ValueError)
    assert results[2] == "b"


async def test_who_stops_waiting_does_not_stop_the_write(database: Database) -> None:
    store = Store()
    commit = GroupCommit(database, store)
    waiters = await occupy_lanes(commit, store, 1)
    waiters[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiters[0]
    store.gate.set()
    await commit.drain()
    assert stored(database) == {"lane 0"}


async def test_drain_waits_for_what_is_still_gathering(database: Database) -> None:
    store = Store()
    commit = GroupCommit(database, store)
    tasks = await occupy_lanes(commit, store, database.write_lanes)
    tasks += [asyncio.create_task(commit.submit(str(n))) for n in range(3)]
    await asyncio.sleep(0)
    store.gate.set()
    await commit.drain()
    assert len(stored(database)) == len(tasks)
    await asyncio.gather(*tasks)


async def test_trouble_with_the_database_fails_the_group_at_once(database: Database) -> None:
    tries = 0

    def lose(_connection: Connection, _items: Sequence[str]) -> list[str]:
        nonlocal tries
        tries += 1
        raise OperationalError("INSERT", {}, ConnectionError("the server has gone"))

    commit = GroupCommit(database, lose)
    results = await asyncio.gather(*(commit.submit(str(n)) for n in range(50)), return_exceptions=True)
    assert all(isinstance(result, OperationalError) for result in results)
    assert tries == 1


async def test_it_goes_on_after_trouble(database: Database) -> None:
    store = Store()
    commit = GroupCommit(database, store)
    await commit.submit("a")
    with pytest.raises(IntegrityError):
        await commit.submit("a")
    assert await commit.submit("b") == "stored b"


async def test_who_submits_just_as_the_last_lane_ends_is_not_forgotten(sqlite_url: str) -> None:
    """A lane that is done but whose callback has not run yet must not count as one that will look again."""
    database = Database(sqlite_url)
    commit = GroupCommit(database, Store())
    loop = asyncio.get_running_loop()
    submitted: asyncio.Future[asyncio.Task[str]] = loop.create_future()

    def submit_late(_lane: object) -> None:
        submitted.set_result(loop.create_task(commit.submit("late")))

    first = asyncio.create_task(commit.submit("first"))
    await asyncio.sleep(0)
    (lane,) = commit._lanes
    # Ours runs before the lane's own callback takes it out of the set, as a session that is ready just then would.
    lane.remove_done_callback(commit._lanes.discard)
    lane.add_done_callback(submit_late)
    lane.add_done_callback(lambda done: loop.call_soon(loop.call_soon, commit._lanes.discard, done))
    await first
    async with asyncio.timeout(5):
        assert await (await submitted) == "stored late"
    database.close()
