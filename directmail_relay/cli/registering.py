"""What commands that register something have in common: the database, the configuration, who does it and when.

A refusal by the rules ends the command with its sentence, as any other. No password is ever printed.
"""

from __future__ import annotations

import getpass
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import typer
from sqlalchemy import Connection

from directmail_relay.accounts.changes import Change
from directmail_relay.cli.opening import RefusedError, open_configured
from directmail_relay.cli.output import print_json
from directmail_relay.config import Config
from directmail_relay.database.engine import Database

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Registering:
    """An open database, the configuration, and the change that a command makes."""

    config: Config
    database: Database
    change: Change

    def read(self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """A function of `accounts/` that shows something, in a read transaction."""
        return self.database.read_now(fn, *args, **kwargs)

    def write(self, fn: Callable[Concatenate[Connection, Change, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """A function of `accounts/` that changes something, in a write transaction."""
        return self.database.write_now(fn, self.change, *args, **kwargs)


@contextmanager
def open_registering(explicit: Path | None, *, as_json: bool) -> Iterator[Registering]:
    """For the body of a command that changes something; a database that is absent or older is migrated first.

    See `opening.open_configured` for how it ends.
    """
    with open_configured(explicit, as_json=as_json, migrating=True) as (config, database):
        yield Registering(config, database, Change(who(), time.time()))


@contextmanager
def open_registered(explicit: Path | None, *, as_json: bool) -> Iterator[Registering]:
    """For the body of a command that only shows something: the database must be there, with this version's schema."""
    with open_configured(explicit, as_json=as_json) as (config, database):
        yield Registering(config, database, Change(who(), time.time()))


def who() -> str:
    """`cli:NAME` for the audit log: the person behind sudo where there is one."""
    name = os.environ.get("SUDO_USER")
    if not name:
        try:
            name = getpass.getuser()
        except (KeyError, OSError):  # a user id without a name, as in many containers
            name = str(os.getuid())
    return f"cli:{name}"


def read_password() -> str:
    """The first line of standard input. RefusedError when there is none."""
    try:
        line = sys.stdin.readline()
    except UnicodeDecodeError:
        raise RefusedError("the password on standard input is not UTF-8 text", "bad_password") from None
    if not line.rstrip("\r\n"):
        raise RefusedError("standard input has no password: printf %s PASSWORD | directmail-relay …", "bad_password")
    return line.rstrip("\r\n")


def say_done(document: object, sentence: str, *, as_json: bool) -> None:
    """How a change ends: the thing as it is now for machines, one line for people."""
    if as_json:
        print_json(document)
    else:
        typer.echo(sentence)
