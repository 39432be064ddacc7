"""What people register: accounts, domains, addresses, tags, whitelists, invalid addresses, the audit log.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False, comment="normal, frozen, overdue, restricted, deleted"),
        sa.Column("daily_quota", sa.BigInteger(), nullable=True),
        sa.Column("monthly_quota", sa.BigInteger(), nullable=True),
        sa.Column("total_quota", sa.BigInteger(), nullable=True),
        sa.Column("ip_protection", sa.Boolean(), nullable=False),
        sa.Column("declared", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("name", name=op.f("uq_accounts_name")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False, comment="cli:root, config, api:…, relay"),
        sa.Column("what", sa.Text(), nullable=False, comment="address.freeze and the like"),
        sa.Column("object", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False, comment="JSON; never a secret"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_audit_account"), "audit", ["account"], unique=False)
    op.create_table(
        "invalid_addresses",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False, comment="in lower case"),
        sa.Column("reply", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False, comment="in the order of commits; workers read onwards"),
        sa.PrimaryKeyConstraint("account", "address", name=op.f("pk_invalid_addresses")),
    )
    op.create_index(op.f("ix_invalid_addresses_number"), "invalid_addresses", ["number"], unique=False)
    op.create_index(op.f("ix_invalid_addresses_last"), "invalid_addresses", ["last"], unique=False)
    op.create_index(op.f("ix_invalid_addresses_since"), "invalid_addresses", ["since"], unique=False)
    op.create_table(
        "outbox_cursors",
        sa.Column("reader", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("reader", name=op.f("pk_outbox_cursors")),
    )
    op.create_table(
        "registry_version",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_registry_version")),
    )
    op.create_table(
        "reply_verifications",
        sa.Column(
            "ticket_hash", sa.Text(), nullable=False, comment="SHA-256 of the ticket in the link; the ticket is nowhere"
        ),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("mailbox", sa.Text(), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("ticket_hash", name=op.f("pk_reply_verifications")),
    )
    op.create_index(op.f("ix_reply_verifications_address"), "reply_verifications", ["address"], unique=False)
    op.create_table(
        "suppressions",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False, comment="in lower case"),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column(
            "number",
            sa.BigInteger(),
            nullable=False,
            comment="as in invalid_addresses, and from one series",
        ),
        sa.PrimaryKeyConstraint("account", "address", name=op.f("pk_suppressions")),
    )
    op.create_index(op.f("ix_suppressions_number"), "suppressions", ["number"], unique=False)
    op.create_table(
        "addresses",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("address", sa.Text(), nullable=False, comment="in lower case"),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment="trigger or batch"),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("frozen", sa.Boolean(), nullable=False),
        sa.Column("reply_to", sa.Text(), nullable=True),
        sa.Column("reply_to_verified", sa.Boolean(), nullable=False),
        sa.Column("declared", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.name"], name=op.f("fk_addresses_account"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_addresses")),
        sa.UniqueConstraint("address", name=op.f("uq_addresses_address")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_addresses_account"), "addresses", ["account"], unique=False)
    op.create_index(op.f("ix_addresses_domain"), "addresses", ["domain"], unique=False)
    op.create_table(
        "allow_entries",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("entry", sa.Text(), nullable=False, comment="one IP, a-b, or CIDR, in its shortest form"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account"], ["accounts.name"], name=op.f("fk_allow_entries_account"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_allow_entries")),
        sa.UniqueConstraint("account", "entry", name=op.f("uq_allow_entries_account_entry")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_allow_entries_account"), "allow_entries", ["account"], unique=False)
    op.create_table(
        "domains",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("name", sa.Text(), nullable=False, comment="lower-case A-labels"),
        sa.Column("main_domain", sa.Text(), nullable=False, comment="the registrable domain: belongs to one account"),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False, comment="what the ownership record must say"),
        sa.Column("password_hash", sa.Text(), nullable=True, comment="the domain password (ModifyPWByDomain)"),
        sa.Column("trusted", sa.Boolean(), nullable=False, comment="declared as verified: never asked about"),
        sa.Column(
            "found", sa.Text(), nullable=False, comment="purposes found right at the last check, comma-separated"
        ),
        sa.Column("checked_at", sa.BigInteger(), nullable=True),
        sa.Column(
            "verified_at",
            sa.BigInteger(),
            nullable=True,
            comment="the first check at which all required records were right",
        ),
        sa.Column("broken_since", sa.BigInteger(), nullable=True, comment="a required record went away"),
        sa.Column("declared", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.name"], name=op.f("fk_domains_account"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_domains")),
        sa.UniqueConstraint("name", name=op.f("uq_domains_name")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_domains_account"), "domains", ["account"], unique=False)
    op.create_index(op.f("ix_domains_main_domain"), "domains", ["main_domain"], unique=False)
    op.create_table(
        "tags",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.name"], name=op.f("fk_tags_account"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tags")),
        sa.UniqueConstraint("account", "name", name=op.f("uq_tags_account_name")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_tags_account"), "tags", ["account"], unique=False)
    op.create_table(
        "dkim_keys",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("selector", sa.Text(), nullable=False),
        sa.Column("private_key", sa.Text(), nullable=False, comment="PEM, encrypted under the secret key"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column(
            "active_since",
            sa.BigInteger(),
            nullable=True,
            comment="signs from then on; None: its record has not been seen yet",
        ),
        sa.Column(
            "retired_at",
            sa.BigInteger(),
            nullable=True,
            comment="signs no more; the record stays until the last mail has left",
        ),
        sa.ForeignKeyConstraint(["domain"], ["domains.name"], name=op.f("fk_dkim_keys_domain"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dkim_keys")),
        sa.UniqueConstraint("domain", "selector", name=op.f("uq_dkim_keys_domain_selector")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_dkim_keys_domain"), "dkim_keys", ["domain"], unique=False)
    # The outbox's readers stay behind a lock now: see queue/outbox.py.
    op.drop_column("outbox", "xact")
    op.bulk_insert(
        sa.table("registry_version", sa.column("id", sa.Integer()), sa.column("version", sa.BigInteger())),
        [{"id": 1, "version": 1}],
    )
