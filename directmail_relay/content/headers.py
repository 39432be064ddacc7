"""Where the header of a message ends and which fields it has (RFC 5322 §2.2), in one pass over the octets.

Works on content with CRLF line ends, in which the door has refused bare CR, bare LF and NUL. Never decodes
anything and never repairs anything: what is not a header field ends the header.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

# RFC 5322 §3.6.8 ftext, §4.5 for the obsolete blank before the colon; a field ends where a line does not
# begin with a blank. Possessive quantifiers: no way back, so each octet is looked at once.
_FIELD = re.compile(rb"([!-9;-~]++)[ \t]*+:[^\r\n]*+(?:\r\n[ \t][^\r\n]*+)*+(?:\r\n|\Z)")


class HeaderLimitError(ValueError):
    """The header is larger than we take; the text says which limit it passed and may be told to the client."""


@dataclass(frozen=True, slots=True)
class HeaderLimits:
    """How much header a message may have: a count of fields, then octets of one field and of all together."""

    fields: int = 1000
    field_size: int = 64 * 1024
    header_size: int = 256 * 1024


@dataclass(frozen=True, slots=True)
class HeaderField:
    """One field. `name` is in lower case; `raw` is the field as it stands, folding and final CRLF included.

    Only the last field of a content that ends within it lacks its CRLF.
    """

    name: bytes
    raw: bytes

    @property
    def value(self) -> bytes:
        """What follows the colon, unfolded (RFC 5322 §2.2.3) and without blanks at its ends."""
        return self.raw.partition(b":")[2].replace(b"\r\n", b"").strip(b" \t")

    @property
    def wire(self) -> bytes:
        """The field as we may send it: no blank before the colon (RFC 5322 §4.5), ends in CRLF."""
        raw = self.raw if self.raw.endswith(b"\r\n") else self.raw + b"\r\n"
        size = len(self.name)
        return raw if raw[size] == ord(":") else raw[:size] + b":" + raw.partition(b":")[2]


@dataclass(frozen=True, slots=True)
class Header:
    """The fields in their order; `end` is the offset behind the last one, `body` that of the body.

    With a blank line between them `body` is `end + 2`, else both are the same.
    """

    fields: tuple[HeaderField, ...]
    end: int
    body: int


def split_header(content: bytes, limits: HeaderLimits | None = None) -> Header:
    """Find the fields and the body. A header ends at the first line that is neither a field nor its folding.

    So a content whose first line is not a field (no colon, a blank or a `From ` line of a mailbox file in
    front) has no header and is all body; a line without a colon after some fields begins the body, though
    no blank line stands before it; a content without any blank line is all header. Raises HeaderLimitError
    when `limits` are given and passed.
    """
    fields: list[HeaderField] = []
    end = 0
    while match := _FIELD.match(content, end):
        field = HeaderField(match[1].lower(), match[0])
        end = match.end()
        fields.append(field)
        if limits is not None:
            _check_limits(limits, len(fields), len(field.raw), end)
    blank = content.startswith(b"\r\n", end)
    return Header(tuple(fields), end, end + 2 if blank else end)


def named(fields: Iterable[HeaderField], name: bytes) -> Iterator[HeaderField]:
    """The fields of that name, which is given in lower case."""
    return (field for field in fields if field.name == name)


def count_received(fields: Iterable[HeaderField]) -> int:
    """How many hosts the message has passed: a large number is a loop (RFC 5321 §6.3)."""
    return sum(1 for _ in named(fields, b"received"))


def has_8bit(content: bytes) -> bool:
    """Whether it needs 8BITMIME (RFC 6152); when only the body does, nothing else is asked of the next host."""
    return not content.isascii()


def needs_smtputf8_header(fields: Iterable[HeaderField]) -> bool:
    """Whether the header has octets beyond ASCII, which only SMTPUTF8 lets pass (RFC 6531 §3.2)."""
    return not all(field.raw.isascii() for field in fields)


def _check_limits(limits: HeaderLimits, count: int, field_size: int, header_size: int) -> None:
    for what, size, most in (
        ("has more header fields", count, limits.fields),
        ("has a header field of more octets", field_size, limits.field_size),
        ("has a header of more octets", header_size, limits.header_size),
    ):
        if size > most:
            raise HeaderLimitError(f"the message {what} than {most}")
