"""Ports for the listeners: the ones that people know, or the next that are free."""

from __future__ import annotations

import socket

from directmail_relay.cli.demo.failure import DemoFailedError

LOOPBACK = "127.0.0.1"
SEARCHED = 200


def find_free_port(wanted: int, *, taken: frozenset[int] = frozenset()) -> int:
    """`wanted`, or the next port above it that nobody listens at and that is not in `taken`."""
    for port in range(wanted, wanted + SEARCHED):
        if port not in taken and is_free(port):
            return port
    raise DemoFailedError(f"no port from {wanted} to {wanted + SEARCHED - 1} is free on {LOOPBACK}")


def is_free(port: int) -> bool:
    """Whether a server could listen there now; another may still be quicker."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the relay does: what is closing does not count
        try:
            sock.bind((LOOPBACK, port))
            sock.listen()
        except OSError:
            return False
    return True
