"""Whole relays, each with a folder of its own, killed when their test ends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.relay_process import RelayProcess

StartRelay = Callable[[Mapping[str, Any]], Awaitable[RelayProcess]]


@pytest.fixture
async def start_relay(tmp_path: Path) -> AsyncIterator[StartRelay]:
    """Starts a relay with a configuration, and returns when it takes mail."""
    started: list[RelayProcess] = []

    async def start(config: Mapping[str, Any]) -> RelayProcess:
        folder = tmp_path / f"relay{len(started)}"
        folder.mkdir()
        relay = RelayProcess(folder, config)
        started.append(relay)
        await relay.start()
        return relay

    yield start
    for relay in started:
        await relay.end()


@pytest.fixture(params=["sqlite", "postgresql"])
def storage(request: pytest.FixtureRequest) -> dict[str, str]:
    """The `database:` section of a relay with an empty database, on each engine."""
    if request.param == "sqlite":
        return {"url": "sqlite:///relay.db"}
    make: Callable[[], str] = request.getfixturevalue("fresh_postgres")
    return {"url": make()}
