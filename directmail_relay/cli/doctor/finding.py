"""What a check found: one line for people, one object for programs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """`fail` loses mail, `warning` may, `info` is worth knowing; `ok` is as it should be."""

    OK = "ok"
    INFO = "info"
    WARNING = "warning"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """`expected` and `found` in words, `advice` what to do about the difference; empty when there is nothing to do.

    `brief` are `expected` and `found` for a table, where their values are too long for one.
    """

    check: str
    severity: Severity
    expected: str
    found: str
    advice: str = ""
    brief: tuple[str, str] | None = None

    @property
    def ok(self) -> bool:
        return self.severity in {Severity.OK, Severity.INFO}

    def as_row(self) -> list[str]:
        """Check, verdict, expected, found, what to do."""
        return [self.check, self.severity.value, *(self.brief or (self.expected, self.found)), self.advice]

    def as_document(self) -> dict[str, Any]:
        return {
            "check": self.check,
            "ok": self.ok,
            "severity": self.severity.value,
            "expected": self.expected,
            "found": self.found,
            "advice": self.advice,
        }
