"""`workers: 1`: the relay in this very process, with the same signals and the same answers to systemd."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

from directmail_relay.app.place import Place
from directmail_relay.app.relay import Relay
from directmail_relay.database.errors import TROUBLE
from directmail_relay.submission.node import make_node_memory
from directmail_relay.telemetry.logs import get_logger
from directmail_relay.telemetry.systemd import (
    READY,
    STOPPING,
    WATCHDOG,
    notify_reloading,
    notify_systemd,
    watchdog_seconds,
)
from directmail_relay.workers.reloading import Loaded, reload
from directmail_relay.workers.sockets import Sockets, StartError

log = get_logger("relay")

STOP_SECONDS = 28.0  # as for workers: a database that is gone must not keep a stop from ending within 30


async def serve_alone(path: Path, loaded: Loaded, sockets: Sockets) -> None:
    """Runs until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    relay = Relay(loaded.config, Place(0, 1, sockets.smtp, sockets.http, make_node_memory(1)))
    try:
        await relay.start()
    except TROUBLE as error:
        raise StartError(f"the database cannot be used: {type(error).__name__}") from error
    reloads = _Reloads(path, loaded, relay)
    loop.add_signal_handler(signal.SIGHUP, reloads.ask)
    tasks = [asyncio.create_task(reloads.serve()), asyncio.create_task(_feed_watchdog())]
    notify_systemd(READY, "STATUS=1 worker")
    log.info("ready", workers=1, **sockets.names)
    await stopping.wait()
    notify_systemd(STOPPING)
    log.info("stopping", workers=1)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    deadline = loop.call_later(STOP_SECONDS, _leave)
    await relay.stop()
    deadline.cancel()


def _leave() -> None:
    """Ends the process as it stands. What it held is freed by its next life, as after a `kill -9`."""
    log.error("stop_too_slow", workers=[0])
    os._exit(1)


class _Reloads:
    """One reload after the other; several requests at once are one."""

    def __init__(self, path: Path, loaded: Loaded, relay: Relay) -> None:
        self._path = path
        self._loaded = loaded
        self._relay = relay
        self._asked = asyncio.Event()

    def ask(self) -> None:
        self._asked.set()

    async def serve(self) -> None:
        while True:
            await self._asked.wait()
            self._asked.clear()
            notify_reloading()
            new = await asyncio.to_thread(reload, self._path, self._loaded)
            if new is not None:
                await self._take_over(new)
            notify_systemd(READY)

    async def _take_over(self, new: Loaded) -> None:
        try:
            await self._relay.reload(new.config)
        except (ValueError, OSError) as error:
            log.error("reload_refused", version=new.version, error=str(error))
        else:
            self._loaded = new


async def _feed_watchdog() -> None:
    seconds = watchdog_seconds()
    while seconds is not None:
        notify_systemd(WATCHDOG)
        await asyncio.sleep(seconds)
