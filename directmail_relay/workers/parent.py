"""Keeps the workers alive: starts them, restarts what dies, tells them of a new configuration, stops them in time.

It serves nobody itself, so whatever kills a worker leaves it standing. When it dies itself, the workers see the end
of their link and stop.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from directmail_relay.app.declared import without_passwords
from directmail_relay.submission.node import make_node_memory
from directmail_relay.telemetry.logs import LogFormat, get_logger
from directmail_relay.telemetry.metrics_directory import mark_worker_dead
from directmail_relay.telemetry.systemd import (
    READY,
    STOPPING,
    WATCHDOG,
    notify_reloading,
    notify_systemd,
    watchdog_seconds,
)
from directmail_relay.workers.link import Assignment, Word, encode
from directmail_relay.workers.reloading import Loaded, reload
from directmail_relay.workers.sockets import Sockets, StartError

log = get_logger("parent")

STOP_SECONDS = 28.0  # then what is left is killed, so that a stop ends within 30
START_SECONDS = 60.0  # for all workers to be ready at the first start
STILL_SECONDS = 20.0  # a worker whose loop has not turned for so long is killed and replaced
WATCH_SECONDS = 2.0
SHORT_LIFE_SECONDS = 5.0
PAUSE_SECONDS = 1.0  # before the successor of a short life


@dataclass(slots=True)
class _Worker:
    number: int
    process: asyncio.subprocess.Process
    link: socket.socket
    started: float
    beat: float
    ready: asyncio.Event = field(default_factory=asyncio.Event)


class Parent:
    """One node. `serve` returns when everything has stopped."""

    def __init__(self, path: Path, loaded: Loaded, workers: int, sockets: Sockets, log_format: LogFormat) -> None:
        self._path = path
        self._loaded = loaded
        self._count = workers
        self._sockets = sockets
        self._log_format = log_format
        self._memory = make_node_memory(workers)
        self._workers: dict[int, _Worker] = {}
        self._stopping = asyncio.Event()
        self._reloading = asyncio.Lock()

    async def serve(self) -> None:
        """Runs until SIGTERM or SIGINT. Raises StartError when the workers do not come up."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        async with asyncio.TaskGroup() as group:
            loop.add_signal_handler(signal.SIGHUP, lambda: group.create_task(self._reload()))
            keepers = [group.create_task(self._keep(number)) for number in range(self._count)]
            try:
                await self._wait_until_ready()
                watch = [group.create_task(self._feed_watchdog()), group.create_task(self._watch_beats())]
                await self._stopping.wait()
                for task in watch:
                    task.cancel()
            finally:
                self._stopping.set()
                notify_systemd(STOPPING)
                log.info("stopping", workers=len(self._workers))
                await self._stop(keepers)

    async def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self._stopping.is_set():
            if len(self._workers) == self._count and all(one.ready.is_set() for one in self._workers.values()):
                notify_systemd(READY, f"STATUS={self._count} workers")
                log.info("ready", workers=self._count, **self._sockets.names)
                return
            if time.monotonic() > deadline:
                raise StartError("the workers do not come up; their log lines above say why")
            await asyncio.sleep(0.02)

    async def _keep(self, number: int) -> None:
        """Keeps worker `number` alive until the stop."""
        while not self._stopping.is_set():
            worker = await self._start(number)
            code = await worker.process.wait()
            del self._workers[number]
            asyncio.get_running_loop().remove_reader(worker.link)
            worker.link.close()
            mark_worker_dead(number)
            self._memory.forget_worker(number)
            if self._stopping.is_set():
                return
            lived = time.monotonic() - worker.started
            log.error("worker_died", worker=number, exit_code=code, lived_seconds=round(lived, 1))
            if lived < SHORT_LIFE_SECONDS:
                await asyncio.sleep(PAUSE_SECONDS)

    async def _start(self, number: int) -> _Worker:
        ours, theirs = socket.socketpair()
        fds = [sock.fileno() for sock in self._sockets.all]
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-P", "-m", "directmail_relay.workers.child", str(theirs.fileno())),
            pass_fds=[theirs.fileno(), *fds, *self._memory.fds],
            stdin=subprocess.DEVNULL,
            env=dict(os.environ),
        )
        theirs.close()
        ours.setblocking(False)
        worker = _Worker(number, process, ours, time.monotonic(), time.monotonic())
        self._workers[number] = worker
        await self._assign(worker)
        asyncio.get_running_loop().add_reader(ours, self._hear, worker)
        log.info("worker_started", worker=number, pid=process.pid)
        if self._stopping.is_set():  # the stop came while it was being started, and did not see it
            process.send_signal(signal.SIGTERM)
        return worker

    async def _assign(self, worker: _Worker) -> None:
        assignment = Assignment(
            version=self._loaded.version,
            config=without_passwords(self._loaded.config),
            worker=worker.number,
            workers=self._count,
            smtp_fds=tuple(sock.fileno() for sock in self._sockets.smtp),
            http_fd=self._sockets.http.fileno(),
            log_format=self._log_format,
            memory=self._memory,
        )
        try:
            await asyncio.get_running_loop().sock_sendall(worker.link, encode(assignment))
        except OSError:  # it died already; `_keep` finds that out
            return

    def _hear(self, worker: _Worker) -> None:
        try:
            words = worker.link.recv(4096)
        except OSError:
            words = b""
        if not words:
            asyncio.get_running_loop().remove_reader(worker.link)
            return
        worker.beat = time.monotonic()
        if Word.READY.value in words:
            worker.ready.set()

    async def _reload(self) -> None:
        async with self._reloading:
            notify_reloading()
            new = await asyncio.to_thread(reload, self._path, self._loaded)
            if new is not None:
                self._loaded = new
                for worker in list(self._workers.values()):
                    await self._assign(worker)
            notify_systemd(READY)

    async def _watch_beats(self) -> None:
        """Kills a worker whose loop stands still: it may hold the lock that all others wait for."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            for worker in self._workers.values():
                silent = time.monotonic() - worker.beat
                if silent > STILL_SECONDS and worker.ready.is_set():
                    log.error("worker_still", worker=worker.number, silent_seconds=round(silent, 1))
                    worker.process.kill()

    async def _feed_watchdog(self) -> None:
        """Tells systemd that we live; the workers are ours to watch."""
        seconds = watchdog_seconds()
        while seconds is not None:
            notify_systemd(WATCHDOG)
            await asyncio.sleep(seconds)

    async def _stop(self, keepers: list[asyncio.Task[None]]) -> None:
        for worker in self._workers.values():
            worker.process.send_signal(signal.SIGTERM)
        _, late = await asyncio.wait(keepers, timeout=STOP_SECONDS)
        if late:
            log.error("stop_too_slow", workers=sorted(self._workers))
            for worker in self._workers.values():
                worker.process.kill()
            await asyncio.wait(late)
