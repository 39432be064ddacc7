"""A place where everything is well but for what the test changes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from directmail_relay.cli.doctor.finding import Finding
from directmail_relay.cli.doctor.place import Machine, Target, make_place
from directmail_relay.cli.doctor.run import CHECKS, examine
from directmail_relay.config import load_config
from tests.fakes.doctor_place import (
    GOOD_ZONE,
    MACHINE,
    Examine,
    config_document,
)
from tests.fakes.zone import Zone


@pytest.fixture
async def zone() -> AsyncIterator[Zone]:
    async with Zone(GOOD_ZONE) as serving:
        yield serving


@pytest.fixture
def consult(tmp_path: Path, sqlite_url: str, zone: Zone) -> Examine:
    """Runs the named checks in a place where everything is well but for what the test changes."""
    assert sqlite_url

    async def ask(
        *names: str, machine: Machine = MACHINE, probe: Target | None = None, domain: str | None = None, **more: Any
    ) -> list[Finding]:
        delivery = {"dns": {"servers": [zone.server]}, **more.pop("delivery", {})}
        path = tmp_path / "config.yaml"
        path.write_text(json.dumps(config_document(tmp_path, delivery=delivery, **more)))
        place = make_place(load_config(path), path, probe=probe, domain=domain, machine=machine)
        try:
            return await examine(place, [check for check in CHECKS if check.name in names])
        finally:
            await place.resolver.close()

    return ask
