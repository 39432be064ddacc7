"""`directmail-relay demo` as a process, with a temporary directory of its own, by which its children are found."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

COMMAND = (sys.executable, "-m", "directmail_relay", "demo")
AT_MOST = 60.0  # seconds, on a machine that has other work; alone it takes ten


def environment(folder: Path, **more: str) -> dict[str, str]:
    """The environment in which everything temporary goes to `folder`."""
    return {**os.environ, "TMPDIR": str(folder), "PYTHONIOENCODING": "utf-8", **more}


def start_demo(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        COMMAND, env=environment(folder), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8"
    )


def read_until(process: subprocess.Popen[str], words: str) -> str:
    """All lines up to one that holds `words`."""
    assert process.stdout is not None
    lines = list[str]()
    for line in process.stdout:
        lines.append(line)
        if words in line:
            return "".join(lines)
    raise AssertionError("".join(lines))


def find_processes(folder: Path, command: str = "") -> list[int]:
    """The demo of this folder and all its children, as far as their command line holds `command`."""
    found = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return sorted(pid for pid in found if str(folder) in _read(pid, "environ") and command in _read(pid, "cmdline"))


def _read(pid: int, what: str) -> str:
    try:
        return Path(f"/proc/{pid}/{what}").read_text(encoding="utf-8", errors="replace").replace("\0", " ")
    except OSError:  # it has ended meanwhile
        return ""
