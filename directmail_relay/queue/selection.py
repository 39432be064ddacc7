"""Which recipients an operator means: by env_id, address, destination, account, state.

What is open is a small part of a table that keeps a month of history, so each open state is looked up through its
own partial index and the three are put together; one condition with OR would read the whole table.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Select, Subquery, exists, func, literal_column, select, union_all

from directmail_relay.database import schema
from directmail_relay.mail.message import Kind, State

r, m = schema.recipients, schema.messages

# As literals: a bound value would hide the partial indexes from the planner.
OPEN_STATES: dict[State, ColumnElement[bool]] = {
    State.QUEUED: r.c.state == literal_column("'queued'"),
    State.DELIVERING: r.c.owner.is_not(None),
    State.HELD: r.c.state == literal_column("'held'"),
}


@dataclass(frozen=True, slots=True)
class Selection:
    """Which open recipients are meant; what is None does not narrow. Addresses and domains in any case.

    `state` is one of OPEN_STATES; how a recipient ended is shown by its message.
    """

    env_id: int | None = None
    rcpt: str | None = None
    destination: str | None = None
    account: str | None = None
    state: State | None = None

    @property
    def is_everything(self) -> bool:
        return self == Selection()

    def conditions(self) -> list[ColumnElement[bool]]:
        """What narrows, for a WHERE over `recipients`, but for the state."""
        found: list[ColumnElement[bool]] = []
        if self.env_id is not None:
            found.append(r.c.env_id == self.env_id)
        if self.rcpt is not None:
            found += _is_for(self.rcpt.rpartition("@")[2])
            found.append(func.lower(r.c.rcpt) == func.lower(self.rcpt))  # in SQL: SQLite lowers ASCII alone
        if self.destination is not None:
            found += _is_for(self.destination)
        if self.account is not None:
            # By each row's own message: a list of all messages of the account would hold a month of history.
            found.append(exists(select(m.c.env_id).where(m.c.env_id == r.c.env_id, m.c.account == self.account)))
        return found

    def open_recipients(self) -> Subquery:
        """The open recipients that are meant, as a subquery with all columns of `recipients`."""
        states = OPEN_STATES.values() if self.state is None else [OPEN_STATES[self.state]]
        parts: list[Select[tuple[object, ...]]] = [select(r).where(state, *self.conditions()) for state in states]
        return union_all(*parts).subquery("open_recipients")


def read_keys(connection: Connection, selection: Selection) -> list[tuple[int, int]]:
    """The (env_id, idx) of every open recipient that is meant, in order.

    Read outside of any write transaction: an order then goes through them by key, and holds nobody up by searching.
    """
    o = selection.open_recipients()
    return sorted((row.env_id, row.idx) for row in connection.execute(select(o.c.env_id, o.c.idx)))


def _is_for(destination: str) -> list[ColumnElement[bool]]:
    # Every kind is named, since ix_recipients_due begins with it.
    return [r.c.kind.in_([kind.value for kind in Kind]), r.c.destination == destination.lower()]
