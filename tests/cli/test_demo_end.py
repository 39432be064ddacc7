"""How the demo ends: by a signal at any time, or with its relay; it leaves nothing behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.demo_process import AT_MOST, find_processes, read_until, start_demo

STOP_AT_MOST = 15.0
LAST_WORDS = "dig @127.0.0.1"  # of what it says before it goes on serving


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    process = start_demo(tmp_path)
    yield process
    if process.poll() is None:
        process.kill()
    process.communicate()


@pytest.mark.parametrize(
    ("words", "number"),
    [("Starting", signal.SIGTERM), ("C: DATA", signal.SIGINT), ("What becomes of them", signal.SIGHUP)],
)
def test_a_signal_ends_it_cleanly_at_any_time(
    demo: subprocess.Popen[str], tmp_path: Path, words: str, number: signal.Signals
) -> None:
    read_until(demo, words)
    began = time.monotonic()
    demo.send_signal(number)
    rest, _ = demo.communicate(timeout=AT_MOST)
    assert time.monotonic() - began < STOP_AT_MOST
    assert "Traceback" not in rest
    assert rest.endswith("\nEnded; nothing is left behind.\n")
    assert demo.returncode == 128 + number
    assert find_processes(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_it_goes_on_serving_until_it_is_told_to_stop(demo: subprocess.Popen[str], tmp_path: Path) -> None:
    told = read_until(demo, LAST_WORDS)
    config = re.search(r"queue list -c (\S+)", told)
    assert config is not None
    assert look_into_queue(config[1]) == "[]"
    demo.send_signal(signal.SIGINT)
    rest, _ = demo.communicate(timeout=AT_MOST)
    assert "Traceback" not in rest
    assert demo.returncode == 0
    assert find_processes(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_a_relay_that_dies_ends_it_with_a_word_about_it(demo: subprocess.Popen[str], tmp_path: Path) -> None:
    read_until(demo, LAST_WORDS)
    (relay,) = find_processes(tmp_path, "directmail_relay serve")
    os.kill(relay, signal.SIGKILL)
    rest, _ = demo.communicate(timeout=AT_MOST)
    assert "the relay ended by itself with code -9" in rest
    assert "Traceback" not in rest
    assert demo.returncode == 1
    assert list(tmp_path.iterdir()) == []


def look_into_queue(config: str) -> str:
    looked = subprocess.run(
        [sys.executable, "-m", "directmail_relay", "queue", "list", "-c", config, "--json"],
        capture_output=True,
        encoding="utf-8",
        timeout=AT_MOST,
        check=True,
    )
    return looked.stdout.strip()
