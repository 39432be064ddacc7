"""A message on the way out, shared by all its recipients here: its content, and the signature made once for all.

The content of what was just accepted is at hand; that of a retry is read when its turn comes, not when it is claimed,
so that a long queue costs no memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from directmail_relay.delivery.outgoing import Outgoing
from directmail_relay.mail.message import Message, Recipient
from directmail_relay.queue.claim import Claim

Read = Callable[[int], Awaitable[bytes | None]]
Sign = Callable[[Message, bytes], Awaitable[bytes]]


class Parcel:
    """One message and its content. `open_works` counts the works that still need it."""

    __slots__ = ("_content", "_lock", "_signed", "message", "open_works")

    def __init__(self, message: Message, content: bytes | None) -> None:
        self.message = message
        self.open_works = 0
        self._content = content
        self._signed: bytes | None = None
        self._lock = asyncio.Lock()

    @property
    def bytes_held(self) -> int:
        """What the ceiling on memory counts: the stored size, whether it has been read yet or not."""
        return self.message.size

    async def prepare(self, read: Read, sign: Sign) -> bytes:
        """The content as it will be sent, signature and all. LookupError when the database no longer has it."""
        async with self._lock:
            if self._signed is None:
                content = self._content if self._content is not None else await read(self.message.env_id)
                if content is None:
                    raise LookupError("the content of a message with open recipients is gone")
                self._signed = await sign(self.message, content)
                self._content = None
            return self._signed


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """One transaction to be made: those recipients of a message that share a destination, and what we hold them by."""

    parcel: Parcel
    recipients: tuple[Recipient, ...]
    claim: Claim

    @property
    def destination(self) -> str:
        return self.recipients[0].destination

    def without(self, keys: set[tuple[int, int]]) -> Work | None:
        """The work less those recipients; None when nobody is left."""
        left = tuple(one for one in self.recipients if (one.env_id, one.index) not in keys)
        return Work(self.parcel, left, self.claim) if left else None

    def outgoing(self, content: bytes) -> Outgoing:
        message = self.parcel.message
        return Outgoing(
            env_id=message.env_id,
            mail_from=message.mail_from,
            recipients=self.recipients,
            content=content,
            body_8bit=message.body_8bit,
            smtputf8=message.smtputf8,
            ret=message.ret,
            envid=message.envid,
        )
