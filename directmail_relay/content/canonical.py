"""The `relaxed` canonical forms of DKIM (RFC 6376 §3.4.2, §3.4.4), in time linear in the octets.

Works on content with CRLF line ends, in which the door has refused bare CR and bare LF. A body comes in
pieces, so that 15 MiB are never copied as a whole and other threads get their turn.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

from directmail_relay.content.headers import HeaderField

_CHUNK = 64 * 1024  # octets; fits the processor's cache
_TABS_TO_SPACES = bytes.maketrans(b"\t", b" ")
_BLANKS = re.compile(rb"[ \t\r\n]+")


def relaxed_field(field: HeaderField) -> bytes:
    """`name:value` with CRLF: the name in lower case, folding undone, runs of blanks made one (RFC 6376 §3.4.2)."""
    value = field.raw.partition(b":")[2]
    return field.name + b":" + _BLANKS.sub(b" ", value).strip(b" ") + b"\r\n"


def relaxed_body(body: bytes | memoryview) -> Iterator[bytes]:
    """The pieces of the canonical body (RFC 6376 §3.4.4): nothing at all for one that is empty lines only.

    Runs of blanks become one space, blanks at the ends of lines go, empty lines at the end of the body go,
    and the last line gets its CRLF if it had none.
    """
    # Empty lines count only once text follows them; a piece of text is held back with no line end of its own.
    empty, any_text = 0, False
    for chunk in _chunks_of_lines(body):
        relaxed = _relax_lines(chunk)
        text = relaxed.rstrip(b"\r\n")
        if text:
            yield b"\r\n" * empty + text
            empty, any_text = 0, True
        empty += (len(relaxed) - len(text)) // 2
    if any_text:
        yield b"\r\n"


def relaxed_body_hash(body: bytes | memoryview) -> bytes:
    """SHA-256 of the canonical body, the `bh=` of a signature."""
    digest = hashlib.sha256()
    for piece in relaxed_body(body):
        digest.update(piece)
    return digest.digest()


def _chunks_of_lines(body: bytes | memoryview) -> Iterator[bytes]:
    """Whole lines, many at a time; the last piece gets its CRLF if it had none."""
    carry: list[bytes] = []
    for start in range(0, len(body), _CHUNK):
        piece = bytes(body[start : start + _CHUNK])
        cut = piece.rfind(b"\n") + 1
        if cut:
            yield b"".join((*carry, piece[:cut]))
            carry = []
        carry.append(piece[cut:])
    last = b"".join(carry)
    if last:
        yield last if last.endswith(b"\r\n") else last + b"\r\n"


def _relax_lines(lines: bytes) -> bytes:
    lines = lines.translate(_TABS_TO_SPACES)
    # Halving runs is at most log2 passes and beats a regular expression where runs are many and short;
    # a pattern like `[ \t]+\r\n` would be quadratic on a long run that no line end follows.
    while b"  " in lines:
        lines = lines.replace(b"  ", b" ")
    return lines.replace(b" \r\n", b"\r\n")
