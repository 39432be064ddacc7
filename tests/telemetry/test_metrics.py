"""Metrics of one process and of several, some of which are killed."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from directmail_relay.telemetry import metrics, metrics_directory

NAMES = """
    smtp_sessions smtp_commands_total accepted_total refused_total auth_total queue_recipients attempts_total
    delivered_total failed_total accept_seconds delivery_seconds queue_age_seconds event_loop_lag_seconds
    domain_checks_total domains
"""


def count_in_a_worker(worker: int, accepted: int) -> None:
    metrics.adopt_worker(worker)
    metrics.SMTP_SESSIONS.inc()
    metrics.ACCEPTED.inc(accepted)
    metrics.count_command("mail", 250)
    metrics.ACCEPT_SECONDS.observe(0.02)
    metrics.set_queue({"queued": worker + 5}, oldest_seconds=worker)
    os.kill(os.getpid(), signal.SIGKILL)


def sample(name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (\S+)$", metrics.render_metrics().decode(), re.MULTILINE)
    assert found, name
    return float(found[1])


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(metrics_directory.ENVIRONMENT, "")
    return metrics_directory.prepare_metrics_directory(tmp_path)


def run_worker(worker: int, accepted: int) -> None:
    process = multiprocessing.get_context("spawn").Process(target=count_in_a_worker, args=(worker, accepted))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL


def test_counters_are_summed_over_workers_and_outlive_a_killed_one(directory: Path) -> None:
    run_worker(0, 1)
    run_worker(1, 10)
    assert sample("directmail_accepted_total") == 11
    assert sample("directmail_smtp_sessions") == 2
    assert sample('directmail_queue_recipients{state="queued"}') == 6  # the last sample, not the sum
    metrics_directory.mark_worker_dead(1)
    assert sample("directmail_smtp_sessions") == 1
    files = set(directory.iterdir())
    run_worker(1, 100)  # the successor goes on where the dead one stopped, in the same files
    assert sample("directmail_accepted_total") == 111
    assert sample("directmail_smtp_sessions") == 2
    assert sample('directmail_smtp_commands_total{code="250",command="MAIL"}') == 3
    assert sample("directmail_accept_seconds_count") == 3
    assert {file.name for file in directory.iterdir()} >= {file.name for file in files}
    assert len(list(directory.glob("counter_*"))) == 2
    run_worker(1, 0)  # though nobody said that its predecessor was dead
    assert sample("directmail_smtp_sessions") == 2


def test_a_worker_that_would_count_unseen_is_told_so(directory: Path) -> None:
    with pytest.raises(RuntimeError, match="spawn"):
        metrics.adopt_worker(0)


def test_the_directory_goes_with_the_process_that_made_it(tmp_path: Path) -> None:
    program = (
        "import os, sys, pathlib; from directmail_relay.telemetry.metrics_directory import *;"
        "made = prepare_metrics_directory(pathlib.Path(sys.argv[1]));"
        "pid = os.fork();"
        "sys.exit(0) if pid == 0 else os.waitpid(pid, 0); assert made.is_dir()"
    )
    subprocess.run([sys.executable, "-c", program, tmp_path], check=True)
    assert list(tmp_path.iterdir()) == []


def test_every_metric_of_the_interface_is_declared_under_its_name() -> None:
    text = metrics.render_metrics().decode()
    declared = set(re.findall(r"^# TYPE directmail_(\S+)", text, re.MULTILINE))
    assert declared == set(NAMES.split())


def test_nothing_that_a_peer_sends_becomes_a_label_without_end() -> None:
    metrics.count_command("X-FIRST", 599)
    metrics.count_command("X-SECOND\n", 599)
    assert sample('directmail_smtp_commands_total{code="599",command="other"}') == 2


def test_a_counter_has_a_ceiling_of_children() -> None:
    counter = metrics.LabelledCounter("trial_total", "", ("reason",))
    for number in range(metrics.MAX_CHILDREN * 2):
        counter.inc(f"reason_{number}")
    try:
        assert metrics.render_metrics().count(b"trial_total{") == metrics.MAX_CHILDREN + 1
        assert sample('trial_total{reason="other"}') == metrics.MAX_CHILDREN
    finally:
        REGISTRY.unregister(counter._counter)
