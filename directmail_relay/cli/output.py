"""How every command speaks: one JSON document for machines, tables for people, one sentence when it cannot.

What comes from strangers (addresses, replies, tags) is printed as text and nothing else: no escape sequence reaches
the terminal, no markup is obeyed.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

EXIT_FAILED = 1
# What json.dumps leaves raw: DEL and the C1 controls, which terminals obey, and surrogates, which no encoding has.
_UNPRINTED = re.compile(r"[\x7f-\x9f\ud800-\udfff]")
_LONG, _HEAD = 60, 23  # characters
_PIPE_WIDTH = 1000  # a pipe has no width: nothing is cut or wrapped there


def print_json(document: object) -> None:
    """The one document of a command with --json."""
    text = json.dumps(document, ensure_ascii=False)
    typer.echo(_UNPRINTED.sub(lambda found: f"\\u{ord(found[0]):04x}", text))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Rows for people, in as many columns as there are headings; None is shown as nothing."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in columns:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(Text(plain(value)) for value in row))
    # Made anew: whoever catches the output has replaced sys.stdout meanwhile.
    Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH, highlight=False).print(table)


def print_facts(facts: Mapping[str, object]) -> None:
    """`name  value`, a line each, names in one column."""
    width = max(map(len, facts), default=0)
    for name, value in facts.items():
        typer.echo(f"{name:<{width}}  {plain(value)}".rstrip())


def pick(documents: Iterable[Mapping[str, Any]], keys: Sequence[str]) -> list[list[Any]]:
    """The values under `keys` of each document: the rows of a table."""
    return [[document[key] for key in keys] for document in documents]


def plain(value: object) -> str:
    """The value as text that a terminal prints and never obeys; None is empty."""
    text = "" if value is None else str(value)
    return text if text.isprintable() else "".join(char if char.isprintable() else _escape(char) for char in text)


def shorten(value: str) -> str:
    """A long value for a table: how it begins, and how long it is."""
    return value if len(value) <= _LONG else f"{value[:_HEAD]}… ({len(value)} characters)"


def _escape(char: str) -> str:
    return char.encode("unicode_escape", "surrogatepass").decode("ascii")


def fail(message: str, code: str = "failed", *, as_json: bool = False) -> NoReturn:
    """Says in one line why the command did not do it, and ends it with exit code 1.

    `code` is snake_case, for programs: it stands in the JSON beside the message.
    """
    if as_json:
        print_json({"error": {"code": code, "message": message}})
    else:
        typer.echo(f"directmail-relay: {plain(message)}", err=True)
    raise typer.Exit(EXIT_FAILED)
