"""What systemd is told, over a real socket."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest
import structlog

from directmail_relay.telemetry import systemd


@pytest.mark.parametrize("address", ["path", "@abstract"])
def test_systemd_hears_what_it_is_told(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = str(tmp_path / "notify") if address == "path" else f"@{tmp_path}"
    monkeypatch.setenv("NOTIFY_SOCKET", name)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as service_manager:
        service_manager.bind(name.replace("@", "\0", 1))
        assert systemd.notify_systemd(systemd.READY, "STATUS=2 workers\nSTOPPING=1")
        assert service_manager.recv(1000) == b"READY=1\nSTATUS=2 workers STOPPING=1"
        assert systemd.notify_reloading()
        assert re.fullmatch(rb"RELOADING=1\nMONOTONIC_USEC=[1-9]\d+", service_manager.recv(1000))


def test_a_systemd_that_is_gone_is_logged_and_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not systemd.notify_systemd(systemd.READY)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    with structlog.testing.capture_logs() as written:
        assert not systemd.notify_systemd(systemd.READY)
    assert [line["event"] for line in written] == ["systemd_not_told"]


def test_the_watchdog_is_fed_twice_as_often_as_it_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    assert systemd.watchdog_seconds() is None
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    assert systemd.watchdog_seconds() == 15.0
    monkeypatch.setenv("WATCHDOG_PID", "1")
    assert systemd.watchdog_seconds() is None
