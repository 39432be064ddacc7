"""Brings a database to this version's schema, or refuses when a newer program has been there.

Safe to run from several processes at once: one migrates, the others wait and find it done.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text

from directmail_relay.database.engine import Database

# Any number will do, so long as every version of this program uses the same: it names the lock in PostgreSQL.
_ADVISORY_LOCK = 7_202_611_231


class SchemaTooNewError(RuntimeError):
    """The database was made or changed by a newer version of this program."""


class SchemaTooOldError(RuntimeError):
    """The database has not been migrated to this version yet, or never was one of ours."""


def migrate(database: Database) -> tuple[str | None, str]:
    """Runs what is missing; returns the revision before and after. Raises SchemaTooNewError, SQLAlchemyError."""
    engine, lock = database.engine_for_migrations()
    with lock, engine.begin() as connection:
        if not database.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
        return _upgrade(connection)


def check_schema(connection: Connection) -> None:
    """For whoever uses a database without migrating it. Raises SchemaTooOldError or SchemaTooNewError."""
    before, head = _compare(connection, _scripts())
    if before != head:
        raise SchemaTooOldError("the database has not been brought to this version yet: run migrate, or start serve")


def _scripts() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    return config


def _compare(connection: Connection, config: Config) -> tuple[str | None, str]:
    """The revision that the database has, and the one that this program wants."""
    scripts = ScriptDirectory.from_config(config)
    before = MigrationContext.configure(connection).get_current_revision()
    head = scripts.get_current_head()
    if head is None:
        raise RuntimeError("the installation is incomplete: no migrations are packaged")
    if before is not None and before not in {script.revision for script in scripts.walk_revisions()}:
        raise SchemaTooNewError(
            f"the database has schema {before}, which this version does not know; "
            "run the newer program, or restore a backup"
        )
    return before, head


def _upgrade(connection: Connection) -> tuple[str | None, str]:
    config = _scripts()
    config.attributes["connection"] = connection
    before, head = _compare(connection, config)
    if before != head:
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise RuntimeError(f"the database could not be migrated: {error}") from error
    return before, head
