"""Signs what goes out with the keys of its sender's domain, in threads, so that RSA does not hold up the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from directmail_relay.accounts.directory import DirectoryHolder
from directmail_relay.content.signing import sign
from directmail_relay.mail.message import Message

# RSA lets the interpreter go, so a second thread helps only while a message is being parsed or hashed.
THREADS = 2


class Signer:
    """`clock` gives POSIX seconds, for `t=`."""

    def __init__(self, directory: DirectoryHolder, clock: Callable[[], float]) -> None:
        self._directory = directory
        self._clock = clock
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="sign")

    async def sign(self, message: Message, content: bytes) -> bytes:
        """The content with one DKIM-Signature a key in front; as it is when its sender's domain has none."""
        if message.mail_from is None:
            return content
        keys = self._directory.current.dkim_keys(message.mail_from.domain, message.account)
        if not keys:
            return content
        loop, now = asyncio.get_running_loop(), int(self._clock())
        return await loop.run_in_executor(self._threads, lambda: sign(content, keys, now=now) + content)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
