"""What the suppress commands do that takes more than a call: the list, and the import of a file of any length."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import typer

from directmail_relay.accounts.suppressions import add_suppressions, list_suppressions, record_import
from directmail_relay.cli.address_file import Row, find_encoding, read_rows
from directmail_relay.cli.opening import RefusedError
from directmail_relay.cli.output import fail, pick, print_json, print_table
from directmail_relay.cli.registering import Registering, open_registered, open_registering
from directmail_relay.cli.selecting import Words, parse_limit

LIMIT = 1000
BITE = 2000  # rows a transaction: mail goes on in between
TOLD = 1000  # refused rows that are named; the others are counted
_COLUMNS = ("address", "since")


@dataclass(slots=True)
class Report:
    """`known` were listed already, or stand in the file twice; `rows` are the first of those that were refused."""

    added: int = 0
    known: int = 0
    refused: int = 0
    rows: list[Row] = field(default_factory=list)

    def refuse(self, row: Row) -> None:
        self.refused += 1
        if len(self.rows) < TOLD:
            self.rows.append(row)

    @property
    def counts(self) -> dict[str, int]:
        return {"added": self.added, "known": self.known, "refused": self.refused}


def show_list(account: str, limit: str | None, config: Path | None, *, as_json: bool) -> None:
    with open_registered(config, as_json=as_json) as registering:
        most = parse_limit(Words(limit=limit), LIMIT) or LIMIT
        found = registering.read(list_suppressions, account, "", most)
    if as_json:
        print_json(found)
    elif not found:
        typer.echo(f"the do-not-send list of {account} is empty: suppress add ADDRESS --account {account}")
    else:
        print_table(_COLUMNS, pick(found, _COLUMNS))
    if len(found) == most:
        typer.echo(f"these are the first {most}; --limit N shows more", err=True)


def import_addresses(path: Path, account: str, config: Path | None, *, as_json: bool) -> None:
    try:
        file = path.open("rb")  # by whoever runs the command: inside, root works as the owner of the database
    except OSError as error:
        fail(f"{path} cannot be read: {error.strerror}", "file", as_json=as_json)
    with file, open_registering(config, as_json=as_json) as registering:
        if not file.seekable():
            raise RefusedError(f"{path} is a pipe and is read twice: write it to a file first", "file")
        with io.TextIOWrapper(file, encoding=find_encoding(file), errors="replace", newline=None) as text:
            report = _take_in(registering, account, path.name, read_rows(text))
    _tell(report, account, as_json=as_json)


def _take_in(registering: Registering, account: str, name: str, rows: Iterator[Row]) -> Report:
    registering.write(record_import, account, name)
    report = Report()
    while bite := list(islice(rows, BITE)):
        keys = {row.address for row in bite if row.problem is None}
        added = registering.write(add_suppressions, account, sorted(keys))
        for row in bite:
            if row.problem is not None:
                report.refuse(row)
        report.added += added
        report.known += sum(row.problem is None for row in bite) - added
    registering.write(record_import, account, name, report.counts)
    return report


def _tell(report: Report, account: str, *, as_json: bool) -> None:
    refused = [{"row": row.number, "value": row.value, "why": row.problem} for row in report.rows]
    if as_json:
        print_json({**report.counts, "rows": refused})
        return
    typer.echo(f"{account}: {report.added} added, {report.known} known already, {report.refused} refused")
    if refused:
        print_table(("row", "value", "why"), [list(one.values()) for one in refused])
    if report.refused > len(refused):
        typer.echo(f"these are the first {len(refused)} that were refused", err=True)
