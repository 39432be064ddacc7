"""Keeps a worker's directory at what the database says: looks at the version every two seconds, and when asked to.

Reading takes place in a reader's thread, so mail goes on meanwhile; the new picture is swapped in at once. A database
in trouble, or rows that contradict each other, leave the old picture standing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import structlog

from directmail_relay.accounts.changes import read_version
from directmail_relay.accounts.directory import DirectoryHolder
from directmail_relay.accounts.registered import Keys, Picture, ReadKeys, read_picture
from directmail_relay.database.engine import Database
from directmail_relay.database.errors import TROUBLE

log = structlog.get_logger()

POLL_SECONDS = 2.0
LOOK_SECONDS = 2.0  # that a login waits for the database, at most
# While everything changes all the time, reading it takes one part in so many of a core.
SHARE = 4


class Registry:
    """`load` once before anybody looks anything up, then `serve`. Belongs to one event loop.

    `read_keys` reads the keys that are registered; `clock` gives POSIX seconds.
    """

    def __init__(
        self,
        database: Database,
        directory: DirectoryHolder,
        read_keys: ReadKeys,
        clock: Callable[[], float],
    ) -> None:
        self._database = database
        self._directory = directory
        self._read_keys = read_keys
        self._clock = clock
        self._declared_keys: Keys = {}
        self._grace = 0.0
        self._wanted = 1  # how many configurations were taken over, and with which of them the picture was made
        self._made = 0
        self._version = 0
        self._valid_until: float | None = None
        self._not_before = 0.0
        self._reading = asyncio.Lock()
        self._looks = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def take_over(self, declared_keys: Keys, grace: float) -> None:
        """What the configuration adds: keys, and for how many seconds a domain may send after its records broke.

        Counts from the next look on, which will read everything.
        """
        self._declared_keys, self._grace = declared_keys, grace
        self._wanted += 1

    async def load(self) -> None:
        """Reads everything now. Raises what the database raises, and ValueError for rows that contradict each other."""
        async with self._reading:
            await self._load()

    async def look(self) -> None:
        """Brings the directory up to date if it is not. Whoever comes while somebody looks waits for the next look.

        A look that begins after the call sees all that was committed before the call.
        """
        mine = self._looks + 1 + self._reading.locked()
        async with self._reading:
            if self._looks >= mine:  # somebody who waited as well has looked meanwhile
                return
            if await self._is_old():
                # A burst of changes must not keep a core busy with reading them one by one.
                await asyncio.sleep(max(0.0, self._not_before - time.monotonic()))
                await self._load()
            self._looks += 1

    async def look_for_login(self) -> None:
        """Before a login is verified that was not seen lately: an address, a password may have been set just now.

        Never raises, and waits two seconds at most; with a database in trouble the directory stays as it is.
        """
        task = asyncio.create_task(self._look_calmly())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # What takes longer goes on behind the login's back: broken off, it would have to begin anew each time.
        await asyncio.wait({task}, timeout=LOOK_SECONDS)

    async def serve(self) -> None:
        """Looks every two seconds, whatever happens."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            await self._look_calmly()

    async def close(self) -> None:
        """Ends what still looks, before the database is closed."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _look_calmly(self) -> None:
        try:
            await self.look()
        except (*TROUBLE, ValueError) as error:
            log.error("duty_failed", duty="registry", error=type(error).__name__)

    async def _is_old(self) -> bool:
        if self._made != self._wanted or (self._valid_until is not None and self._clock() >= self._valid_until):
            return True
        return await self._database.read(read_version) != self._version

    async def _load(self) -> None:
        started, wanted = time.monotonic(), self._wanted
        picture: Picture = await self._database.read(
            read_picture,
            self._clock(),
            grace=self._grace,
            declared_keys=self._declared_keys,
            read_keys=self._read_keys,
        )
        self._directory.replace(picture.directory)
        self._made, self._version, self._valid_until = wanted, picture.version, picture.valid_until
        now = time.monotonic()
        self._not_before = now + SHARE * (now - started)
