"""Takes due recipients out of the queue, destination by destination, so that a full one costs the others nothing.

The destinations that have something due are found by hopping through the index from one to the next; how many rows
a destination has does not matter to the walk.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, text, update

from directmail_relay.database import schema
from directmail_relay.database.clock import from_ms, to_ms
from directmail_relay.mail.address import Address
from directmail_relay.mail.message import Kind, Message, Recipient, State
from directmail_relay.queue.claim import Claim

r, m = schema.recipients, schema.messages


@dataclass(frozen=True, slots=True)
class Due:
    """A claimed recipient with its message; `wanted` is what an operator wants of it (`drop`), mostly None."""

    message: Message
    recipient: Recipient
    wanted: str | None = None


# The next destination after a name that has anything due: one step in ix_recipients_due.
_hop = (
    select(r.c.destination)
    .where(
        r.c.state == text("'queued'"),  # as a literal: a bound value would hide the partial index from the planner
        r.c.kind == bindparam("of_kind"),
        r.c.destination > bindparam("after"),
    )
    .order_by(r.c.destination)
    .limit(1)
)


def next_due_at(connection: Connection) -> float | None:
    """POSIX seconds of the earliest due recipient; None when nothing waits."""
    earliest = connection.execute(
        select(r.c.due_at).where(r.c.state == text("'queued'")).order_by(r.c.due_at).limit(1)
    ).scalar_one_or_none()
    return None if earliest is None else from_ms(earliest)


def walk_destinations(connection: Connection, kind: Kind, after: str, limit: int) -> list[str]:
    """Up to `limit` destinations with queued recipients, in order, beginning behind `after`."""
    found: list[str] = []
    while len(found) < limit:
        destination = connection.execute(_hop, {"of_kind": kind.value, "after": after}).scalar_one_or_none()
        if destination is None:
            break
        found.append(destination)
        after = destination
    return found


def claim_due(connection: Connection, claim: Claim, kind: Kind, room: Mapping[str, int], now: float) -> list[Due]:
    """Claims what is due at `now`, at most `room[destination]` of each destination, the longest waiting first."""
    claimed: list[tuple[int, int]] = []
    for destination, limit in room.items():
        keys = connection.execute(
            select(r.c.env_id, r.c.idx)
            .where(
                r.c.state == text("'queued'"),
                r.c.kind == kind.value,
                r.c.destination == destination,
                r.c.due_at <= to_ms(now),
            )
            .order_by(r.c.due_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        ).all()
        claimed += [(key.env_id, key.idx) for key in keys]
    return _take(connection, claim, claimed) if claimed else []


def read_claimed(connection: Connection, claim: Claim, keys: Sequence[tuple[int, int]]) -> list[Due]:
    """Those of these (env_id, idx) that the claim still holds."""
    rows = connection.execute(
        _marked,
        {"of_env_ids": sorted({env_id for env_id, _ in keys}), "by_owner": claim.owner, "by_epoch": claim.epoch},
    )
    wanted = set(keys)  # the claim may hold others of the same messages
    return [Due(_message(row), _recipient(row), row.wanted) for row in rows if (row.env_id, row.idx) in wanted]


def read_content(connection: Connection, env_id: int) -> bytes | None:
    """The stored content; None when it is gone (its last recipient has ended)."""
    found = connection.execute(
        select(schema.contents.c.content).where(schema.contents.c.env_id == env_id)
    ).scalar_one_or_none()
    return None if found is None else bytes(found)


_mark = (
    update(r)
    .where(r.c.env_id == bindparam("of_env_id"), r.c.idx == bindparam("of_idx"))
    .values(state=State.DELIVERING.value, owner=bindparam("by_owner"), epoch=bindparam("by_epoch"))
)
_marked = (
    select(r, *(c.label(f"message_{c.name}") for c in m.c))
    .join(m, m.c.env_id == r.c.env_id)
    .where(
        r.c.env_id.in_(bindparam("of_env_ids", expanding=True)),
        r.c.owner == bindparam("by_owner"),
        r.c.epoch == bindparam("by_epoch"),
    )
    .order_by(r.c.due_at, r.c.env_id, r.c.idx)
)


def _take(connection: Connection, claim: Claim, keys: Sequence[tuple[int, int]]) -> list[Due]:
    # Row by row, and read back by env_id: SQLite reads the whole table for a list of pairs.
    by = {"by_owner": claim.owner, "by_epoch": claim.epoch}
    connection.execute(_mark, [{"of_env_id": env_id, "of_idx": index, **by} for env_id, index in keys])
    return read_claimed(connection, claim, keys)


def parse_stored(address: str) -> Address:
    """An address as we stored it: it was parsed at the door, so the last @ parts it."""
    local, _, domain = address.rpartition("@")
    return Address(local, domain)


def _message(row: Row[Any]) -> Message:
    return Message(
        env_id=row.env_id,
        account=row.message_account,
        mail_from=parse_stored(row.message_mail_from) if row.message_mail_from else None,
        message_id=row.message_message_id,
        recv_time=from_ms(row.message_recv_time),
        size=row.message_size,
        kind=Kind(row.message_kind),
        tag=row.message_tag,
        client_ip=row.message_client_ip,
        body_8bit=row.message_body_8bit,
        smtputf8=row.message_smtputf8,
        ret=row.message_ret,
        envid=row.message_envid,
    )


def _recipient(row: Row[Any]) -> Recipient:
    return Recipient(
        env_id=row.env_id,
        index=row.idx,
        rcpt=parse_stored(row.rcpt),
        destination=row.destination,
        attempts=row.attempts,
        due_at=from_ms(row.due_at),
        notify=row.notify,
        orcpt=row.orcpt,
    )
