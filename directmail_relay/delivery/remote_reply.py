"""A host's replies, from its octets (RFC 5321 §4.2). Sans-IO: `feed` what came, `take` what is complete.

The host may lie, ramble and never stop. What decides is the code of the first line; of the rest a little is kept, the
rest is counted and thrown away. Nothing it sends raises anything but ReplyError.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from directmail_relay.mail.reply import Reply, split_enhanced

MAX_REPLY = 2 * 1024 * 1024  # octets; a longer one costs the host its connection
MAX_KEPT = 16 * 1024  # octets of one reply that are kept for reading
MAX_LINE = 8 * 1024  # octets of one line
MAX_LINES = 200  # that are kept; beyond them only the end is looked for, as fast as it can be
MAX_TEXT = 1024  # octets, as UTF-8, of the text that goes into the attempt

_FIRST = re.compile(rb"[2-5][0-9][0-9](?![0-9A-Za-z])")
# A last line, wherever a line begins.
_LAST = re.compile(rb"(?m)^[0-9]{3}(?:[ \t][^\n]*|\r?)\n")
_CODED = re.compile(rb"[0-9]{3}(?:([ \t-])|\r?$)")
_CONTROL = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


class ReplyError(ValueError):
    """The host speaks, but not SMTP."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A whole reply. `lines` are its texts without the codes, as far as they were kept (EHLO needs them apart).

    `endless`: it went beyond MAX_REPLY; the code counts, the connection is good for nothing more.
    """

    reply: Reply
    lines: tuple[str, ...]
    endless: bool = False


class ReplyParser:
    """Holds what came and was not taken yet; at most MAX_KEPT and what was fed last."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched = 0  # octets at the beginning of the buffer that hold no line end
        self._lines: list[bytes] = []
        self._kept = 0
        self._size = 0

    @property
    def holds_more(self) -> bool:
        """Whether anything is here beyond the replies that were taken."""
        return bool(self._buffer or self._lines)

    def feed(self, data: bytes | bytearray) -> None:
        self._buffer += data

    def take(self) -> Heard | None:
        """The next whole reply, None while there is none. Raises ReplyError; the parser is then of no more use."""
        while len(self._lines) < MAX_LINES and (end := self._buffer.find(b"\n", self._searched)) >= 0:
            line = bytes(self._buffer[:end])
            del self._buffer[: end + 1]
            self._searched = 0
            self._size += end + 1
            if self._add(line):
                return self._finish(endless=False)
        if len(self._lines) >= MAX_LINES and self._skip_to_the_end():
            return self._finish(endless=False)
        self._shorten_line()
        if self._size + len(self._buffer) <= MAX_REPLY:
            return None
        if not self._lines:
            self._add(bytes(self._buffer))
        return self._finish(endless=True)

    def _add(self, line: bytes) -> bool:
        """Whether this line was the last."""
        first = not self._lines
        if first and not _FIRST.match(line):
            raise ReplyError("the line does not begin with a reply code")
        if self._kept < MAX_KEPT:
            line = line[:MAX_LINE]
            self._lines.append(line)
            self._kept += len(line) + 1
        # After a proper first line anything is text: hosts do send continuation lines without a code.
        coded = _CODED.match(line)
        return line[3:4] != b"-" if first else coded is not None and coded[1] != b"-"

    def _skip_to_the_end(self) -> bool:
        """Throws lines away up to the last one, that one too; False when it has not come yet.

        Not line by line: a host that sends a million empty ones would stop the loop for seconds.
        """
        last = _LAST.search(self._buffer)
        end = last.end() if last else self._buffer.rfind(b"\n") + 1
        del self._buffer[:end]
        self._searched = 0
        self._size += end
        return last is not None

    def _shorten_line(self) -> None:
        if len(self._buffer) > MAX_LINE:
            self._size += len(self._buffer) - MAX_LINE
            del self._buffer[MAX_LINE:]
        self._searched = len(self._buffer)

    def _finish(self, *, endless: bool) -> Heard:
        code = int(self._lines[0][:3])
        lines = tuple(_read_line(line, first=place == 0) for place, line in enumerate(self._lines))
        self._lines, self._kept, self._size = [], 0, 0
        enhanced, text = _join(lines)
        return Heard(Reply(code, _shorten(text), enhanced), lines, endless)


def _read_line(line: bytes, *, first: bool) -> str:
    """The text behind the code, with control characters escaped."""
    text = line[4:] if _CODED.match(line) or first else line
    return _escape(_decode(text.strip(b" \t\r\n")))


def _decode(text: bytes) -> str:
    # Replies should be ASCII or UTF-8 (RFC 6531 §3.7.4.1); Chinese hosts that are older than that speak GBK.
    for charset in ("utf-8", "gb18030"):
        try:
            return text.decode(charset)
        except UnicodeDecodeError:
            continue
    return text.decode("ascii", "backslashreplace")


def _escape(text: str) -> str:
    """Tabs become spaces; control and formatting characters, which could forge a log line, become escape sequences."""
    text = text.replace("\t", " ")
    return text if text.isascii() and text.isprintable() else "".join(_escaped(text))


def _escaped(text: str) -> Iterator[str]:
    for character in text:
        if unicodedata.category(character) in _CONTROL:
            yield character.encode("unicode_escape").decode("ascii")
        else:
            yield character


def _join(lines: Iterable[str]) -> tuple[str | None, str]:
    """One text; the enhanced code, which hosts repeat on each line, is taken off each."""
    split = [split_enhanced(line) for line in lines]
    enhanced = split[0][0]
    texts = [text if found == enhanced else f"{found} {text}" if found else text for found, text in split]
    return enhanced, " ".join(text for text in texts if text)


def _shorten(text: str) -> str:
    octets = text.encode()
    return text if len(octets) <= MAX_TEXT else octets[:MAX_TEXT].decode(errors="ignore")
