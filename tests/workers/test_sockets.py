from __future__ import annotations

import socket
from pathlib import Path

import pytest
import yaml

from directmail_relay.config import Config, load_config
from directmail_relay.workers.sockets import StartError, open_sockets
from tests.fakes.relay_process import free_port, make_config


def config_with(tmp_path: Path, *ports: int, http: int) -> Config:
    file = tmp_path / "config.yaml"
    listeners = [{"address": "127.0.0.1", "port": port, "tls": "none"} for port in ports]
    made = make_config(smtp={"listeners": listeners}, http={"listen": f"127.0.0.1:{http}"})
    file.write_text(yaml.safe_dump(made), encoding="utf-8")
    return load_config(file)


def test_each_listener_has_its_socket_in_order_and_takes_connections(tmp_path: Path) -> None:
    first, second, http = free_port(), free_port(), free_port()
    sockets = open_sockets(config_with(tmp_path, first, second, http=http))
    try:
        assert [sock.getsockname()[1] for sock in sockets.all] == [first, second, http]
        for port in (first, second, http):
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
    finally:
        sockets.close()


def test_a_port_that_is_taken_is_named_and_nothing_is_left_open(tmp_path: Path) -> None:
    first = free_port()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        http = taken.getsockname()[1]
        with pytest.raises(StartError, match=rf"cannot listen on 127\.0\.0\.1:{http}: address already in use"):
            open_sockets(config_with(tmp_path, first, http=http))
    socket.create_server(("127.0.0.1", first)).close()
