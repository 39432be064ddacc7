"""The listening sockets, opened once by the parent and shared by all workers.

So a worker that dies resets nobody's connection attempt: the others accept what waits in the same backlog.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass

from directmail_relay.config import Config, Endpoint

BACKLOG = 1024


class StartError(RuntimeError):
    """The relay cannot start; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Sockets:
    """One socket a listener of the configuration, in order, and HTTP's."""

    smtp: tuple[socket.socket, ...]
    http: socket.socket

    @property
    def all(self) -> tuple[socket.socket, ...]:
        return (*self.smtp, self.http)

    @property
    def names(self) -> dict[str, object]:
        """Where they listen, for the log: port 0 has become a real one by now."""
        return {"listeners": [_name(sock) for sock in self.smtp], "http": _name(self.http)}

    def close(self) -> None:
        for sock in self.all:
            sock.close()


def open_sockets(config: Config) -> Sockets:
    """Binds and listens. Raises StartError, with nothing left open."""
    opened: list[socket.socket] = []
    endpoints = [*(listener.endpoint for listener in config.smtp.listeners), config.http.listen]
    try:
        for endpoint in endpoints:
            opened.append(_listen(endpoint))
    except OSError as error:
        for sock in opened:
            sock.close()
        raise StartError(f"cannot listen on {endpoint}: {_advice(error)}") from error
    return Sockets(tuple(opened[:-1]), opened[-1])


def _listen(endpoint: Endpoint) -> socket.socket:
    family = socket.AF_INET6 if ":" in endpoint.address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:  # `::` means every address, IPv4 too
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind((endpoint.address, endpoint.port))
        sock.listen(BACKLOG)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock


def _name(sock: socket.socket) -> str:
    return str(Endpoint(*sock.getsockname()[:2]))


def _advice(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "ports below 1024 need CAP_NET_BIND_SERVICE (the systemd unit grants it), or choose a higher port"
    return (error.strerror or type(error).__name__).lower()
