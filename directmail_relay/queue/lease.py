"""Duties that one worker alone may do at a time (purging, sampling): a row names who has it.

A lease ends with the life of its holder: when another worker buries it, or it stops and gives the lease back.
"""

from __future__ import annotations

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from directmail_relay.database.schema import leases, workers
from directmail_relay.queue.claim import Claim, end_life


def take_lease(connection: Connection, duty: str, claim: Claim) -> bool:
    """Whether this worker has the duty now. Ask again before each round: leases go with lives."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    mine = {"duty": duty, "owner": claim.owner, "epoch": claim.epoch}
    connection.execute(insert(leases).on_conflict_do_nothing(), mine)
    row = connection.execute(select(leases).where(leases.c.duty == duty).with_for_update()).one_or_none()
    if row is None:  # its holder gave it back this very moment
        return False
    if (row.owner, row.epoch) == (claim.owner, claim.epoch):
        return True
    epoch = connection.execute(select(workers.c.epoch).where(workers.c.owner == row.owner)).scalar_one_or_none()
    if epoch == row.epoch:
        return False
    connection.execute(update(leases).where(leases.c.duty == duty).values(owner=claim.owner, epoch=claim.epoch))
    return True


def give_leases_back(connection: Connection, claim: Claim) -> None:
    """Lets go of every duty of this worker, when it stops in good order."""
    connection.execute(delete(leases).where(leases.c.owner == claim.owner, leases.c.epoch == claim.epoch))


def end_life_and_duties(connection: Connection, claim: Claim) -> int:
    """Gives every duty and every claim of this worker back, together. Returns how many recipients."""
    give_leases_back(connection, claim)
    return end_life(connection, claim)
