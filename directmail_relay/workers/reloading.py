"""Reads the configuration, at the start and again on SIGHUP, and puts what it declares into the database.

On SIGHUP a bad file is refused, as is one that declares what is registered already: the old one stays, and the log says
why.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from directmail_relay.accounts.declared import ClashError
from directmail_relay.app.declared import declare
from directmail_relay.config import Config, ConfigError, load_config, needs_restart
from directmail_relay.database.engine import Database
from directmail_relay.database.errors import TROUBLE, reason_of
from directmail_relay.telemetry.logs import get_logger

log = get_logger("config")


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration that was found good. Versions count from 1."""

    version: int
    config: Config


def load(path: Path) -> Loaded:
    """Reads and checks the file. Raises ConfigError."""
    return Loaded(1, load_config(path))


def reload(path: Path, old: Loaded) -> Loaded | None:
    """The file as it is now; None when it is refused and the old one stays. Says either in the log."""
    try:
        new = Loaded(old.version + 1, load_config(path))
        _declare(new.config, old.config)
    except ConfigError as error:
        _refuse(path, old, [f"{problem.path}: {problem.message}" for problem in error.problems])
        return None
    except ClashError as error:
        _refuse(path, old, [f"accounts: {error}"])
        return None
    except TROUBLE as error:
        _refuse(path, old, [f"the database {old.config.database.shown} cannot be used: {reason_of(error)}"])
        return None
    except (ValueError, OSError) as error:  # what the check did not find must not end a relay that runs
        log.error("config_refused", file=str(path), problems=[str(error)], kept_version=old.version)
        return None
    waiting = needs_restart(old.config, new.config)
    if waiting:
        log.warning("config_needs_restart", keys=waiting, version=new.version)
    log.info("config_reloaded", file=str(path), version=new.version)
    return new


def _declare(new: Config, old: Config) -> None:
    """Into the database that is in use: another one waits for a restart."""
    database = Database(old.database.location)
    try:
        declare(database, new)
    finally:
        database.close()


def _refuse(path: Path, old: Loaded, problems: list[str]) -> None:
    log.error("config_refused", file=str(path), problems=problems, kept_version=old.version)
