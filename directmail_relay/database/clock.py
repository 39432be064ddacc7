"""Times as the tables keep them: integer milliseconds since 1970, UTC; and as people and JSON read them."""

from __future__ import annotations

from datetime import UTC, datetime


def to_ms(seconds: float) -> int:
    return round(seconds * 1000)


def from_ms(milliseconds: int) -> float:
    return milliseconds / 1000


def iso(milliseconds: int | None) -> str | None:
    """`2026-11-23T13:21:42.120Z`; None stays None."""
    if milliseconds is None:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
