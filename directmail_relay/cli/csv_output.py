"""CSV on standard output (RFC 4180, UTF-8): one row at a time, and never a formula in anybody's spreadsheet."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

# What a spreadsheet takes for the beginning of a formula (OWASP, "CSV Injection").
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def print_csv(columns: Sequence[str], documents: Iterable[Mapping[str, Any]]) -> None:
    """A header row, then a row a document."""
    sys.stdout.reconfigure(encoding="utf-8", newline="")  # type: ignore[union-attr] # stdout is a TextIOWrapper here
    writer = csv.writer(sys.stdout)
    writer.writerow(columns)
    writer.writerows([guard(document[column]) for column in columns] for document in documents)


def guard(value: object) -> str:
    """The text of a cell, with an apostrophe before what could be a formula."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def unguard(text: str) -> str:
    """What `guard` was given: our exports can be imported again."""
    return text[1:] if text[:1] == "'" and text[1:].startswith(_FORMULA) else text
