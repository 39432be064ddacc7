"""Opens the database for a command: the one that the configuration names, as its owner, with this version's schema.

Only where the command asks for it (`migrating`) is a database made where there is none, or an older one migrated.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import typer
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from directmail_relay.accounts.changes import RefusedError as RefusedByRulesError
from directmail_relay.cli.check_config import EXIT_CONFIG, report_config_error
from directmail_relay.cli.output import fail
from directmail_relay.config import Config, ConfigError, find_config, load_config
from directmail_relay.database.engine import Database
from directmail_relay.database.migrate import SchemaTooNewError, SchemaTooOldError, check_schema, migrate


class RefusedError(Exception):
    """What was asked for cannot be done; the text is the sentence for people, `code` the word for programs."""

    def __init__(self, message: str, code: str = "bad_value") -> None:
        super().__init__(message)
        self.code = code


@contextmanager
def open_database(explicit: Path | None, *, as_json: bool = False) -> Iterator[Database]:
    """The database of the configuration that `find_config` chooses, for the body of a command. See open_configured."""
    with open_configured(explicit, as_json=as_json) as (_, database):
        yield database


@contextmanager
def open_configured(
    explicit: Path | None, *, as_json: bool = False, migrating: bool = False
) -> Iterator[tuple[Config, Database]]:
    """The configuration that `find_config` chooses, and its database; with `migrating` made or migrated where needed.

    Errors that somebody can do something about, in opening them or in the body, end the command with one sentence:
    exit code 78 for the configuration, 1 for a RefusedError (of ours, or of the rules of what is registered), the
    schema or the database.
    """
    try:
        config = load_config(find_config(explicit))
        with _open(config, migrating=migrating) as database:
            yield config, database
    except ConfigError as error:
        report_config_error(error, as_json=as_json)
        raise typer.Exit(EXIT_CONFIG) from None
    except (RefusedError, RefusedByRulesError) as error:
        fail(str(error), error.code, as_json=as_json)
    except (SchemaTooOldError, SchemaTooNewError) as error:
        fail(str(error), "schema", as_json=as_json)
    except UnicodeEncodeError as error:
        if not "\ud800" <= error.object[error.start] <= "\udfff":  # the terminal is not UTF-8
            raise
        # Octets of the command line, which no database takes.
        fail("what was given is not UTF-8 text: type it anew", "bad_value", as_json=as_json)
    except (SQLAlchemyError, OSError) as error:
        fail(f"the database cannot be used: {_first_line(error)}", "database", as_json=as_json)


@contextmanager
def _open(config: Config, *, migrating: bool) -> Iterator[Database]:
    path = config.database.path
    is_absent = path is not None and not path.is_file()
    if is_absent and not migrating:
        raise RefusedError(f"there is no database at {path} yet: run migrate, or start serve", "schema")
    database = Database(config.database.location)  # opens nothing yet
    with _as_owner_of_database(path):
        try:
            _bring_to_this_version(database, is_absent=is_absent, migrating=migrating)
            yield database
        finally:
            database.close()


def _as_owner_of_database(path: Path | None) -> AbstractContextManager[None]:
    """A file that is not there yet becomes its folder's owner's."""
    if path is None:
        return nullcontext()
    return as_owner(path if path.is_file() else path.parent)


def _bring_to_this_version(database: Database, *, is_absent: bool, migrating: bool) -> None:
    """Looks before it migrates: a migration waits for whoever writes."""
    if is_absent:
        migrate(database)
        return
    try:
        database.read_now(check_schema)
    except SchemaTooOldError:
        if not migrating:
            raise
        migrate(database)


@contextmanager
def as_owner(path: Path) -> Iterator[None]:
    """Run by root, the body works as the owner of `path`; anybody else stays who they are.

    SQLite makes files beside the database (its log and index, our lock). Were they root's, the relay, which is not
    root, could not open its own database any more.
    """
    if os.geteuid() != 0:
        yield
        return
    owner, group = path.stat(), os.getegid()
    os.setegid(owner.st_gid)  # the group first, and last on the way back: only root may change it
    os.seteuid(owner.st_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)


def _first_line(error: Exception) -> str:
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    return str(cause).strip().partition("\n")[0] or type(cause).__name__
