"""What is no error but probably not meant: told by `check-config` as warnings, each with its YAML path."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from pathlib import Path

from directmail_relay.config.loading import find_exposed_files, find_unsigned_addresses
from directmail_relay.config.models import Config
from directmail_relay.config.problems import Problem
from directmail_relay.config.smtp import Listener


def find_doubts(config: Config, path: Path | None = None) -> list[Problem]:
    """All of them. `path` is the configuration's own file."""
    return [
        *find_exposed_files(config, path),
        *find_unsigned_addresses(config),
        *_find_closed_doors(config),
        *_find_missing_folder(config),
    ]


def _find_closed_doors(config: Config) -> Iterator[Problem]:
    """Listeners at which nobody, or nobody from elsewhere, may log in."""
    for index, listener in enumerate(config.smtp.listeners):
        allowed = listener.auth_without_tls or config.smtp.auth_without_tls
        if listener.tls != "none" or allowed == "always":
            continue
        place = f"smtp.listeners[{index}]"
        if allowed == "never":
            yield Problem(place, "nobody can log in here: auth_without_tls is never and there is no TLS; set smtp.tls")
        elif not _is_loopback(listener):
            yield Problem(
                place,
                "only programs on this machine can log in here: set smtp.tls, or auth_without_tls: always where nobody "
                "listens in",
            )


def _is_loopback(listener: Listener) -> bool:
    return ipaddress.ip_address(listener.address).is_loopback


def _find_missing_folder(config: Config) -> Iterator[Problem]:
    database = config.database.path
    if database is not None and not database.parent.is_dir():
        yield Problem("database.url", f"the folder {database.parent} does not exist yet: make it before the start")
