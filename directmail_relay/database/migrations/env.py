"""How Alembic runs our migrations: on the connection that `database.migrate` holds, in its transaction."""

from __future__ import annotations

from alembic import context

from directmail_relay.database import accounts_schema  # noqa: F401 - declares its tables in `metadata`
from directmail_relay.database.schema import metadata


def run() -> None:
    connection = context.config.attributes["connection"]
    context.configure(
        connection=connection, target_metadata=metadata, render_as_batch=True, transaction_per_migration=False
    )
    with context.begin_transaction():
        context.run_migrations()


run()
