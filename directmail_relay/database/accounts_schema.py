"""The tables of what people register: accounts, domains, addresses, tags, whitelists, invalid addresses, the audit log.

Written by `accounts/` alone; no statement joins them with the tables of the queue (docs/design.md). What a file
declares stands here too, marked `declared`, and only a reload changes it. Times are milliseconds since 1970, UTC.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Integer, Table, Text, UniqueConstraint

from directmail_relay.database.schema import metadata

# The API knows things by numbers; commands and config know them by name.
_Key = BigInteger().with_variant(Integer, "sqlite")


def _number() -> Column[int]:
    return Column("id", _Key, primary_key=True, autoincrement=True)


def _of_account() -> Column[str]:
    return Column("account", Text, ForeignKey("accounts.name", ondelete="CASCADE"), nullable=False, index=True)


accounts = Table(
    "accounts",
    metadata,
    _number(),
    Column("name", Text, nullable=False, unique=True),
    Column("status", Text, nullable=False, comment="normal, frozen, overdue, restricted, deleted"),
    Column("daily_quota", BigInteger),
    Column("monthly_quota", BigInteger),
    Column("total_quota", BigInteger),
    Column("ip_protection", Boolean, nullable=False),
    Column("declared", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)

domains = Table(
    "domains",
    metadata,
    _number(),
    Column("name", Text, nullable=False, unique=True, comment="lower-case A-labels"),
    Column("main_domain", Text, nullable=False, index=True, comment="the registrable domain: belongs to one account"),
    _of_account(),
    Column("token", Text, nullable=False, comment="what the ownership record must say"),
    Column("password_hash", Text, comment="the domain password (ModifyPWByDomain)"),
    Column("trusted", Boolean, nullable=False, comment="declared as verified: never asked about"),
    Column("found", Text, nullable=False, comment="purposes found right at the last check, comma-separated"),
    Column("checked_at", BigInteger),
    Column("verified_at", BigInteger, comment="the first check at which all required records were right"),
    Column("broken_since", BigInteger, comment="a required record went away"),
    Column("declared", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)

dkim_keys = Table(
    "dkim_keys",
    metadata,
    _number(),
    Column("domain", Text, ForeignKey("domains.name", ondelete="CASCADE"), nullable=False, index=True),
    Column("selector", Text, nullable=False),
    Column("private_key", Text, nullable=False, comment="PEM, encrypted under the secret key"),
    Column("created_at", BigInteger, nullable=False),
    Column("active_since", BigInteger, comment="signs from then on; None: its record has not been seen yet"),
    Column("retired_at", BigInteger, comment="signs no more; the record stays until the last mail has left"),
    UniqueConstraint("domain", "selector"),
    sqlite_autoincrement=True,
)

addresses = Table(
    "addresses",
    metadata,
    _number(),
    Column("address", Text, nullable=False, unique=True, comment="in lower case"),
    _of_account(),
    Column("domain", Text, nullable=False, index=True),
    Column("kind", Text, nullable=False, comment="trigger or batch"),
    Column("password_hash", Text),
    Column("frozen", Boolean, nullable=False),
    Column("reply_to", Text),
    Column("reply_to_verified", Boolean, nullable=False),
    Column("declared", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)

reply_verifications = Table(
    "reply_verifications",
    metadata,
    Column("ticket_hash", Text, primary_key=True, comment="SHA-256 of the ticket in the link; the ticket is nowhere"),
    Column("address", Text, nullable=False, index=True),
    Column("mailbox", Text, nullable=False),
    Column("sent_at", BigInteger, nullable=False),
    Column("used_at", BigInteger),
)

tags = Table(
    "tags",
    metadata,
    _number(),
    _of_account(),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    UniqueConstraint("account", "name"),
    sqlite_autoincrement=True,
)

allow_entries = Table(
    "allow_entries",
    metadata,
    _number(),
    _of_account(),
    Column("entry", Text, nullable=False, comment="one IP, a-b, or CIDR, in its shortest form"),
    Column("created_at", BigInteger, nullable=False),
    UniqueConstraint("account", "entry"),
    sqlite_autoincrement=True,
)

# Not bound to accounts by a foreign key: delivery adds to it long after, also for accounts that are gone.
invalid_addresses = Table(
    "invalid_addresses",
    metadata,
    Column("account", Text, primary_key=True),
    Column("address", Text, primary_key=True, comment="in lower case"),
    Column("reply", Text, nullable=False),
    Column("since", BigInteger, nullable=False, index=True),
    Column("last", BigInteger, nullable=False, index=True),
    Column("number", BigInteger, nullable=False, index=True, comment="in the order of commits; workers read onwards"),
)

suppressions = Table(
    "suppressions",
    metadata,
    Column("account", Text, primary_key=True),
    Column("address", Text, primary_key=True, comment="in lower case"),
    Column("since", BigInteger, nullable=False),
    Column("number", BigInteger, nullable=False, index=True, comment="as in invalid_addresses, and from one series"),
)

audit = Table(
    "audit",
    metadata,
    _number(),
    Column("at", BigInteger, nullable=False),
    Column("who", Text, nullable=False, comment="cli:root, config, api:…, relay"),
    Column("what", Text, nullable=False, comment="address.freeze and the like"),
    Column("object", Text, nullable=False),
    Column("account", Text, index=True),
    Column("detail", Text, nullable=False, comment="JSON; never a secret"),
    sqlite_autoincrement=True,
)

# Polled by the workers. Row 1 is raised with every change; row 2 numbers the addresses that RCPT refuses, of which
# there may be millions: their coming and going must not make anybody read everything else again.
registry_version = Table(
    "registry_version",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("version", BigInteger, nullable=False),
)

outbox_cursors = Table(
    "outbox_cursors",
    metadata,
    Column("reader", Text, primary_key=True),
    Column("position", BigInteger, nullable=False),
)
