"""One worker in this process: built, reloaded, and stopped without anything left."""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml

from directmail_relay.app.declared import declare
from directmail_relay.app.place import Place
from directmail_relay.app.relay import Relay
from directmail_relay.database.engine import Database
from directmail_relay.submission.node import make_node_memory
from directmail_relay.submission.settings import TlsMode
from directmail_relay.workers.reloading import Loaded, load, reload
from directmail_relay.workers.sockets import open_sockets
from tests.fakes.relay_process import free_port, make_config, route_to


def listener(port: int, tls: str) -> dict[str, Any]:
    return {"address": "127.0.0.1", "port": port, "tls": tls}


@pytest.fixture
def config(tmp_path: Path, sqlite_url: str) -> dict[str, Any]:
    certificate = trustme.CA().issue_cert("localhost")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    (tmp_path / "key.pem").chmod(0o600)
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    smtp = {
        "tls": {"certificate": "cert.pem", "key": "key.pem"},
        "listeners": [listener(free_port(), "none"), listener(free_port(), "implicit")],
    }
    return make_config(database={"url": sqlite_url}, smtp=smtp, delivery=route_to(1))


class Running:
    """A relay that was started from a file."""

    def __init__(self, file: Path, config: dict[str, Any]) -> None:
        self.file = file
        self.config = config
        self.write()
        self.loaded = load(file)
        self._declare()
        self.sockets = open_sockets(self.loaded.config)
        self.memory = make_node_memory(1)
        place = Place(0, 1, self.sockets.smtp, self.sockets.http, self.memory)
        self.relay = Relay(self.loaded.config, place)

    async def reload(self) -> None:
        self.loaded = self.load_again()
        await self.relay.reload(self.loaded.config)

    def modes(self) -> list[tuple[int, TlsMode, ssl.SSLContext | None]]:
        return [
            (one.socket.getsockname()[1], one.settings.tls_mode, one.settings.tls_context)
            for one in self.relay._doors._listeners
        ]

    def load_again(self) -> Loaded:
        self.write()
        loaded = reload(self.file, self.loaded)
        assert loaded is not None
        return loaded

    def write(self) -> None:
        self.file.write_text(yaml.safe_dump(self.config), encoding="utf-8")

    def _declare(self) -> None:
        database = Database(self.loaded.config.database.location)
        declare(database, self.loaded.config)
        database.close()


@pytest.fixture
async def running(tmp_path: Path, config: dict[str, Any]) -> AsyncIterator[Running]:
    running = Running(tmp_path / "config.yaml", config)
    await running.relay.start()
    yield running
    await running.relay.stop()
    running.sockets.close()
    running.memory.close()


async def test_a_reload_finds_each_listener_by_its_address_wherever_it_stands(running: Running) -> None:
    plain, implicit = running.config["smtp"]["listeners"]
    before = [(port, mode) for port, mode, _ in running.modes()]
    running.config["smtp"]["listeners"] = [listener(free_port(), "starttls"), implicit, {**plain, "tls": "starttls"}]
    running.config["smtp"]["max_rcpt"] = 7
    await running.reload()
    assert [(port, mode) for port, mode, _ in running.modes()] == before
    assert [one.settings.max_rcpt for one in running.relay._doors._listeners] == [7, 7]


async def test_a_listener_keeps_its_certificate_when_the_new_file_has_none(running: Running) -> None:
    plain, implicit = running.config["smtp"]["listeners"]
    before = running.modes()
    running.config["smtp"] = {"listeners": [plain, {**implicit, "tls": "none"}]}
    await running.reload()
    assert running.modes() == before
    assert before[1][2] is not None


async def test_a_reload_that_cannot_be_taken_over_changes_nothing(running: Running, tmp_path: Path) -> None:
    before, directory = running.modes(), running.relay._directory.current
    running.config["smtp"]["max_rcpt"] = 7
    new = running.load_again()
    (tmp_path / "cert.pem").write_text("gone bad", encoding="utf-8")
    with pytest.raises(OSError, match=r"PEM"):
        await running.relay.reload(new.config)
    assert running.modes() == before
    await running.relay._registry.look()  # which reads all anew once a configuration was taken over
    assert running.relay._directory.current is directory


async def test_a_worker_that_doubts_its_life_is_not_ready(running: Running) -> None:
    relay = running.relay
    await relay._way_out.life.beat()  # behind that of the start, which may still be under way
    assert await relay._database_answers()
    relay._way_out.life._last_beat = float("-inf")
    assert not await relay._database_answers()
    await relay._way_out.life.beat()
    assert await relay._database_answers()


async def test_after_a_stop_its_ports_are_free(tmp_path: Path, config: dict[str, Any]) -> None:
    running = Running(tmp_path / "config.yaml", config)
    await running.relay.start()
    await running.relay.stop()
    running.sockets.close()
    running.memory.close()
    for one in config["smtp"]["listeners"]:
        socket.create_server(("127.0.0.1", one["port"])).close()
