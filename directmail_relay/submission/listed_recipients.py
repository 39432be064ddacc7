"""Whether RCPT refuses a recipient: a filter in memory clears nearly all of them, the database decides on the others.

The filter holds every listed address of every account in a few bytes each; what it lets through is not listed. What it
holds up is asked of the database, whose word alone counts: so an address that was taken off a list is free at once.
New ones are read by their numbers every two seconds. Never blocks the loop; a database in trouble is raised (451).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from directmail_relay.accounts.listed import (
    Listed,
    count_listed,
    find_listed,
    read_last_number,
    read_listed,
    recipient_key,
)
from directmail_relay.database.engine import Database
from directmail_relay.mail.address import Address
from directmail_relay.submission.sieve import Sieve

PAGE = 1_000  # rows a read: neither reading nor adding them keeps the loop waiting
REBUILD_SECONDS = 86_400.0  # what was taken off stays in the filter until it is made anew
_GROWTH = 2


class ListedRecipients:
    """One worker's view of all lists. Call `refresh` every two seconds; `monotonic` gives seconds.

    Until the first one is done each recipient is looked up in the database.
    """

    def __init__(self, database: Database, monotonic: Callable[[], float]) -> None:
        self._database = database
        self._monotonic = monotonic
        self._sieve: Sieve | None = None
        self._read_up_to = 0
        self._built_at = 0.0

    async def find(self, account: str, rcpt: Address) -> Listed | None:
        """In which list of the account the recipient stands. Raises what the database raises."""
        key = recipient_key(str(rcpt))
        if self._sieve is not None and not self._sieve.may_hold((account, key)):
            return None
        return await self._database.read(find_listed, account, key)

    async def refresh(self) -> None:
        """Takes in what is new; everything, the first time, once a day and when the filter has become too small."""
        last = await self._database.read(read_last_number)
        sieve = self._sieve
        if sieve is None or sieve.is_full or self._is_old or last < self._read_up_to:  # a database that was restored
            await self._rebuild(last)
        elif last > self._read_up_to:
            await self._take_in(sieve, self._read_up_to, last)
            self._read_up_to = last

    @property
    def _is_old(self) -> bool:
        return self._monotonic() - self._built_at >= REBUILD_SECONDS

    async def _rebuild(self, last: int) -> None:
        """A new filter, filled before it takes the place of the old one: meanwhile nothing is forgotten."""
        started = self._monotonic()
        sieve = Sieve(_GROWTH * await self._database.read(count_listed))
        await self._take_in(sieve, 0, last)
        self._sieve, self._read_up_to, self._built_at = sieve, last, started

    async def _take_in(self, sieve: Sieve, after: int, last: int) -> None:
        while after < last:
            page = await self._database.read(read_listed, after, last, PAGE)
            for _, account, address in page:
                sieve.add((account, address))
            after = page[-1][0] if len(page) == PAGE else last
            await asyncio.sleep(0)
