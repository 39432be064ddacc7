"""The database: it opens, has this version's schema, and a commit reaches its disk."""

from __future__ import annotations

import time

from sqlalchemy import Connection, update

from directmail_relay.cli.doctor.aside import aside
from directmail_relay.cli.doctor.finding import Finding, Severity
from directmail_relay.cli.doctor.place import Place
from directmail_relay.database.accounts_schema import registry_version
from directmail_relay.database.engine import Database
from directmail_relay.database.errors import TROUBLE, reason_of
from directmail_relay.database.migrate import SchemaTooNewError, SchemaTooOldError, check_schema

# Every 250 waits for one of these, though many can share it.
SLOW_SECONDS = 0.1


async def check_database(place: Place) -> list[Finding]:
    """Writes and synchronises a row as it is; nothing changes by that."""
    return [await aside(lambda: _check(place))]


def _check(place: Place) -> Finding:
    expected = f"{place.config.database.shown} takes a commit"
    path = place.config.database.path
    if path is not None and not path.is_file():
        advice = "run migrate, or start serve, which makes it"
        return Finding("database", Severity.WARNING, expected, "there is none yet", advice)
    database = Database(place.config.database.location)
    try:
        database.read_now(check_schema)
        started = time.perf_counter()
        database.write_now(_rewrite)
        return _judge(expected, time.perf_counter() - started)
    except SchemaTooOldError as error:
        return Finding("database", Severity.WARNING, expected, str(error), "serve does it by itself")
    except SchemaTooNewError as error:
        return Finding("database", Severity.FAIL, expected, "a newer version has changed it", str(error))
    except TROUBLE as error:
        advice = "look at its disk, its permissions, its server: without it every mail is put off with 451"
        return Finding("database", Severity.FAIL, expected, reason_of(error), advice)
    finally:
        database.close()


def _rewrite(connection: Connection) -> None:
    # The same number again: a real commit, which no worker takes for a change.
    connection.execute(
        update(registry_version).where(registry_version.c.id == 1).values(version=registry_version.c.version)
    )


def _judge(expected: str, seconds: float) -> Finding:
    found = f"a commit took {seconds * 1000:.1f} ms"
    if seconds > SLOW_SECONDS:
        return Finding("database", Severity.WARNING, expected, found, "a faster disk makes every 250 come sooner")
    return Finding("database", Severity.OK, expected, found)
