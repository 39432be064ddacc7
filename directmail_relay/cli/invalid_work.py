"""What the invalid commands do: dates as people write them, in the zone of the configuration, and the output."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import typer

from directmail_relay.accounts.invalid_addresses import MAX_DAYS, list_invalid, read_page, search_invalid
from directmail_relay.cli.csv_output import print_csv
from directmail_relay.cli.opening import RefusedError
from directmail_relay.cli.output import pick, print_json, print_table
from directmail_relay.cli.registering import Registering, open_registered
from directmail_relay.cli.selecting import Words, parse_limit

LIMIT = 1000
PAGE = 5000
_COLUMNS = ("address", "reply", "since", "last")


@dataclass(frozen=True, slots=True)
class Span:
    """Days as typed, the last one included; None is not given."""

    since: str | None
    until: str | None

    @property
    def is_given(self) -> bool:
        return self.since is not None or self.until is not None

    def bounds(self, zone: ZoneInfo, now: float) -> tuple[float, float]:
        """From its first second to the one behind its last (POSIX seconds); the last 30 days when none is given."""
        until = datetime.fromtimestamp(now, zone).date() if self.until is None else _parse_day("--until", self.until)
        since = until - timedelta(days=MAX_DAYS - 1) if self.since is None else _parse_day("--since", self.since)
        days = (until - since).days + 1
        if days < 1:
            raise RefusedError(f"--since {since} is behind --until {until}: turn them round")
        if days > MAX_DAYS:
            raise RefusedError(f"from {since} to {until} are {days} days: ask for {MAX_DAYS} at most at a time")
        return _start(since, zone), _start(until + timedelta(days=1), zone)


def list_span(account: str, span: Span, limit: str | None, config: Path | None, *, as_json: bool) -> None:
    with open_registered(config, as_json=as_json) as registering:
        most = parse_limit(Words(limit=limit), LIMIT) or LIMIT
        found = registering.read(list_invalid, account, *_bounds(registering, span), most)
    _show(found, most, f"no address of {account} became invalid in that time", as_json=as_json)


def search_word(account: str, word: str, limit: str | None, config: Path | None, *, as_json: bool) -> None:
    with open_registered(config, as_json=as_json) as registering:
        most = parse_limit(Words(limit=limit), LIMIT) or LIMIT
        found = registering.read(search_invalid, account, word, most)
    _show(found, most, f"no invalid address of {account} has {word} in it", as_json=as_json)


def export_all(account: str, span: Span, config: Path | None, *, as_json: bool) -> None:
    with open_registered(config, as_json=as_json) as registering:
        since, until = _bounds(registering, span) if span.is_given else (None, None)
        pages = _pages(lambda after: registering.read(read_page, account, after, since, until, PAGE))
        first = next(pages)  # a refusal comes before the first line of output
        if as_json:
            print_json([*first, *(document for page in pages for document in page)])
            return
        print_csv(_COLUMNS, _chain(first, pages))


def _bounds(registering: Registering, span: Span) -> tuple[float, float]:
    return span.bounds(ZoneInfo(registering.config.time_zone), registering.change.now)


def _pages(read: Callable[[str], list[dict[str, Any]]]) -> Iterator[list[dict[str, Any]]]:
    """At least one page, be it empty."""
    after = ""
    while True:
        page = read(after)
        yield page
        if len(page) < PAGE:
            return
        after = page[-1]["address"]


def _chain(first: list[dict[str, Any]], rest: Iterator[list[dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    yield from first
    for page in rest:
        yield from page


def _show(found: list[dict[str, Any]], most: int, nothing: str, *, as_json: bool) -> None:
    if as_json:
        print_json(found)
    elif not found:
        typer.echo(nothing)
    else:
        print_table(_COLUMNS, pick(found, _COLUMNS))
    if len(found) == most:
        typer.echo(f"these are the first {most}; --limit N shows more, export all of them", err=True)


def _parse_day(option: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise RefusedError(f"{option} takes a day such as 2026-11-23, not {text}") from None


def _start(day: date, zone: ZoneInfo) -> float:
    return datetime.combine(day, time(), zone).timestamp()
