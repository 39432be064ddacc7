"""Tells systemd how the service is (sd_notify(3)): ready, reloading, stopping, still alive.

Without `$NOTIFY_SOCKET` it does nothing. It never raises: the relay runs as well when nobody listens.
"""

from __future__ import annotations

import os
import socket
import time

from directmail_relay.telemetry.logs import get_logger

READY = "READY=1"
STOPPING = "STOPPING=1"
WATCHDOG = "WATCHDOG=1"

_log = get_logger("systemd")


def notify_systemd(*states: str) -> bool:
    """Sends `states` (READY, `STATUS=…`) as one datagram; whether somebody was there to take it."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    if address.startswith("@"):  # Linux's abstract namespace
        address = "\0" + address[1:]
    message = "\n".join(state.replace("\n", " ") for state in states).encode()
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            # A full queue must not stop the event loop.
            sender.setblocking(False)
            sender.sendto(message, address)
    except OSError as error:
        _log.warning("systemd_not_told", states=states, error=str(error))
        return False
    return True


def notify_reloading() -> bool:
    """For `Type=notify-reload` as well as `notify`; send READY when the reload is over."""
    return notify_systemd("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")


def watchdog_seconds() -> float | None:
    """How often to send WATCHDOG: half of what systemd waits (sd_watchdog_enabled(3)); None when it does not watch."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    return int(microseconds) / 2e6 if microseconds.isdecimal() and int(microseconds) else None
