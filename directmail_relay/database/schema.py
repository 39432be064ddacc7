"""The tables. Times are integer milliseconds since 1970, UTC. The migrations build exactly this; a test compares them.

queue/ owns messages, contents, recipients, attempts, usage, outbox, workers and leases. No statement joins these
with tables of other packages (docs/design.md), so that one day each node can keep its queue on a disk of its own.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# In SQLite an INTEGER key is the table's own row number, and costs no second tree; it has 64 bits there. PostgreSQL
# wants BIGINT for that range.
_Key = BigInteger().with_variant(Integer, "sqlite")

messages = Table(
    "messages",
    metadata,
    Column("env_id", _Key, primary_key=True, autoincrement=False),
    Column("account", Text, nullable=False),
    Column("mail_from", Text, nullable=False, comment="empty for the null reverse-path"),
    Column("message_id", Text, nullable=False),
    Column("recv_time", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("tag", Text),
    Column("client_ip", Text),
    Column("body_8bit", Boolean, nullable=False),
    Column("smtputf8", Boolean, nullable=False),
    Column("ret", Text),
    Column("envid", Text),
)

# A table of its own, so that what walks the messages does not walk their content; gone with the last open recipient.
contents = Table(
    "contents",
    metadata,
    Column("env_id", _Key, ForeignKey("messages.env_id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("content", LargeBinary, nullable=False),
)

recipients = Table(
    "recipients",
    metadata,
    Column("env_id", BigInteger, ForeignKey("messages.env_id", ondelete="CASCADE"), primary_key=True),
    Column("idx", SmallInteger, primary_key=True),
    Column("rcpt", Text, nullable=False),
    Column("destination", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("owner", Integer, comment="the claim: who delivers it now"),
    Column("epoch", BigInteger, comment="the claim: which life of that worker"),
    Column("wanted", Text, comment="hold or drop: what an operator wants of a claimed row; its owner obeys"),
    Column("status", SmallInteger),
    Column("ended_at", BigInteger),
    Column("notify", Text),
    Column("orcpt", Text),
    sqlite_with_rowid=False,
)

_QUEUED = text("state = 'queued'")
_CLAIMED = text("owner IS NOT NULL")
_HELD = text("state = 'held'")
# The walk over what is due: destination by destination within a kind. `state` stands in it (and in the next) so that
# SQLite answers from the index alone: it would look each row up to see that it is queued, although all of these are.
Index("ix_recipients_due", recipients.c.kind, recipients.c.destination, recipients.c.due_at, recipients.c.state,
      postgresql_where=_QUEUED, sqlite_where=_QUEUED)  # fmt: skip
# When is anything due at all, and what waits longest.
Index("ix_recipients_due_at", recipients.c.due_at, recipients.c.state,
      postgresql_where=_QUEUED, sqlite_where=_QUEUED)  # fmt: skip
# What a worker holds: read when it dies, and for what operators want.
Index("ix_recipients_owner", recipients.c.owner, postgresql_where=_CLAIMED, sqlite_where=_CLAIMED)
Index("ix_recipients_held", recipients.c.destination, postgresql_where=_HELD, sqlite_where=_HELD)

attempts = Table(
    "attempts",
    metadata,
    Column("env_id", BigInteger, primary_key=True),
    Column("idx", SmallInteger, primary_key=True),
    Column("n", Integer, primary_key=True, comment="1 is the first"),
    Column("at", BigInteger, nullable=False),
    Column("duration", BigInteger, nullable=False, comment="milliseconds"),
    Column("mx_host", Text),
    Column("mx_ip", Text),
    Column("stage", Text, nullable=False),
    Column("code", Integer, nullable=False),
    Column("enhanced", Text),
    Column("text", Text, nullable=False),
    Column("category", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("tls", Text),
    ForeignKeyConstraint(["env_id", "idx"], ["recipients.env_id", "recipients.idx"], ondelete="CASCADE"),
    sqlite_with_rowid=False,
)

usage = Table(
    "usage",
    metadata,
    Column("account", Text, primary_key=True),
    Column("period", Text, primary_key=True, comment="2026-11-23, 2026-11 or total, in the configured zone"),
    Column("used", BigInteger, nullable=False, comment="recipients accepted"),
)

# The only bus: each final event once; readers keep cursors of their own.
outbox = Table(
    "outbox",
    metadata,
    Column("id", _Key, primary_key=True, autoincrement=True),
    Column("created", BigInteger, nullable=False),
    Column("event", Text, nullable=False, comment="a FinalEvent as JSON"),
    sqlite_autoincrement=True,
)

workers = Table(
    "workers",
    metadata,
    Column("owner", Integer, primary_key=True, autoincrement=False, comment="node * 32 + worker"),
    Column("epoch", BigInteger, nullable=False),
    Column("beat", BigInteger, nullable=False),
)

leases = Table(
    "leases",
    metadata,
    Column("duty", Text, primary_key=True),
    Column("owner", Integer, nullable=False),
    Column("epoch", BigInteger, nullable=False),
)

# What each worker has open just now, written with its beat: for `queue stats`, which runs in another process.
sessions = Table(
    "sessions",
    metadata,
    Column("owner", Integer, primary_key=True, autoincrement=False),
    Column("destination", Text, primary_key=True),
    Column("open", Integer, nullable=False),
)
