"""The doors in: the relay runs and is ready, or its ports are free for it."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import socket
from dataclasses import dataclass
from typing import Any

from directmail_relay.cli.doctor.finding import Finding, Severity
from directmail_relay.cli.doctor.place import Place
from directmail_relay.cli.doctor.way_out import reason_of
from directmail_relay.config import Config, Listener
from directmail_relay.config.units import Endpoint

ANSWER_SECONDS = 2.0
_MAX_ANSWER = 64 * 1024


@dataclass(frozen=True, slots=True)
class Readiness:
    """What stands behind the HTTP port. `ready` is None when it is not the relay that answers."""

    ready: bool | None
    failing: tuple[str, ...] = ()


async def check_ports(place: Place) -> list[Finding]:
    """Each port is held by our relay, or by nobody."""
    config, http = place.config, place.config.http.listen
    state = await ask_readiness(http)
    listeners = [one for one in config.smtp.listeners if one.port]  # the system chooses a port 0
    if state is None:
        missing = Finding("relay", Severity.INFO, "serve is running", "it is not", "start serve")
        return [missing, *(_try_to_bind(one) for one in (*(one.endpoint for one in listeners), http) if one.port)]
    return [_judge(config, state), *await asyncio.gather(*map(_try_to_connect, listeners))]


def _judge(config: Config, state: Readiness) -> Finding:
    expected = f"the relay at http://{config.http.listen} is ready"
    if state.ready is None:
        advice = "stop that program, or give http.listen another port"
        return Finding("relay", Severity.FAIL, expected, "another program answers there", advice)
    if not state.ready:
        return Finding("relay", Severity.FAIL, expected, f"not ready: {', '.join(state.failing)}", "its log says why")
    return Finding("relay", Severity.OK, expected, "ready")


async def ask_readiness(http: Endpoint) -> Readiness | None:
    """What /readyz says; None when nobody listens there. Raises nothing."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            reader, writer = await asyncio.open_connection(_reachable(http.address), http.port)
            try:
                writer.write(b"GET /readyz HTTP/1.0\r\nHost: localhost\r\n\r\n")
                return _read_readiness(await _read_all(reader))
            finally:
                writer.close()
    except (TimeoutError, ConnectionResetError):
        return Readiness(None)
    except OSError:
        return None


async def _read_all(reader: asyncio.StreamReader) -> bytes:
    """As much as there is, up to a size that no answer of ours has."""
    answer = b""
    while len(answer) < _MAX_ANSWER and (piece := await reader.read(_MAX_ANSWER)):
        answer += piece
    return answer


def _read_readiness(answer: bytes) -> Readiness:
    try:
        document: Any = json.loads(answer.partition(b"\r\n\r\n")[2])
        checks: dict[str, bool] = dict(document["checks"])
        return Readiness(bool(document["ready"]), tuple(name for name, good in checks.items() if not good))
    except (ValueError, TypeError, KeyError):
        return Readiness(None)


async def _try_to_connect(listener: Listener) -> Finding:
    greets = listener.tls != "implicit"
    expected = f"the relay {'greets' if greets else 'listens'} on {listener.endpoint}"
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            line = await _read_greeting(listener.endpoint) if greets else await _connect(listener.endpoint)
    except (OSError, ValueError) as error:
        found = "no answer" if isinstance(error, TimeoutError) else reason_of(error)
        return Finding("ports", Severity.FAIL, expected, found, "restart serve; its log says what is wrong")
    if greets and not line.startswith("220"):
        return Finding("ports", Severity.FAIL, expected, line or "no greeting", "is another program on this port?")
    return Finding("ports", Severity.OK, expected, line)


async def _connect(endpoint: Endpoint) -> str:
    _, writer = await asyncio.open_connection(_reachable(endpoint.address), endpoint.port)
    writer.close()
    return "it listens"


async def _read_greeting(endpoint: Endpoint) -> str:
    reader, writer = await asyncio.open_connection(_reachable(endpoint.address), endpoint.port)
    try:
        line = (await reader.readline()).decode("utf-8", "replace").strip()
        writer.write(b"QUIT\r\n")
        return line
    finally:
        writer.close()


def _try_to_bind(endpoint: Endpoint) -> Finding:
    expected = f"{endpoint} is free for the relay"
    try:
        with socket.socket(socket.AF_INET6 if ":" in endpoint.address else socket.AF_INET) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((endpoint.address, endpoint.port))
            sock.listen(1)
    except OSError as error:
        severity, advice = _TROUBLE.get(error.errno or 0, (Severity.FAIL, "see what the system says about it"))
        return Finding("ports", severity, expected, os.strerror(error.errno or 0), advice)
    return Finding("ports", Severity.OK, expected, "free")


_TROUBLE = {
    errno.EADDRINUSE: (Severity.FAIL, "another program has the port: stop it, or choose another port"),
    errno.EADDRNOTAVAIL: (Severity.FAIL, "this machine does not have the address: correct it, or use 0.0.0.0 or ::"),
    errno.EACCES: (
        Severity.WARNING,
        "ports below 1024 need CAP_NET_BIND_SERVICE: the systemd unit gives it; elsewhere choose a higher one",
    ),
}


def _reachable(host: str) -> str:
    """Where to connect to what listens on all addresses."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - asked, not bound
