"""Who delivers what: a worker's lives, its claims, and what happens to them when it dies.

A claim carries (owner, epoch). A worker that starts gets a new epoch and frees what its earlier life held. Whoever
finds another's beat unmoved for long enough ends that life by raising its epoch, so a worker that was only asleep
finds its settles refused: nobody delivers a recipient that another has taken over.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, case, delete, null, select, update

from directmail_relay.database.schema import recipients, sessions, workers
from directmail_relay.mail.message import State


@dataclass(frozen=True, slots=True)
class Claim:
    """The mark on a claimed row: which worker, in which of its lives."""

    owner: int
    epoch: int


class ClaimLostError(RuntimeError):
    """Another worker has declared this one dead and taken its rows over."""


# Freed rows go back to the queue, but for those that an operator wants held; a wanted drop stays for the next owner.
_FREE = {
    "state": case((recipients.c.wanted == "hold", State.HELD.value), else_=State.QUEUED.value),
    "wanted": case((recipients.c.wanted == "hold", null()), else_=recipients.c.wanted),
    "owner": null(),
    "epoch": null(),
}


def begin_life_anew(connection: Connection, owner: int) -> tuple[Claim, list[tuple[int, int]]]:
    """`begin_life`, and which (env_id, idx) an earlier life of this worker still held."""
    held = connection.execute(
        select(recipients.c.env_id, recipients.c.idx)
        .where(recipients.c.owner == owner)
        .order_by(recipients.c.env_id, recipients.c.idx)
    ).all()
    claim, _ = begin_life(connection, owner)
    return claim, [(row.env_id, row.idx) for row in held]


def begin_life(connection: Connection, owner: int) -> tuple[Claim, int]:
    """A new epoch for this worker; frees what an earlier life of it still held. Returns the claim and how many rows."""
    row = connection.execute(select(workers.c.epoch).where(workers.c.owner == owner).with_for_update()).one_or_none()
    epoch = 1 if row is None else row.epoch + 1
    if row is None:
        connection.execute(workers.insert().values(owner=owner, epoch=epoch, beat=0))
    else:
        connection.execute(update(workers).where(workers.c.owner == owner).values(epoch=epoch, beat=0))
    return Claim(owner, epoch), _free(connection, owner)


def beat(connection: Connection, claim: Claim, open_sessions: Mapping[str, int] | None = None) -> None:
    """Says that this worker lives, and how many sessions it has open to each destination.

    Raises ClaimLostError when another has ended this life.
    """
    result = connection.execute(
        update(workers)
        .where(workers.c.owner == claim.owner, workers.c.epoch == claim.epoch)
        .values(beat=workers.c.beat + 1)
    )
    if result.rowcount != 1:
        raise ClaimLostError(f"worker {claim.owner} was declared dead in its life {claim.epoch}")
    if open_sessions is not None:
        connection.execute(delete(sessions).where(sessions.c.owner == claim.owner))
        rows = [{"owner": claim.owner, "destination": name, "open": n} for name, n in open_sessions.items()]
        if rows:
            connection.execute(sessions.insert(), rows)


def read_beats(connection: Connection) -> dict[int, tuple[int, int]]:
    """The (epoch, beat) of every worker, by owner, for those who watch each other."""
    return {row.owner: (row.epoch, row.beat) for row in connection.execute(select(workers))}


def bury(connection: Connection, owner: int, epoch: int, beat: int) -> int | None:
    """Ends the life of a worker whose beat has not moved; frees its rows. None when it moved after all."""
    result = connection.execute(
        update(workers)
        .where(workers.c.owner == owner, workers.c.epoch == epoch, workers.c.beat == beat)
        .values(epoch=epoch + 1)
    )
    return _free(connection, owner) if result.rowcount == 1 else None


def end_life(connection: Connection, claim: Claim) -> int:
    """Gives every claim of this worker back, when it stops in good order. Returns how many rows."""
    alive = select(workers.c.owner).where(workers.c.owner == claim.owner, workers.c.epoch == claim.epoch)
    connection.execute(delete(sessions).where(sessions.c.owner.in_(alive)))
    result = connection.execute(
        update(recipients).where(recipients.c.owner == claim.owner, recipients.c.epoch == claim.epoch).values(**_FREE)
    )
    return result.rowcount


_give_back = (
    update(recipients)
    .where(
        recipients.c.env_id == bindparam("of_env_id"),
        recipients.c.idx == bindparam("of_idx"),
        recipients.c.owner == bindparam("of_owner"),
        recipients.c.epoch == bindparam("of_epoch"),
    )
    .values(**_FREE)
)


def give_back(connection: Connection, claim: Claim, keys: Collection[tuple[int, int]]) -> None:
    """Gives these (env_id, idx) back unattempted, as far as the claim still holds."""
    # Row by row: SQLite reads the whole table for a list of pairs.
    rows = [
        {"of_env_id": env_id, "of_idx": index, "of_owner": claim.owner, "of_epoch": claim.epoch}
        for env_id, index in sorted(keys)
    ]
    if rows:
        connection.execute(_give_back, rows)


def read_claimed_keys(connection: Connection, claim: Claim) -> list[tuple[int, int]]:
    """Every (env_id, idx) that the claim holds."""
    rows = connection.execute(
        select(recipients.c.env_id, recipients.c.idx).where(
            recipients.c.owner == claim.owner, recipients.c.epoch == claim.epoch
        )
    )
    return [(row.env_id, row.idx) for row in rows]


def read_wanted(connection: Connection, claim: Claim) -> dict[tuple[int, int], str]:
    """What operators want of rows that this worker holds: (env_id, idx) → hold or drop."""
    rows = connection.execute(
        select(recipients.c.env_id, recipients.c.idx, recipients.c.wanted).where(
            recipients.c.owner == claim.owner, recipients.c.wanted.is_not(None)
        )
    )
    return {(row.env_id, row.idx): row.wanted for row in rows}


def _free(connection: Connection, owner: int) -> int:
    connection.execute(delete(sessions).where(sessions.c.owner == owner))
    return connection.execute(update(recipients).where(recipients.c.owner == owner).values(**_FREE)).rowcount
