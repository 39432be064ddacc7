"""`migrate`: brings the database to this version, or says why not."""

from __future__ import annotations

import json
from pathlib import Path

import typer

from directmail_relay.cli.check_config import EXIT_CONFIG, report_config_error
from directmail_relay.cli.output import fail
from directmail_relay.config import ConfigError, find_config, load_config
from directmail_relay.database.engine import Database
from directmail_relay.database.errors import TROUBLE, reason_of
from directmail_relay.database.migrate import SchemaTooNewError, migrate


def migrate_command(explicit: Path | None, *, as_json: bool) -> None:
    """Prints the revision before and after. Exits 1 when the database refuses, 78 when the configuration is bad."""
    try:
        config = load_config(find_config(explicit))
    except ConfigError as error:
        report_config_error(error, as_json=as_json)
        raise typer.Exit(EXIT_CONFIG) from None
    database = Database(config.database.location)
    try:
        before, after = migrate(database)
    except SchemaTooNewError as error:
        fail(str(error), code="schema_too_new", as_json=as_json)
    except TROUBLE as error:
        fail(f"{config.database.shown} cannot be used: {reason_of(error)}", code="database", as_json=as_json)
    finally:
        database.close()
    if as_json:
        typer.echo(json.dumps({"before": before, "after": after}))
    else:
        typer.echo(f"{config.database.shown}: {'nothing to do' if before == after else 'migrated'}, schema {after}")
