"""The content of a message, as it comes after 354: end of data, dot-unstuffing, line ends, size (RFC 5321 §4.5.2).

`ContentReader` is sans-IO and works on whole chunks, never line by line: its time grows with the octets alone
and its memory stays below the limit. Only <CR><LF>.<CR><LF> ends the data, and a bare CR, a bare LF or a NUL is
remembered, never repaired: so no two hosts can disagree on where a message ends (SMTP smuggling).
"""

from __future__ import annotations

import io

from directmail_relay.submission.settings import Timeouts
from directmail_relay.submission.wire import Wire

_END = b"\r\n.\r\n"
_DOT = b"\r\n."


class FloodError(Exception):
    """The client went on sending beyond twice the limit: only cutting the connection stops it."""


class ContentReader:
    """Takes chunks until the end of data. `limit` is the greatest size of the content in bytes, unstuffed."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        # The line end of the DATA command is read as if it came first, and is not part of the content.
        self.size = -2
        self._tail = b"\r\n"
        self._kept = bytearray()
        self._received = 0
        # Made for text files, but it is the standard library's one quick way to see which line ends occur:
        # half the time of counting CR, LF and CRLF.
        self._line_ends = io.IncrementalNewlineDecoder(None, translate=False)
        self._nul = False

    @property
    def too_large(self) -> bool:
        return self.size > self.limit

    @property
    def has_bare_line_ends(self) -> bool:
        """Or NUL: whether something in it is read differently by different hosts."""
        return self._nul or self._line_ends.newlines != "\r\n"

    def content(self) -> bytes:
        """All of it, without the CRLF that we put before it; ends with CRLF unless it is empty. Ask once."""
        kept, self._kept = self._kept, bytearray()
        return bytes(memoryview(kept)[2:])

    def feed(self, chunk: bytes | bytearray) -> bytes | None:
        """None: more is wanted. Else the end of data was in there, and what came after it is returned.

        Raises FloodError past twice the limit.
        """
        window = self._tail + chunk
        dot = window.find(_DOT)
        end = window.find(_END, dot) if dot >= 0 else -1
        if end >= 0:
            self._take(window[: end + 2], stuffed=dot < end)
            return window[end + len(_END) :]
        self._received += len(chunk)
        if self._received > 2 * self.limit:
            raise FloodError
        # What may be the beginning of the end stays. It begins with CR, so neither a CRLF nor the dot after one
        # is ever cut in two by it.
        self._tail = _END[: _overlap(window)]
        self._take(window[: len(window) - len(self._tail)], stuffed=dot >= 0)
        return None

    def _take(self, octets: bytes, *, stuffed: bool) -> None:
        self._line_ends.decode(octets.decode("latin-1"))
        self._nul = self._nul or b"\x00" in octets
        unstuffed = octets.replace(_DOT, b"\r\n") if stuffed else octets
        self._kept += unstuffed
        self.size += len(unstuffed)
        if self.too_large:
            self._kept.clear()


def _overlap(window: bytes) -> int:
    """How many octets at the end of it could be the first ones of the end of data."""
    return next((n for n in range(len(_END) - 1, 0, -1) if window.endswith(_END[:n])), 0)


async def read_content(wire: Wire, limit: int, timeouts: Timeouts) -> ContentReader:
    """Everything up to the end of data; what came behind it goes back to the wire, for the next command.

    Raises FloodError, DeadlineError (a block, or all of it, took too long), and HangUpError when the client left.
    """
    reader = ContentReader(limit)
    deadline = wire.now() + timeouts.data
    rest = None
    while rest is None:
        rest = reader.feed(await wire.read_some(min(deadline, wire.now() + timeouts.data_block)))
    wire.give_back(rest)
    return reader
