"""The machine: its clock, its disk, and who can read its secrets."""

from __future__ import annotations

from pathlib import Path

from directmail_relay.accounts.secret_key import SecretKeyError, read_cipher
from directmail_relay.cli.doctor.aside import aside
from directmail_relay.cli.doctor.finding import Finding, Severity
from directmail_relay.cli.doctor.place import Place
from directmail_relay.config import find_exposed_files

# 2026-01-01: older than this program, so a clock before it is wrong.
_PROGRAM_TIME = 1_767_225_600.0
MIN_FREE_OCTETS = 1 << 30
MIN_FREE_SHARE = 0.10
_LOG_FOLDER = Path("/var/log")
_SYNC_ADVICE = "run a time service: timedatectl set-ntp true, or chrony"


async def check_clock(place: Place) -> list[Finding]:
    """Something keeps it right: dates, signatures, certificates and retries go by it."""
    expected = "synchronised with a time service"
    if place.machine.clock() < _PROGRAM_TIME:
        return [Finding("clock", Severity.FAIL, expected, "it is before 2026", _SYNC_ADVICE)]
    known = place.machine.is_clock_synchronised()
    if known is None:
        return [Finding("clock", Severity.WARNING, expected, "the kernel does not tell", _SYNC_ADVICE)]
    if not known:
        return [Finding("clock", Severity.WARNING, expected, "not synchronised", _SYNC_ADVICE)]
    return [Finding("clock", Severity.OK, expected, "synchronised")]


async def check_disk(place: Place) -> list[Finding]:
    """Room for the database, and for logs where they lie on another file system."""
    return await aside(lambda: [_check_folder(place, folder) for folder in _folders(place)])


def _folders(place: Place) -> list[Path]:
    database = place.config.database.path
    home = _existing(database.parent if database is not None else place.config.secret_key_file.parent)
    log = _existing(_LOG_FOLDER)
    return [home] if home.stat().st_dev == log.stat().st_dev else [home, log]


def _existing(folder: Path) -> Path:
    folder = folder.absolute()
    return folder if folder.is_dir() else _existing(folder.parent)


def _check_folder(place: Place, folder: Path) -> Finding:
    total, _, free = place.machine.disk_usage(folder)
    expected = f"{folder}: 1 GiB free, and a tenth of the disk"
    found = f"{free / (1 << 30):.1f} GiB of {total / (1 << 30):.1f} GiB free"
    if free < MIN_FREE_OCTETS:
        advice = "make room: with a full disk every mail is put off with 452"
        return Finding("disk", Severity.FAIL, expected, found, advice)
    if free < MIN_FREE_SHARE * total:
        return Finding("disk", Severity.WARNING, expected, found, "make room before it is full")
    return Finding("disk", Severity.OK, expected, found)


async def check_secret_files(place: Place) -> list[Finding]:
    """Only their owner reads passwords and keys, and the secret key is one."""
    return await aside(lambda: _check_secrets(place))


def _check_secrets(place: Place) -> list[Finding]:
    expected = "only their owner reads the files with secrets"
    key = place.config.secret_key_file
    try:
        cipher = read_cipher(key)
    except SecretKeyError as error:
        advice = "until then the relay can neither sign nor read what it has encrypted"
        return [Finding("secret_files", Severity.FAIL, f"{key} is the secret key", str(error), advice)]
    exposed = [
        Finding("secret_files", Severity.WARNING, expected, problem.path or str(place.config_path), problem.message)
        for problem in find_exposed_files(place.config, place.config_path)
        if problem.path != "secret_key_file"  # has rules of its own, which it has just passed
    ]
    found = "they are" if cipher is not None else f"they are; {key} will be made when it is needed"
    return exposed or [Finding("secret_files", Severity.OK, expected, found)]
