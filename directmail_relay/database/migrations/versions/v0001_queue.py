"""The queue: messages, contents, recipients, attempts, usage, outbox, workers, leases.

Revision ID: 0001
Revises:
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "leases",
        sa.Column("duty", sa.Text(), nullable=False),
        sa.Column("owner", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("duty", name=op.f("pk_leases")),
    )
    op.create_table(
        "messages",
        sa.Column("env_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("mail_from", sa.Text(), nullable=False, comment="empty for the null reverse-path"),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("recv_time", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("tag", sa.Text(), nullable=True),
        sa.Column("client_ip", sa.Text(), nullable=True),
        sa.Column("body_8bit", sa.Boolean(), nullable=False),
        sa.Column("smtputf8", sa.Boolean(), nullable=False),
        sa.Column("ret", sa.Text(), nullable=True),
        sa.Column("envid", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("env_id", name=op.f("pk_messages")),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column(
            "xact", sa.BigInteger(), nullable=False, comment="PostgreSQL: the transaction that wrote it; SQLite: 0"
        ),
        sa.Column("event", sa.Text(), nullable=False, comment="a FinalEvent as JSON"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "sessions",
        sa.Column("owner", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("open", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("owner", "destination", name=op.f("pk_sessions")),
    )
    op.create_table(
        "usage",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False, comment="2026-11-23, 2026-11 or total, in the configured zone"),
        sa.Column("used", sa.BigInteger(), nullable=False, comment="recipients accepted"),
        sa.PrimaryKeyConstraint("account", "period", name=op.f("pk_usage")),
    )
    op.create_table(
        "workers",
        sa.Column("owner", sa.Integer(), autoincrement=False, nullable=False, comment="node * 32 + worker"),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("beat", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("owner", name=op.f("pk_workers")),
    )
    op.create_table(
        "contents",
        sa.Column("env_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["env_id"], ["messages.env_id"], name=op.f("fk_contents_env_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("env_id", name=op.f("pk_contents")),
    )
    op.create_table(
        "recipients",
        sa.Column("env_id", sa.BigInteger(), nullable=False),
        sa.Column("idx", sa.SmallInteger(), nullable=False),
        sa.Column("rcpt", sa.Text(), nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("owner", sa.Integer(), nullable=True, comment="the claim: who delivers it now"),
        sa.Column("epoch", sa.BigInteger(), nullable=True, comment="the claim: which life of that worker"),
        sa.Column(
            "wanted",
            sa.Text(),
            nullable=True,
            comment="hold or drop: what an operator wants of a claimed row; its owner obeys",
        ),
        sa.Column("status", sa.SmallInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("notify", sa.Text(), nullable=True),
        sa.Column("orcpt", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["env_id"], ["messages.env_id"], name=op.f("fk_recipients_env_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("env_id", "idx", name=op.f("pk_recipients")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_recipients_due",
        "recipients",
        ["kind", "destination", "due_at", "state"],
        unique=False,
        postgresql_where=sa.text("state = 'queued'"),
        sqlite_where=sa.text("state = 'queued'"),
    )
    op.create_index(
        "ix_recipients_due_at",
        "recipients",
        ["due_at", "state"],
        unique=False,
        postgresql_where=sa.text("state = 'queued'"),
        sqlite_where=sa.text("state = 'queued'"),
    )
    op.create_index(
        "ix_recipients_held",
        "recipients",
        ["destination"],
        unique=False,
        postgresql_where=sa.text("state = 'held'"),
        sqlite_where=sa.text("state = 'held'"),
    )
    op.create_index(
        "ix_recipients_owner",
        "recipients",
        ["owner"],
        unique=False,
        postgresql_where=sa.text("owner IS NOT NULL"),
        sqlite_where=sa.text("owner IS NOT NULL"),
    )
    op.create_table(
        "attempts",
        sa.Column("env_id", sa.BigInteger(), nullable=False),
        sa.Column("idx", sa.SmallInteger(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False, comment="1 is the first"),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("duration", sa.BigInteger(), nullable=False, comment="milliseconds"),
        sa.Column("mx_host", sa.Text(), nullable=True),
        sa.Column("mx_ip", sa.Text(), nullable=True),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("code", sa.Integer(), nullable=False),
        sa.Column("enhanced", sa.Text(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("tls", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["env_id", "idx"],
            ["recipients.env_id", "recipients.idx"],
            name=op.f("fk_attempts_env_id_idx"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("env_id", "idx", "n", name=op.f("pk_attempts")),
        sqlite_with_rowid=False,
    )
