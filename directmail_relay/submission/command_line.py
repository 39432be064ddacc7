"""One line of a client → a command (RFC 5321 §4.1.1). Sans-IO; the octets may be anything.

The line has lost its line end already. Nothing here raises anything but ValueError.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# Room for every parameter that we offer: MAIL with AUTH= (500) and ENVID (107), RCPT with ORCPT (500).
MAX_COMMAND_OCTETS = 2048
# RFC 4954 §4: one line of an AUTH exchange, with its line end; an initial response counts as one.
MAX_AUTH_OCTETS = 12288

COMMANDS = frozenset(
    {"AUTH", "DATA", "EHLO", "EXPN", "HELO", "HELP", "MAIL", "NOOP", "QUIT", "RCPT", "RSET", "STARTTLS", "VRFY"}
)

_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_UNSAFE = re.compile(r"[^A-Za-z0-9.:_\[\]-]")
_LINE = re.compile(rb" *+([A-Za-z0-9-]{1,16})(?: ++(.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Command:
    """`verb` in upper case; `argument` without the spaces around it.

    Octets that are not UTF-8 stand in it as lone surrogates (`surrogateescape`), which every parser refuses.
    """

    verb: str
    argument: str

    @property
    def label(self) -> str:
        """A name that can label a metric: strangers cannot make new ones."""
        return self.verb if self.verb in COMMANDS else "other"


def parse_command(line: bytes) -> Command:
    """Spaces around the line are allowed (RFC 5321 §4.1.1 asks so of those behind), control characters are not."""
    match = _LINE.fullmatch(line.rstrip(b" \t"))
    if match is None or _CONTROL.search(line):
        raise ValueError("not a command")
    return Command(match[1].decode("ascii").upper(), (match[2] or b"").decode("utf-8", "surrogateescape"))


def printable(argument: str) -> str:
    """What a client calls itself, made harmless: at most 255 characters of host names and literals, the rest as `?`.

    Not refused: clients on machines with names in Chinese or with underscores are many, and it decides nothing.
    """
    return _UNSAFE.sub("?", argument[:255])
