"""The unit file, the image and the container's context, as far as they can be judged without installing them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
UNIT = (ROOT / "systemd" / "directmail-relay.service").read_text()
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def installed_unit(folder: Path) -> Path:
    """The unit as it would be verified on a machine where the program is there."""
    path = folder / "directmail-relay.service"
    path.write_text(re.sub(r"^ExecStart=\S+", f"ExecStart={sys.executable}", UNIT, flags=re.MULTILINE))
    return path


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    command = ["systemd-analyze", "verify", "--man=no", str(installed_unit(tmp_path))]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout + found.stderr) == (0, "")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
def test_the_unit_exposes_little(tmp_path: Path) -> None:
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=20", str(installed_unit(tmp_path))]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout[-200:]


def test_the_unit_gives_one_capability_and_a_user_that_is_declared() -> None:
    assert (
        re.findall(r"^(?:AmbientCapabilities|CapabilityBoundingSet)=(.*)$", UNIT, re.MULTILINE)
        == ["CAP_NET_BIND_SERVICE"] * 2
    )
    (user,) = re.findall(r"^User=(.*)$", UNIT, re.MULTILINE)
    assert f"\nu {user} " in (ROOT / "systemd" / "directmail-relay.sysusers.conf").read_text()


def test_the_image_is_made_of_what_its_context_lets_in() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    assert {name for line in copied for name in line.split()} == allowed
    assert all((ROOT / name).exists() for name in allowed)


def test_the_image_ends_as_a_user_that_is_not_root() -> None:
    last_stage = DOCKERFILE.rpartition("\nFROM ")[2]
    assert re.findall(r"^USER (.*)$", last_stage, re.MULTILINE) == ["10001:10001"]
    assert not re.search(r"pip|apt|gcc", last_stage.replace("relay", ""))


def ask_health(port: int) -> tuple[int, str]:
    """How the image's own health check ends when the relay's port is `port`, and the last line of what it says."""
    (program,) = re.findall(r'HEALTHCHECK .*?"-c", \\\n\s+"(.+?)"\]', DOCKERFILE, re.DOTALL)
    asked = program.replace(":8080/healthz", f":{port}/healthz")
    assert asked != program
    environment = {"http_proxy": "http://127.0.0.1:1"}
    command = [sys.executable, "-c", asked]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr.strip().rpartition("\n")[2]


@pytest.mark.parametrize(("status", "ends_with"), [(200, (0, "")), (503, (1, "HTTP Error 503"))])
def test_the_health_check_believes_the_status_though_there_is_a_proxy(status: int, ends_with: tuple[int, str]) -> None:
    class Health(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/healthz" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing: the test's output is its own."""

    with HTTPServer(("127.0.0.1", 0), Health) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        code, said = ask_health(server.server_port)
    assert (code, ends_with[1] in said) == (ends_with[0], True)


def test_the_health_check_fails_when_nobody_answers() -> None:
    code, said = ask_health(1)
    assert code == 1
    assert "refused" in said


def test_the_ci_script_is_sound_shell() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    subprocess.run(["bash", "-n", script], check=True)
