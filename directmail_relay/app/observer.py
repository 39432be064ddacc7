"""Connects what SMTP sessions tell with the metrics."""

from __future__ import annotations

from directmail_relay.telemetry import metrics


class SessionMetrics:
    """The `Observer` of `submission.door`."""

    def session_opened(self) -> None:
        metrics.SMTP_SESSIONS.inc()

    def session_closed(self) -> None:
        metrics.SMTP_SESSIONS.dec()

    def command(self, command: str, code: int) -> None:
        metrics.count_command(command, code)

    def refused(self, why: str) -> None:
        metrics.REFUSED.inc(why)

    def auth(self, result: str) -> None:
        metrics.AUTH.inc(result)

    def accepted(self, seconds: float) -> None:
        metrics.ACCEPTED.inc()
        metrics.ACCEPT_SECONDS.observe(seconds)
