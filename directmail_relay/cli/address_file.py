"""A file of addresses as people have them: a CSV out of a spreadsheet or a plain list, in whatever encoding → its rows.

Read line by line, so its size does not matter; a quoted cell ends with its line. What is no address is told with its
row, and never stops the others.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, TextIO

from directmail_relay.accounts.listed import parse_recipient
from directmail_relay.cli.csv_output import unguard

_HEADINGS = {
    "email",
    "e-mail",
    "mail",
    "address",
    "email address",
    "邮箱",
    "邮箱地址",
    "邮件地址",
    "收件人",
    "收件地址",
}
_SEPARATORS = ",;\t"
_BLOCK = 1 << 20
_HEAD = 1 << 12
_LONGEST_LINE = 1 << 16
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


@dataclass(frozen=True, slots=True)
class Row:
    """`number` counts from 1, as a spreadsheet does. `address` is in its one form; empty when there is a `problem`."""

    number: int
    value: str
    address: str = ""
    problem: str | None = None


def find_encoding(file: BinaryIO) -> str:
    """UTF-8, UTF-16 or GB 18030 (which holds GBK), by its mark or else by what it can be. The file is at its start."""
    start = file.read(_HEAD)
    file.seek(0)
    for mark, name in _BOMS:
        if start.startswith(mark):
            return name
    high, low = start[::2].count(0), start[1::2].count(0)
    if max(high, low) > max(len(start) // 8, 4 * min(high, low)):  # UTF-16 without a mark: ASCII's other octets are 0
        return "utf-16-be" if high > low else "utf-16-le"
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while block := file.read(_BLOCK):
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "gb18030"
    finally:
        file.seek(0)
    return "utf-8"


def read_rows(text: TextIO) -> Iterator[Row]:
    """Every row that is not empty. The column is the one whose heading says so, or else the first."""
    column, separator = 0, ","
    for number, line in _lines(text):
        if number == 1:
            separator = max(_SEPARATORS, key=line.count)
        cells = _cells(line, separator)
        if number == 1 and (heading := _find_heading(cells)) is not None:
            column = heading
        elif any(cells):
            yield _read_row(number, cells[column] if column < len(cells) else "")


def _lines(text: TextIO) -> Iterator[tuple[int, str]]:
    """A line that is longer than any row of people is cut: the rest of it is passed over."""
    number, within = 0, False
    while line := text.readline(_LONGEST_LINE):
        if not within:
            number += 1
            yield number, line
        within = not line.endswith("\n")


def _cells(line: str, separator: str) -> list[str]:
    plain = line.replace("\0", "").strip("\r\n")
    return [cell.strip() for cell in next(csv.reader([plain], delimiter=separator), [])]


def _find_heading(cells: list[str]) -> int | None:
    return next((n for n, cell in enumerate(cells) if cell.lower() in _HEADINGS), None)


def _read_row(number: int, value: str) -> Row:
    try:
        return Row(number, value, parse_recipient(unguard(value)))
    except ValueError as error:
        return Row(number, value[:100], problem=str(error) if value else "the row has no address")
