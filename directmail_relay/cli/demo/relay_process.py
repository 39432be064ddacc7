"""The relay as an operator runs it: `python -m directmail_relay serve -c config.yaml`, its log in a file.

In a session of its own, so that a Ctrl-C reaches the demo alone, which then stops it in order.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress

from directmail_relay.cli.demo.failure import DemoFailedError
from directmail_relay.cli.demo.ports import LOOPBACK
from directmail_relay.cli.demo.stage import Stage

START_SECONDS = 20.0
STOP_SECONDS = 8.0
PROBE_SECONDS = 2.0
PAUSE_SECONDS = 0.1
LOG_LINES = 8
READY = '"event": "ready"'


class RelayProcess:
    """Between `start` and `stop` it runs. `stop` may be called in any state, and leaves no process behind."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Returns when it is ready to take mail. Raises DemoFailedError, with its last words, when it is not soon."""
        self._process = await self._launch()
        try:
            async with asyncio.timeout(START_SECONDS):
                await self._wait_until_ready(self._process)
        except TimeoutError:
            raise DemoFailedError(f"the relay was not ready after {START_SECONDS:.0f} s\n{self.last_words()}") from None

    async def _launch(self) -> asyncio.subprocess.Process:
        with self._stage.log.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "directmail_relay", "serve", "-c", str(self._stage.config)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._stage.folder,
                # What it keeps in the system's temporary directory goes with ours, even when it is killed.
                env={**os.environ, "TMPDIR": str(self._stage.folder)},
                start_new_session=True,
            )

    async def _wait_until_ready(self, process: asyncio.subprocess.Process) -> None:
        while not await self._is_ready():
            if process.returncode is not None:
                raise DemoFailedError(f"the relay did not come up\n{self.last_words()}")
            await asyncio.sleep(PAUSE_SECONDS)

    async def wait(self) -> int:
        """Until it ends by itself, which it should not."""
        if self._process is None:
            raise RuntimeError("not started")
        return await self._process.wait()

    async def stop(self) -> None:
        """In order where it can be had within a few seconds, then by force, the whole session."""
        if self._process is None:
            return
        if self._process.returncode is not None:
            self._kill_session(self._process)
            return
        self._process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self._kill_session(self._process)
            await self._process.wait()

    def last_words(self) -> str:
        """The end of its log."""
        lines = self._stage.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(["The relay's log ends with:", *lines[-LOG_LINES:]]) if lines else "Its log is empty."

    def _kill_session(self, process: asyncio.subprocess.Process) -> None:
        """The workers too, which a parent that was killed has left behind."""
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

    async def _is_ready(self) -> bool:
        # Its own word first: as long as it is not there, another relay may be listening at that port.
        return self._says_ready() and await self._answers()

    def _says_ready(self) -> bool:
        return any(READY in line for line in self._stage.log.read_text(encoding="utf-8", errors="replace").splitlines())

    async def _answers(self) -> bool:
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                reader, writer = await asyncio.open_connection(LOOPBACK, self._stage.http_port)
                try:
                    writer.write(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                    return (await reader.readline()).split(b" ")[1:2] == [b"200"]
                finally:
                    writer.close()
        except (OSError, ValueError):  # TimeoutError is an OSError
            return False
