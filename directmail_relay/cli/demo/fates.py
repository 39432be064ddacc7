"""What becomes of each message, read from the queue as `queue show` reads it, until every recipient has its end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from directmail_relay.cli.demo.failure import DemoFailedError
from directmail_relay.database.engine import Database
from directmail_relay.mail.attempt import Stage
from directmail_relay.mail.message import State
from directmail_relay.mail.reply import Reply
from directmail_relay.policy.classify import Classification, classify
from directmail_relay.queue.inspect import show_message

POLL_SECONDS = 0.2
ALL_ENDED_SECONDS = 20.0

# What the sandbox's mailboxes must come to: final state, the guide's status, attempts at least.
PROMISED = {
    "ok": (State.DELIVERED, 0, 1),
    "unknown": (State.FAILED, 2, 1),
    "full": (State.FAILED, 4, 1),
    "grey": (State.DELIVERED, 0, 2),
    "spam": (State.FAILED, 3, 1),
    "slow": (State.DELIVERED, 0, 1),
}


@dataclass(frozen=True, slots=True)
class Tried:
    """One attempt as the queue keeps it."""

    stage: Stage
    reply: Reply
    category: str
    mx_host: str | None
    tls: str | None

    @property
    def meaning(self) -> Classification:
        return classify(self.reply, self.stage)


@dataclass(frozen=True, slots=True)
class Fate:
    """A message's one recipient. `due_at` is when it is tried again, in POSIX seconds, None when it has ended."""

    mailbox: str
    env_id: int
    state: State
    status: int | None
    due_at: float | None
    tried: tuple[Tried, ...]

    @property
    def has_ended(self) -> bool:
        return self.state in {State.DELIVERED, State.FAILED}

    @property
    def is_as_promised(self) -> bool:
        state, status, attempts = PROMISED[self.mailbox]
        return (self.state, self.status) == (state, status) and len(self.tried) >= attempts


async def follow(
    database: Database, env_ids: Mapping[str, int], notice: Callable[[Mapping[str, Fate]], None]
) -> dict[str, Fate]:
    """Tells `notice` of all fates again and again until all have ended. Raises DemoFailedError after 20 s."""
    deadline = time.monotonic() + ALL_ENDED_SECONDS
    while True:
        fates = {name: await _read_fate(database, name, env_id) for name, env_id in env_ids.items()}
        notice(fates)
        waiting = [name for name, fate in fates.items() if not fate.has_ended]
        if not waiting:
            return fates
        if time.monotonic() > deadline:
            raise DemoFailedError(f"after {ALL_ENDED_SECONDS:.0f} s these have no end yet: {', '.join(waiting)}")
        await asyncio.sleep(POLL_SECONDS)


async def _read_fate(database: Database, mailbox: str, env_id: int) -> Fate:
    found = await database.read(show_message, env_id)
    if found is None:
        raise DemoFailedError(f"the queue does not know the message {env_id}, which was accepted")
    (recipient,) = found["recipients"]
    due_at = recipient["due_at"]
    return Fate(
        mailbox=mailbox,
        env_id=env_id,
        state=State(recipient["state"]),
        status=recipient["status"],
        due_at=None if due_at is None else datetime.fromisoformat(due_at).timestamp(),
        tried=tuple(_tried(attempt) for attempt in recipient["attempts"]),
    )


def _tried(attempt: Mapping[str, Any]) -> Tried:
    return Tried(
        stage=Stage(attempt["stage"]),
        reply=Reply(attempt["code"], attempt["text"], attempt["enhanced"]),
        category=attempt["category"],
        mx_host=attempt["mx_host"],
        tls=attempt["tls"],
    )
