"""The whole relay as a process of its own, with a configuration, ports and a folder of its own.

It is driven as people drive it: by SMTP, HTTP, signals and commands, and tells what it did by its log lines. Every wait
has a deadline, so that what never comes fails the test.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import copy
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import httpx
import yaml
from typer.testing import CliRunner

from directmail_relay.cli.commands import app
from tests.fakes.smtp_front import Client

PATIENCE = 15.0
STEP = 0.02


ACCOUNT: dict[str, Any] = {
    "name": "shop",
    "domains": [{"name": "test.com", "verified": True}],
    "addresses": [{"address": "test@test.com", "password": "test"}],
}

MESSAGE = b"From: test@test.com\r\nTo: someone\r\nSubject: Invoice 4711\r\n\r\nThe content, which nobody logs.\r\n"


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


def make_config(**sections: Any) -> dict[str, Any]:
    """A configuration with one account and short waits; `sections` replace or, where both are mappings, add."""
    config: dict[str, Any] = {
        "hostname": "relay.test",
        "workers": 1,
        "database": {"url": "sqlite:///relay.db"},
        "smtp": {"listeners": [{"address": "127.0.0.1", "port": free_port(), "tls": "none"}]},
        "http": {"listen": f"127.0.0.1:{free_port()}"},
        "delivery": {
            "allow_private_mx": True,
            "retry": {"schedule": ["300ms"], "lifetime": "1h"},
            "dns": {"timeout": "2s"},
            "timeouts": {"connect": "2s"},
        },
        "accounts": [copy.deepcopy(ACCOUNT)],
    }
    for name, value in sections.items():
        both = isinstance(value, dict) and isinstance(config.get(name), dict)
        config[name] = {**config[name], **value} if both else value
    return config


def route_to(port: int) -> dict[str, Any]:
    """The `delivery:` section that sends all mail to one port on loopback."""
    return {"routes": [{"domain": "*", "host": "127.0.0.1", "port": port, "tls": "none"}]}


class RelayProcess:
    """`async with RelayProcess(folder, make_config())`: then it is ready. It is killed at the end if it still runs."""

    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        self.folder = folder
        self.config: dict[str, Any] = copy.deepcopy(dict(config))
        self.file = folder / "config.yaml"
        self._output = folder / "log.jsonl"
        self._process: subprocess.Popen[bytes] | None = None
        self.clients: list[Client] = []

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.end()

    @property
    def smtp_port(self) -> int:
        port: int = self.config["smtp"]["listeners"][0]["port"]
        return port

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def write_config(self) -> None:
        self.file.write_text(yaml.safe_dump(self.config, sort_keys=False), encoding="utf-8")

    async def start(self) -> None:
        """Returns when every worker takes mail."""
        self.write_config()
        starts = self._output.exists() and len(self.logs("ready"))
        self.launch()
        await self.until(self.is_ready, "the relay is ready")
        await self.log("ready", count=starts + 1)

    def launch(self) -> None:
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "directmail_relay", "serve", "-c", str(self.file)],
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                cwd=self.folder,
                start_new_session=True,  # so that `kill` reaches the workers too
            )

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    async def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.signal(signal.SIGTERM)
        return await self.exit_code(30)

    async def exit_code(self, seconds: float = PATIENCE) -> int:
        process = self._process
        assert process is not None
        await self.until(lambda: process.poll() is not None, "the relay has ended", seconds)
        return int(process.returncode)

    def kill(self) -> None:
        """`kill -9` for all its processes at once, as when the power fails."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def kill_parent(self) -> None:
        """`kill -9` for the process that was started alone; its workers are on their own."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    async def end(self) -> None:
        """Kills it and lets go of all connections to it."""
        self.kill()
        for client in self.clients:
            await client.close()

    def worker_pids(self) -> dict[int, int]:
        """Worker number → process id, as they were started last."""
        return {line["worker"]: line["pid"] for line in self.logs("worker_started")}

    # ── what it says ────────────────────────────────────────────────────────────────────────────────

    @property
    def output(self) -> str:
        return self._output.read_text(encoding="utf-8")

    def logs(self, event: str | None = None, **facts: Any) -> list[dict[str, Any]]:
        """The log lines with this event and these facts."""
        lines = [json.loads(line) for line in self.output.splitlines(keepends=True) if line.endswith("\n")]
        return [
            line
            for line in lines
            if event in {None, line.get("event")} and all(line.get(key) == value for key, value in facts.items())
        ]

    async def log(self, event: str, count: int = 1, seconds: float = PATIENCE, **facts: Any) -> list[dict[str, Any]]:
        """Waits until there are so many lines like this."""
        await self.until(lambda: len(self.logs(event, **facts)) >= count, f"{count} × {event} {facts}", seconds)
        return self.logs(event, **facts)

    async def until(self, holds: Callable[[], Any], what: str, seconds: float = PATIENCE) -> None:
        """Looks again and again until it holds."""
        deadline = time.monotonic() + seconds
        while not await asyncio.to_thread(holds):
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {seconds} s: {what}\n{self.output[-6000:]}")
            await asyncio.sleep(STEP)

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"http://{self.config['http']['listen']}{path}", timeout=5, trust_env=False)

    def is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"the relay ended:\n{self.output[-6000:]}"
        try:
            return self.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def metrics(self) -> dict[str, float]:
        """`name{labels}` → value."""
        lines = [line for line in self.get("/metrics").text.splitlines() if line and not line.startswith("#")]
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}

    async def command(self, *words: str) -> tuple[int, str]:
        """A command of `directmail-relay`, in this process (a new one would take seconds); exit code and output."""
        result = await asyncio.to_thread(CliRunner().invoke, app, [*words, "-c", str(self.file)])
        return result.exit_code, result.stdout

    async def queue(self, *words: str) -> Any:
        """The JSON document that `queue WORDS --json` prints."""
        code, output = await self.command("queue", *words, "--json")
        assert code == 0, output
        return json.loads(output)

    # ── mail ────────────────────────────────────────────────────────────────────────────────────────

    async def connect(self, login: str = "test@test.com", password: str = "test") -> Client:
        """A client that is greeted and logged in."""
        client = await self.connect_unknown()
        reply = await self.log_in(client, login, password)
        assert reply.startswith(b"235"), reply
        return client

    async def connect_unknown(self) -> Client:
        client = Client(*await asyncio.open_connection("127.0.0.1", self.smtp_port))
        self.clients.append(client)
        await client.expect("220")
        assert (await client.ask("EHLO client.test")).startswith(b"250")
        return client

    async def log_in(self, client: Client, login: str, password: str) -> bytes:
        await client.send(b"AUTH LOGIN\r\n")
        await client.expect("334")
        assert (await client.ask(_base64(login))).startswith(b"334")
        return await client.ask(_base64(password))

    async def send(self, *rcpt_to: str, content: bytes = MESSAGE, client: Client | None = None) -> str:
        """Sends one message and returns its env_id."""
        mine = client or await self.connect()
        reply = await submit(mine, *rcpt_to, content=content)
        if client is None:
            await mine.close()
        return env_id_of(reply)


async def submit(client: Client, *rcpt_to: str, mail_from: str = "test@test.com", content: bytes = MESSAGE) -> bytes:
    """From MAIL to the reply after the dot, of a client that is logged in; the first refusal ends it."""
    commands = [f"MAIL FROM:<{mail_from}>", *(f"RCPT TO:<{rcpt}>" for rcpt in rcpt_to), "DATA"]
    for command in commands:
        reply = await client.ask(command)
        if not reply.startswith((b"250", b"354")):
            return reply
    await client.send(content + b".\r\n")
    return await client.reply()


def env_id_of(reply: bytes) -> str:
    """`250 Data Ok: queued as freedom ###envid=148316944` → `148316944`."""
    assert reply.startswith(b"250 Data Ok: queued as freedom ###envid="), reply
    return reply.decode().strip().rpartition("=")[2]


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
