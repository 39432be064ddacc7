"""Every Prometheus metric, declared once, with the labels it may have; children are bound once, for the hot path.

Label values come from small sets of our own. Nothing that a peer chooses may become one: beyond a ceiling, and for
commands that nobody knows, the label is `other`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from os import getpid

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, values
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4 as METRICS_CONTENT_TYPE
from prometheus_client.multiprocess import MultiProcessCollector

from directmail_relay.mail.message import State
from directmail_relay.telemetry.metrics_directory import discard_files, mark_worker_dead, metrics_directory

__all__ = ["METRICS_CONTENT_TYPE", "LabelledCounter", "adopt_worker", "count_command", "render_metrics"]

MAX_CHILDREN = 300
OTHER = "other"


class _Identity:
    """Under which name this process writes its files: its pid, until it adopts a worker's number."""

    worker = getpid()
    is_shared = metrics_directory() is not None


if _Identity.is_shared:
    # The library's own class, but with our names: a worker's successor goes on in the files of its predecessor,
    # so that their number does not grow with each death.
    values.ValueClass = values.MultiProcessValue(lambda: f"w{_Identity.worker}")  # type: ignore[no-untyped-call] # the library has no types here
prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call] # as above


class LabelledCounter:
    """A counter with labels. `inc` costs one look-up in a dict after the first time."""

    def __init__(
        self, name: str, help_text: str, labels: tuple[str, ...], known: Iterable[tuple[str, ...]] = ()
    ) -> None:
        self._counter = Counter(name, help_text, labels)
        self._others = (OTHER,) * len(labels)
        # What is known beforehand shows from the start, as 0: an alert can tell "never" from "not measured".
        self._children = {one: self._counter.labels(*one) for one in known}

    def inc(self, *labels: str, amount: float = 1.0) -> None:
        child = self._children.get(labels)
        if child is None:
            child = self._bind(labels)
        child.inc(amount)

    def _bind(self, labels: tuple[str, ...]) -> Counter:
        if len(self._children) >= MAX_CHILDREN:
            labels = self._others
        return self._children.setdefault(labels, self._counter.labels(*labels))


_COMMANDS = frozenset(
    {"CONNECT", "HELO", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA"}
    # the rest of RFC 5321 §4.1.1
    | {"RSET", "NOOP", "QUIT", "VRFY", "EXPN", "HELP"}
)
_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_SLOW = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0, 43200.0, 259200.0)

SMTP_SESSIONS = Gauge("directmail_smtp_sessions", "SMTP sessions open now", multiprocess_mode="livesum")
SMTP_COMMANDS = LabelledCounter(
    "directmail_smtp_commands_total", "SMTP commands answered, by command and reply code", ("command", "code")
)
ACCEPTED = Counter("directmail_accepted_total", "Messages accepted: 250 was said after the commit")
REFUSED = LabelledCounter("directmail_refused_total", "Refusals, by why", ("reason",))
AUTH = LabelledCounter(
    "directmail_auth_total", "Logins tried, by result", ("result",), known=[("ok",), ("auth_failed",), ("auth_rate",)]
)
QUEUE_RECIPIENTS = Gauge(
    "directmail_queue_recipients",
    "Recipients in the queue, by state; sampled",
    ("state",),
    multiprocess_mode="mostrecent",
)
QUEUE_AGE_SECONDS = Gauge(
    "directmail_queue_age_seconds", "Age of the oldest recipient in the queue; sampled", multiprocess_mode="mostrecent"
)
ATTEMPTS = LabelledCounter(
    "directmail_attempts_total", "Delivery attempts, one a recipient, by category", ("category",)
)
DELIVERED = Counter("directmail_delivered_total", "Recipients delivered")
FAILED = LabelledCounter(
    "directmail_failed_total",
    "Recipients given up: 2 invalid address, 3 spam, 4 failed",
    ("status",),
    known=[("2",), ("3",), ("4",)],
)
DOMAIN_CHECKS = LabelledCounter(
    "directmail_domain_checks_total",
    "Scheduled checks of sending domains, by the status they left; no_answer: the DNS was in trouble",
    ("result",),
    known=[("verified",), ("usable",), ("unverified",), ("failed",), ("no_answer",)],
)
DOMAINS = Gauge(
    "directmail_domains", "Sending domains, by status; sampled", ("status",), multiprocess_mode="mostrecent"
)
ACCEPT_SECONDS = Histogram("directmail_accept_seconds", "From the final dot to the commit", buckets=_FAST)
DELIVERY_SECONDS = Histogram("directmail_delivery_seconds", "From acceptance to delivery of a recipient", buckets=_SLOW)
EVENT_LOOP_LAG_SECONDS = Gauge(
    "directmail_event_loop_lag_seconds",
    "Longest lag of the event loop in the last interval",
    multiprocess_mode="livemax",
)

_STATES = (State.QUEUED, State.DELIVERING, State.HELD)
_QUEUED_BY_STATE = {str(state): QUEUE_RECIPIENTS.labels(state.value) for state in _STATES}

_DOMAINS_BY_STATUS = {name: DOMAINS.labels(name) for name in ("verified", "usable", "unverified", "failed")}


def set_domains(statuses: Mapping[str, int]) -> None:
    """A sample of the sending domains; a status that is not mentioned has none."""
    for status, gauge in _DOMAINS_BY_STATUS.items():
        gauge.set(statuses.get(status, 0))


def count_command(command: str, code: int) -> None:
    """One command and our reply to it; CONNECT stands for the greeting. A command that is none of SMTP's is `other`."""
    name = command.upper()
    SMTP_COMMANDS.inc(name if name in _COMMANDS else OTHER, str(code))


def set_queue(recipients: Mapping[str, int], oldest_seconds: float) -> None:
    """A sample of the queue; a state that is not mentioned has none. One process of all samples at a time."""
    for state, gauge in _QUEUED_BY_STATE.items():
        gauge.set(recipients.get(state, 0))
    QUEUE_AGE_SECONDS.set(oldest_seconds)


def adopt_worker(worker: int) -> None:
    """Called first in a worker process, with its number: it goes on counting where its dead predecessor stopped.

    Raises RuntimeError when the metrics were declared before there was a directory (a forked worker): it would count
    in memory, unseen.
    """
    if metrics_directory() is None:
        return
    if not _Identity.is_shared:
        raise RuntimeError("the metrics were declared before prepare_metrics_directory: start workers with spawn")
    own, _Identity.worker = _Identity.worker, worker
    mark_worker_dead(worker)
    SMTP_SESSIONS.inc(0)  # the library opens the new files with the first change
    if own != worker:
        discard_files(own)


def render_metrics() -> bytes:
    """All metrics in the text format: those of all workers when there is a directory, else those of this process."""
    directory = metrics_directory()
    if directory is None:
        return generate_latest()
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(directory))  # type: ignore[no-untyped-call] # as above
    return generate_latest(registry)
