"""What ends the demo early: something was not as promised."""

from __future__ import annotations


class DemoFailedError(Exception):
    """The text says what was promised and what came instead."""
