"""`directmail-relay serve`: check, migrate, declare, listen, then one process or a parent with its workers."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from directmail_relay.accounts.declared import ClashError
from directmail_relay.accounts.secret_key import SecretKeyError, load_or_make_cipher
from directmail_relay.app.declared import declare
from directmail_relay.config import Config
from directmail_relay.database.engine import Database
from directmail_relay.database.errors import TROUBLE, reason_of
from directmail_relay.database.migrate import SchemaTooNewError, migrate
from directmail_relay.queue.env_id import WORKERS_PER_NODE
from directmail_relay.telemetry.logs import LogFormat, configure_logging, get_logger
from directmail_relay.telemetry.metrics_directory import prepare_metrics_directory
from directmail_relay.workers.loop import run
from directmail_relay.workers.parent import Parent
from directmail_relay.workers.reloading import load
from directmail_relay.workers.sockets import StartError, open_sockets

log = get_logger("serve")


def serve(path: Path, log_format: LogFormat | None = None) -> None:
    """Runs until told to stop. Raises ConfigError and StartError before anything listens."""
    loaded = load(path)
    config = loaded.config
    form = log_format or config.log.format
    configure_logging(form, config.log.level)
    count = worker_count(config)
    _prepare(config)
    sockets = open_sockets(config)
    try:
        if count == 1:
            # Not before: with several workers this process must not declare metrics of its own.
            from directmail_relay.workers.alone import serve_alone  # noqa: PLC0415

            run(serve_alone(path, loaded, sockets))
        else:
            prepare_metrics_directory()
            run(Parent(path, loaded, count, sockets, form).serve())
    except* StartError as group:
        raise group.exceptions[0] from None
    finally:
        sockets.close()
    log.info("stopped")


def worker_count(config: Config) -> int:
    """`workers`, or one for each core that this process may use."""
    if config.workers is not None:
        return config.workers
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return min(cores, WORKERS_PER_NODE)


def _prepare(config: Config) -> None:
    """Brings the database to this version, and what it holds as declared to what the file says."""
    path = config.database.path
    if path is not None and not path.parent.is_dir():
        raise StartError(f"the folder of the database, {path.parent}, does not exist: make it, or name another")
    try:
        database = Database(config.database.location)
        try:
            before, after = migrate(database)
            load_or_make_cipher(config.secret_key_file, path)  # now that there is a file whose owner it can get
            changed = declare(database, config)
        finally:
            database.close()
    except (SchemaTooNewError, SecretKeyError, ClashError) as error:
        raise StartError(str(error)) from error
    except TROUBLE as error:
        log.error("database_unusable", database=config.database.shown, error=type(error).__name__)
        raise StartError(f"the database {config.database.shown} cannot be used: {reason_of(error)}") from error
    if before != after:
        log.info("migrated", before=before, after=after)
    if changed:
        log.info("accounts_declared", accounts=len(config.accounts))
