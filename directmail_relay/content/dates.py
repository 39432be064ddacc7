"""Dates as mail writes them (RFC 5322 §3.3). The time is an argument; names are English whatever the locale."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from functools import lru_cache

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def format_date(now: float, offset_minutes: int = 0) -> str:
    """POSIX seconds → `Mon, 23 Nov 2026 13:30:00 +0000`, in UTC or so many minutes east of it."""
    return _format_second(int(now // 1), offset_minutes)


# All messages of one second share the text.
@lru_cache(maxsize=8)
def _format_second(second: int, offset_minutes: int) -> str:
    at = datetime.fromtimestamp(second, timezone(timedelta(minutes=offset_minutes)))
    return f"{_DAYS[at.weekday()]}, {at.day:02} {_MONTHS[at.month - 1]} {at.year:04} {at:%H:%M:%S %z}"
