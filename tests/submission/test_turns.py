from __future__ import annotations

import asyncio

import pytest

from directmail_relay.submission.turns import FairTurns, LineFullError


def make(places: int = 1, *, waiting: int = 100, per_client: int = 50) -> FairTurns:
    return FairTurns(places, max_waiting=waiting, max_waiting_per_client=per_client)


async def settle() -> None:
    """Lets everything run that can."""
    for _ in range(5):
        await asyncio.sleep(0)


async def be_served(turns: FairTurns, client: str, served: list[str]) -> None:
    await turns.wait(client)
    served.append(client)


async def line_up(turns: FairTurns, clients: str, served: list[str]) -> list[asyncio.Task[None]]:
    tasks = [asyncio.create_task(be_served(turns, client, served)) for client in clients]
    await settle()
    return tasks


async def drain(turns: FairTurns, served: list[str]) -> None:
    """Each that is served gives its place back, until nobody is served any more."""
    done = 0
    while done < len(served):
        done += 1
        turns.leave()
        await settle()


async def test_clients_are_served_in_rotation_however_many_one_of_them_sends() -> None:
    served: list[str] = []
    turns = make()
    tasks = await line_up(turns, "aaaaaabbc", served)
    await drain(turns, served)
    await asyncio.gather(*tasks)
    assert "".join(served) == "aabcabaaa"


async def test_no_more_are_in_at_once_than_there_are_places() -> None:
    served: list[str] = []
    turns = make(3)
    tasks = await line_up(turns, "abcdef", served)
    assert len(served) == 3
    turns.leave()
    await settle()
    assert len(served) == 4
    await drain(turns, served)
    await asyncio.gather(*tasks)


async def test_a_client_may_only_wait_so_often() -> None:
    served: list[str] = []
    turns = make(per_client=2)
    tasks = await line_up(turns, "aaaa", served)
    with pytest.raises(LineFullError):
        await tasks[3]
    await drain(turns, served)
    assert served == ["a", "a", "a"]


async def test_a_full_line_makes_room_for_a_newcomer_at_the_cost_of_whoever_has_most() -> None:
    served: list[str] = []
    turns = make(waiting=4)
    tasks = await line_up(turns, "xaaaab", served)
    with pytest.raises(LineFullError):
        await tasks[4]
    await drain(turns, served)
    assert "".join(served) == "xabaa"


async def test_a_full_line_of_equals_turns_the_newcomer_away() -> None:
    served: list[str] = []
    turns = make(waiting=2)
    tasks = await line_up(turns, "xabc", served)
    with pytest.raises(LineFullError):
        await tasks[3]
    await drain(turns, served)
    assert "".join(served) == "xab"


async def test_whoever_leaves_the_line_is_passed_over() -> None:
    served: list[str] = []
    turns = make()
    tasks = await line_up(turns, "xaabb", served)
    tasks[1].cancel()
    await settle()
    await drain(turns, served)
    assert "".join(served) == "xbab"


async def test_a_place_given_to_a_client_that_leaves_in_the_same_moment_goes_to_the_next() -> None:
    served: list[str] = []
    turns = make()
    tasks = await line_up(turns, "xab", served)
    turns.leave()  # gives the place to a …
    tasks[1].cancel()  # … who leaves before it wakes up
    await settle()
    assert served == ["x", "b"]
    turns.leave()
    await asyncio.wait_for(turns.wait("c"), 1)


async def test_a_client_that_is_turned_away_while_it_leaves_costs_no_place() -> None:
    served: list[str] = []
    turns = make(waiting=3)
    tasks = await line_up(turns, "xaaa", served)
    newcomer = asyncio.create_task(be_served(turns, "b", served))
    await asyncio.sleep(0)  # the newest `a` has been turned away and does not know yet
    tasks[3].cancel()
    await settle()
    assert served == ["x"]
    await drain(turns, served)
    await newcomer
    assert "".join(served) == "xaba"


async def test_when_all_have_left_every_place_is_free_again() -> None:
    served: list[str] = []
    turns = make(2)
    tasks = await line_up(turns, "aabbcc", served)
    for task in tasks[2:]:
        task.cancel()
    await settle()
    turns.leave()
    turns.leave()
    await asyncio.wait_for(asyncio.gather(turns.wait("d"), turns.wait("d")), 1)
