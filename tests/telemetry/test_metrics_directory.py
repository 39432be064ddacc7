"""The directory of the workers' metrics goes with its owner, and what a killed owner left goes with the next."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from directmail_relay.telemetry.metrics_directory import ENVIRONMENT, prepare_metrics_directory

PREPARE = "from pathlib import Path; from directmail_relay.telemetry import metrics_directory as m; import os, signal; "


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", PREPARE + code], capture_output=True, text=True, check=False)


def test_it_is_removed_when_its_owner_ends(tmp_path: Path) -> None:
    done = run(f"print(m.prepare_metrics_directory(Path({str(tmp_path)!r})).exists())")
    assert done.stdout == "True\n"
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_owner_left_is_removed_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(f"m.prepare_metrics_directory(Path({str(tmp_path)!r})); os.kill(os.getpid(), signal.SIGKILL)")
    (left,) = tmp_path.iterdir()
    of_somebody_alive = tmp_path / f"directmail-metrics-{os.getppid()}-abc"
    of_something_else = tmp_path / "directmail-metrics-backup"
    for kept in (of_somebody_alive, of_something_else):
        kept.mkdir()
    monkeypatch.setenv(ENVIRONMENT, "")
    own = prepare_metrics_directory(tmp_path)
    assert not left.exists()
    assert {*tmp_path.iterdir()} == {own, of_somebody_alive, of_something_else}
