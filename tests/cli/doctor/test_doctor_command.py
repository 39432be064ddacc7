"""`doctor` as a command: all checks at once, in time, with the exit code that they come to."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from directmail_relay.cli.doctor import doctor
from directmail_relay.cli.doctor.aside import aside
from directmail_relay.cli.doctor.finding import Finding, Severity
from directmail_relay.cli.doctor.place import Place, make_place
from directmail_relay.cli.doctor.run import CHECKS, Check, examine, run_doctor
from directmail_relay.config import load_config
from tests.fakes.doctor_place import (
    MACHINE,
    Examine,
    free_port,
    mail_host,
    write_config,
)
from tests.fakes.zone import Zone


async def test_a_check_that_hangs_is_cut_off_and_the_others_are_told(consult: Examine, tmp_path: Path) -> None:
    release = threading.Event()

    async def hangs(_: Place) -> list[Finding]:
        return await aside(lambda: [Finding("disk", Severity.OK, "", str(release.wait(60)))])

    async def breaks(_: Place) -> list[Finding]:
        return await aside(lambda: [Finding("x", Severity.OK, "", Path("/nowhere/at/all").read_text())])

    await consult("clock")
    place = make_place(load_config(tmp_path / "config.yaml"), tmp_path / "config.yaml", machine=MACHINE)
    checks = [Check("disk", hangs), Check("dns", breaks, Severity.WARNING)]
    found = await examine(place, checks, seconds=0.05)
    release.set()
    await place.resolver.close()
    assert [(one.check, one.severity) for one in found] == [("disk", Severity.FAIL), ("dns", Severity.WARNING)]
    assert found[0].expected == "an answer within 0.05 s"
    assert "No such file" in found[1].found


async def examine_by_command(path: Path, probe: str, *, as_json: bool) -> int:
    """In a thread, beside our DNS; the machine's own facts are the test's."""
    return await asyncio.to_thread(run_doctor, path, domain=None, probe=probe, as_json=as_json, machine=MACHINE)


@pytest.mark.usefixtures("sqlite_url")
async def test_a_machine_that_is_well_exits_with_0(
    zone: Zone, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_config(tmp_path, zone)
    async with mail_host() as port:
        code = await examine_by_command(path, f"127.0.0.1:{port}", as_json=True)
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert (code, said.err) == (0, ""), [one for one in found if one["severity"] == "fail"]
    assert {tuple(one) for one in found} == {("check", "ok", "severity", "expected", "found", "advice")}
    assert {one["check"] for one in found} == {check.name for check in CHECKS} | {"dnssec", "relay"}
    assert all(one["ok"] == (one["severity"] in {"ok", "info"}) for one in found)


@pytest.mark.usefixtures("sqlite_url")
async def test_what_would_lose_mail_exits_with_1_and_is_in_the_table(
    zone: Zone, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = await examine_by_command(write_config(tmp_path, zone), f"127.0.0.1:{free_port()}", as_json=False)
    said = capsys.readouterr().out
    assert code == 1
    assert "1 would lose mail" in said
    (line,) = [line for line in said.splitlines() if line.startswith("port_25")]
    assert "fail" in line
    assert "ask your network" in line


@pytest.fixture
def app() -> typer.Typer:
    made = typer.Typer()
    made.command("doctor")(doctor)
    return made


async def invoke(app: typer.Typer, *words: str) -> Any:
    return await asyncio.to_thread(CliRunner().invoke, app, list(words))


@pytest.mark.usefixtures("sqlite_url")
async def test_the_command_takes_its_options_and_looks_at_this_machine(
    app: typer.Typer, zone: Zone, tmp_path: Path
) -> None:
    probe, path = f"127.0.0.1:{free_port()}", write_config(tmp_path, zone)
    result = await invoke(app, "-c", str(path), "--probe", probe, "--domain", "other.com", "--json")
    assert result.exit_code == 1
    found = {one["check"]: one for one in json.loads(result.stdout)}
    assert probe in found["port_25"]["expected"]
    assert found["dns"]["expected"] == "a sending domain other.com"
    assert set(found) == {check.name for check in CHECKS} | {"dnssec", "relay"}


async def test_a_bad_probe_and_a_bad_configuration_say_so(app: typer.Typer, zone: Zone, tmp_path: Path) -> None:
    path = write_config(tmp_path, zone)
    bad = await invoke(app, "-c", str(path), "--probe", "mx:0", "--json")
    assert bad.exit_code == 1
    assert json.loads(bad.stdout)["error"]["code"] == "bad_value"
    path.write_text("hostname: 5\n")
    broken = await invoke(app, "-c", str(path), "--json")
    assert broken.exit_code == 78
    assert json.loads(broken.stdout)["error"]["code"] == "config"
