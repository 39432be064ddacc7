"""An SMTP reply: what a server says, whether we say it or hear it (RFC 5321 §4.2, enhanced codes RFC 3463).

Parsing here takes the octets of a peer that may lie; nothing it sends may raise anything but ValueError.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?=\s|$)\s*")


class Origin(StrEnum):
    """Who spoke: this relay, or a host on the other side."""

    LOCAL = "local"
    REMOTE = "remote"


@dataclass(frozen=True, slots=True)
class Reply:
    """One whole reply, its lines joined by one space each.

    `code` is the three-digit code of the first line. `enhanced` is the RFC 3463 code that stood before the
    text, or None. `text` has neither; it holds no control characters when it came from `parse_reply`.
    """

    code: int
    text: str
    enhanced: str | None = None
    origin: Origin = Origin.REMOTE

    @property
    def is_success(self) -> bool:
        return 200 <= self.code < 300

    @property
    def is_temporary(self) -> bool:
        return 400 <= self.code < 500

    @property
    def is_permanent(self) -> bool:
        return 500 <= self.code < 600

    def __str__(self) -> str:
        return " ".join(part for part in (str(self.code), self.enhanced, self.text) if part)


def split_enhanced(text: str) -> tuple[str | None, str]:
    """`5.1.1 No such user` → (`5.1.1`, `No such user`); without such a code (None, text)."""
    match = _ENHANCED.match(text)
    return (match[1], text[match.end() :]) if match else (None, text)
