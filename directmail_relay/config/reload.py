"""What a reload cannot change: the keys that are read once, when the processes start."""

from __future__ import annotations

from collections.abc import Callable

from directmail_relay.config.models import Config

_FIXED: dict[str, Callable[[Config], object]] = {
    "node": lambda config: config.node,
    "workers": lambda config: config.workers,
    "database": lambda config: config.database,
    "smtp.listeners": lambda config: [(one.address, one.port, one.tls) for one in config.smtp.listeners],
    "secret_key_file": lambda config: config.secret_key_file,
    "http.listen": lambda config: config.http.listen,
    # A logger remembers its level and form once it has been used: that is what makes it fast.
    "log": lambda config: config.log,
}


def needs_restart(old: Config, new: Config) -> list[str]:
    """The keys among those of a restart in which the two differ, as they stand in the file."""
    return [key for key, value in _FIXED.items() if value(old) != value(new)]
