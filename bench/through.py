"""Messages a second through the whole relay: accepted over SMTP, signed, delivered to a sink, on this machine.

Generator and sink are Python and take their share of the cores, so the figure is a floor, not the relay's best.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.hot import CONTENT
from directmail_relay.content.signing_keys import KeyKind, generate_private_key, render_private_key

SESSIONS = 20
START_SECONDS = 30.0
DELIVERY_SECONDS = 60.0


def measure_through(folder: Path, messages: int) -> Iterator[tuple[str, float]]:
    """(what, messages a second): until the last 250, and until the last delivery."""
    yield from asyncio.run(_measure(folder, messages))


async def _measure(folder: Path, messages: int) -> list[tuple[str, float]]:
    sink = await asyncio.start_server(_sink, "127.0.0.1", 0)
    smtp, http = _free_port(), _free_port()
    _write_config(folder, smtp, http, sink.sockets[0].getsockname()[1])
    command = [sys.executable, "-m", "directmail_relay", "serve", "-c", str(folder / "config.yaml")]
    with (folder / "log").open("wb") as log:
        relay = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: ASYNC220 - at once, and only once
        try:
            await _until(lambda: b"true" in _get(http, "readyz"), START_SECONDS)
            started = time.perf_counter()
            await asyncio.gather(*(_client(smtp, messages // SESSIONS) for _ in range(SESSIONS)))
            accepted = time.perf_counter() - started
            sent = messages // SESSIONS * SESSIONS
            await _until(
                lambda: f"directmail_delivered_total {sent}.0".encode() in _get(http, "metrics"), DELIVERY_SECONDS
            )
            delivered = time.perf_counter() - started
        finally:
            relay.terminate()
            await asyncio.to_thread(relay.wait)
            sink.close()
    return [
        (f"accepted: {SESSIONS} sessions, 10 KB, workers: auto", sent / accepted),
        ("the same, until all are delivered, signed", sent / delivered),
    ]


async def _client(port: int, messages: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await reader.readline()
    for line in (b"EHLO bench", b"AUTH PLAIN AHNlbmRlckBleGFtcGxlLnRlc3QAc2VjcmV0"):
        await _say(reader, writer, line)
    for _ in range(messages):
        for line in (b"MAIL FROM:<sender@example.test>", b"RCPT TO:<you@example.org>", b"DATA", CONTENT + b"."):
            await _say(reader, writer, line)
    writer.close()


async def _say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: bytes) -> None:
    writer.write(line + b"\r\n")
    while (reply := await reader.readline())[3:4] == b"-":
        pass
    if reply[:1] not in b"23":
        raise RuntimeError(f"refused: {reply!r}")


async def _sink(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 sink\r\n")
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while line := (await reader.readuntil(b"\n")).strip().upper():
            if line == b"DATA":
                writer.write(b"354 go on\r\n")
                await reader.readuntil(b"\r\n.\r\n")
            writer.write(b"250 ok\r\n")
            if line == b"QUIT":
                break
    writer.close()


def _write_config(folder: Path, smtp: int, http: int, sink: int) -> None:
    (folder / "dkim.pem").write_bytes(render_private_key(generate_private_key(KeyKind.RSA)))
    config = {
        "hostname": "bench.example.com",
        "smtp": {"listeners": [{"address": "127.0.0.1", "port": smtp}]},
        "http": {"listen": f"127.0.0.1:{http}"},
        "delivery": {"routes": [{"domain": "*", "host": "127.0.0.1", "port": sink, "tls": "none"}]},
        "accounts": [
            {
                "name": "bench",
                "domains": [{"name": "example.test", "dkim": {"selector": "s1", "key_file": "dkim.pem"}}],
                "addresses": [{"address": "sender@example.test", "password": "secret"}],
            }
        ],
    }
    (folder / "config.yaml").write_text(json.dumps(config))  # JSON is YAML


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def _get(port: int, path: str) -> bytes:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=2) as answer:
            return bytes(answer.read())
    except OSError:
        return b""


async def _until(holds: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not await asyncio.to_thread(holds):
        if time.monotonic() > deadline:
            raise TimeoutError("it did not come to that in time")
        await asyncio.sleep(0.05)
