"""All checks at once, each within five seconds, and what came of them in a fixed order."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from directmail_relay.cli.check_config import EXIT_CONFIG, report_config_error
from directmail_relay.cli.doctor import certificate, domains, identity, ports, storage, way_out
from directmail_relay.cli.doctor import machine as this_machine
from directmail_relay.cli.doctor.finding import Finding, Severity
from directmail_relay.cli.doctor.place import Machine, Place, Target, make_place
from directmail_relay.cli.opening import as_owner
from directmail_relay.cli.output import fail, print_json, print_table
from directmail_relay.config import Config, ConfigError, find_config, load_config

CHECK_SECONDS = 5.0
EXIT_OK, EXIT_FAILED = 0, 1


@dataclass(frozen=True, slots=True)
class Check:
    """`late` is what it means when there is no answer in time."""

    name: str
    run: Callable[[Place], Awaitable[list[Finding]]]
    late: Severity = Severity.FAIL


CHECKS = (
    Check("hostname", identity.check_hostname),
    Check("resolver", way_out.check_resolver),
    Check("port_25", way_out.check_port_25),
    Check("helo", identity.check_helo, Severity.WARNING),
    Check("reverse_dns", identity.check_reverse_dns, Severity.WARNING),
    Check("dns", domains.check_domains, Severity.WARNING),
    Check("certificate", certificate.check_certificate),
    Check("ports", ports.check_ports),
    Check("database", storage.check_database),
    Check("disk", this_machine.check_disk),
    Check("secret_files", this_machine.check_secret_files, Severity.WARNING),
    Check("clock", this_machine.check_clock, Severity.WARNING),
)


async def examine(place: Place, checks: Sequence[Check] = CHECKS, seconds: float = CHECK_SECONDS) -> list[Finding]:
    """The findings of all checks, in their order; takes no longer than the slowest may."""
    found = await asyncio.gather(*(_run(check, place, seconds) for check in checks))
    return [finding for findings in found for finding in findings]


async def _run(check: Check, place: Place, seconds: float) -> list[Finding]:
    try:
        async with asyncio.timeout(seconds):
            return await check.run(place)
    except TimeoutError:
        advice = "find out what does not answer: the network, the DNS, a disk, a lock"
        return [Finding(check.name, check.late, f"an answer within {seconds:g} s", "none", advice)]
    except (OSError, ValueError) as error:
        text = str(error).partition("\n")[0] or type(error).__name__
        return [Finding(check.name, check.late, "the check can be made", text, "see what the system says about it")]


def run_doctor(
    explicit: Path | None, *, domain: str | None, probe: str | None, as_json: bool, machine: Machine | None = None
) -> int:
    """Prints the findings; returns the exit code: 1 when something would lose mail, 78 for the configuration."""
    try:
        path = find_config(explicit)
        config = load_config(path)
        target = None if probe is None else parse_target(probe)
    except ConfigError as error:
        report_config_error(error, as_json=as_json)
        return EXIT_CONFIG
    except ValueError as error:
        fail(str(error), "bad_value", as_json=as_json)

    with _as_the_relay(config):
        findings = asyncio.run(_look(lambda: make_place(config, path, probe=target, domain=domain, machine=machine)))
    _print(findings, as_json=as_json)
    return EXIT_FAILED if any(one.severity is Severity.FAIL for one in findings) else EXIT_OK


async def _look(make: Callable[[], Place]) -> list[Finding]:
    place = make()
    try:
        return await examine(place)
    finally:
        await place.resolver.close()


def parse_target(text: str) -> Target:
    """`mx.example.com:25`, `192.0.2.1:25`, `[2001:db8::1]:25` → where to connect to; without a port it is 25."""
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]") or (":" in host and not host.startswith("[")):
        host, port = text, "25"
    host = host.removeprefix("[").removesuffix("]")
    if not host or not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ValueError(f"{text!r} is no host and port: write mx.example.com:25")
    return Target(host, int(port))


@contextlib.contextmanager
def _as_the_relay(config: Config) -> Iterator[None]:
    """What the relay cannot read, the doctor must not find readable because root looked."""
    path = config.database.path
    if path is None or not path.is_file() or os.geteuid() != 0:
        yield
        return
    with as_owner(path):
        yield


def _print(findings: Sequence[Finding], *, as_json: bool) -> None:
    if as_json:
        print_json([finding.as_document() for finding in findings])
        return
    columns = ("check", "verdict", "expected", "found", "what to do")
    print_table(columns, (one.as_row() for one in findings))
    counts = {severity: sum(one.severity is severity for one in findings) for severity in Severity}
    typer.echo(f"\n{counts[Severity.FAIL]} would lose mail, {counts[Severity.WARNING]} worth a look")
