"""Reads the configuration again on SIGHUP: a bad file is refused and the old one stays; both are logged."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from directmail_relay.app.declared import Hashes, hash_passwords
from directmail_relay.config import Config, ConfigError, load_config, needs_restart
from directmail_relay.telemetry.logs import get_logger

log = get_logger("config")


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration that was found good, and the hashes of its declared logins. Versions count from 1."""

    version: int
    config: Config
    hashes: Hashes


def load(path: Path, old: Loaded | None = None) -> Loaded:
    """Reads and checks the file. Raises ConfigError."""
    config = load_config(path)
    hashes = hash_passwords(config, old.hashes if old else None)
    return Loaded(old.version + 1 if old else 1, config, hashes)


def reload(path: Path, old: Loaded) -> Loaded | None:
    """The file as it is now; None when it is bad and the old one stays. Says either in the log."""
    try:
        new = load(path, old)
    except ConfigError as error:
        problems = [f"{problem.path}: {problem.message}" for problem in error.problems]
        log.error("config_refused", file=str(path), problems=problems, kept_version=old.version)
        return None
    except (ValueError, OSError) as error:  # what the check did not find must not end a relay that runs
        log.error("config_refused", file=str(path), problems=[str(error)], kept_version=old.version)
        return None
    waiting = needs_restart(old.config, new.config)
    if waiting:
        log.warning("config_needs_restart", keys=waiting, version=new.version)
    log.info("config_reloaded", file=str(path), version=new.version)
    return new
