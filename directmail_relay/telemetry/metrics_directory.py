"""The directory through which the workers of a node add up their metrics, and who may write which file in it.

The library chooses between memory and files when a metric is declared, so the parent calls
`prepare_metrics_directory` before it starts workers, and starts them afresh (spawn, never fork).
This module imports no metric.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

ENVIRONMENT = "PROMETHEUS_MULTIPROC_DIR"
_PREFIX = "directmail-metrics-"
# In the library's file names: `counter_w3.db`, `gauge_livesum_w3.db`.
_LIVE_GAUGES = "gauge_live*_w{}.db"
_ALL = "*_w{}.db"


def prepare_metrics_directory(parent: Path | None = None) -> Path:
    """An empty directory of our own for the workers to be started, removed when this process ends.

    Those of processes that were killed, and could not tidy up, are removed now.

    `parent` is the system's temporary directory unless given.
    """
    home = Path(tempfile.gettempdir() if parent is None else parent)
    _remove_abandoned(home)
    directory = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=home))
    os.environ[ENVIRONMENT] = str(directory)
    atexit.register(_remove, directory, os.getpid())
    return directory


def metrics_directory() -> Path | None:
    """The directory in use; None when this process alone counts, in memory."""
    named = os.environ.get(ENVIRONMENT)
    return Path(named) if named else None


def mark_worker_dead(worker: int) -> None:
    """Forgets what a dead worker had open (sessions, lag); what it counted stays.

    `worker` is the number that it gave to `metrics.adopt_worker`, or its pid when it gave none.
    """
    _unlink(_LIVE_GAUGES.format(worker))


def discard_files(worker: int) -> None:
    """Removes all that was counted under a name that nobody will use again."""
    _unlink(_ALL.format(worker))


def _remove_abandoned(home: Path) -> None:
    for directory in home.glob(f"{_PREFIX}*-*"):
        owner = directory.name.removeprefix(_PREFIX).partition("-")[0]
        # Not those of others: in a directory for all, a name proves nothing.
        if owner.isdecimal() and not _is_alive(int(owner)) and directory.lstat().st_uid == os.getuid():
            shutil.rmtree(directory, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _unlink(pattern: str) -> None:
    directory = metrics_directory()
    for file in directory.glob(pattern) if directory else ():
        file.unlink(missing_ok=True)


def _remove(directory: Path, owner: int) -> None:
    # A child that was forked inherits the exit handler, but not the directory.
    if os.getpid() == owner:
        shutil.rmtree(directory, ignore_errors=True)
