"""Connections are counted over all workers of a node, by address and in all."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from directmail_relay.submission.node import NodeMemory, make_node_memory
from directmail_relay.submission.registry import Registry


@pytest.fixture
def memory() -> Iterator[NodeMemory]:
    made = make_node_memory(workers=2)
    yield made
    made.close()


class Client:
    task: asyncio.Task[None] | None = None

    def stop(self) -> None:
        raise AssertionError("nobody stops here")


def test_what_one_worker_counts_the_other_sees(memory: NodeMemory) -> None:
    first, second = memory.connection_counts(0), memory.connection_counts(1)
    first.enter("192.0.2.1")
    second.enter("192.0.2.1")
    second.enter("192.0.2.2")
    assert (first.of("192.0.2.1"), first.of("192.0.2.2"), first.total) == (2, 1, 3)
    first.leave("192.0.2.1")
    assert (second.of("192.0.2.1"), second.total) == (1, 2)


def test_the_limit_of_an_address_is_that_of_the_node(memory: NodeMemory) -> None:
    first = Registry(max_per_ip=3, counts=memory.connection_counts(0))
    second = Registry(max_per_ip=3, counts=memory.connection_counts(1))
    here, there = Client(), Client()
    assert first.admit(here, "192.0.2.1")
    assert first.admit(Client(), "192.0.2.1")
    assert second.admit(there, "192.0.2.1")
    assert not second.admit(Client(), "192.0.2.1")
    assert second.admit(Client(), "192.0.2.9")
    first.release(here, "192.0.2.1")
    assert second.admit(Client(), "192.0.2.1")


def test_what_a_dead_worker_had_open_is_forgotten(memory: NodeMemory) -> None:
    first, second = memory.connection_counts(0), memory.connection_counts(1)
    first.enter("192.0.2.1")
    second.enter("192.0.2.1")
    memory.forget_worker(0)
    assert (second.of("192.0.2.1"), second.total) == (1, 1)


def test_what_one_worker_verified_the_other_knows(memory: NodeMemory) -> None:
    first, second = memory.verified_logins(), memory.verified_logins()
    proof = first.prove("a@example.com", b"secret", "hash")
    assert proof not in second
    first.add(proof)
    assert second.prove("a@example.com", b"secret", "hash") in second
    assert second.prove("a@example.com", b"secret", "another hash") not in second
