"""Log lines: JSON on standard output, one event a line, the libraries' own warnings among them.

It must never let a peer write a line of its own (control characters are escaped), show a secret (aiosmtpd writes AUTH
lines below ERROR; tracebacks carry no local variables), or raise: mail matters more than the line about it.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
from collections.abc import Callable
from typing import Any, BinaryIO, Literal

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

LogFormat = Literal["json", "console"]
LogLevel = Literal["debug", "info", "warning", "error"]

# Log lines of libraries that a level of their own keeps quiet; everything else speaks from WARNING on.
_LIBRARIES = {"mail.log": logging.ERROR, "mail.debug": logging.ERROR}
_LONGEST = 8192  # characters of a library's message
# What JSON leaves as it is, but a terminal or a log viewer may obey: C1 controls, line separators, bidi overrides.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


class _Lines:
    """Where lines go. What cannot be written is counted in `lost` and dropped: a full disk must not stop the mail."""

    def __init__(self) -> None:
        self.lost = 0
        self._stream: BinaryIO | None = None
        self._lock = threading.Lock()

    def direct(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, line: bytes) -> None:
        with self._lock:
            try:
                stream = self._stream or sys.stdout.buffer
                stream.write(line + b"\n")
                stream.flush()
            except (OSError, ValueError):  # a full disk or a closed pipe; ValueError: the stream was closed by us
                self.lost += 1

    debug = info = warning = error = critical = write


_LINES = _Lines()


def lost_lines() -> int:
    """How many lines this process could not write."""
    return _LINES.lost


def get_logger(name: str) -> FilteringBoundLogger:
    """A logger whose lines carry `part: name`; cheap to keep at module level, before the set-up too."""
    logger: FilteringBoundLogger = structlog.get_logger(part=name)
    return logger


def configure_logging(format: LogFormat = "json", level: LogLevel = "info", stream: BinaryIO | None = None) -> None:  # noqa: A002 - named as its key in the file
    """Sets up structlog and the standard library's logging, once a process. `stream` is stdout unless given.

    A logger that has been used keeps its level and form, so both can change with a restart only.
    """
    _LINES.direct(stream or sys.stdout.buffer)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            *_renderers(format),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=lambda *_: _LINES,
        cache_logger_on_first_use=True,
    )
    _take_over_libraries()


def render_json(_logger: WrappedLogger, _method: str, event: EventDict) -> bytes:
    """One line of JSON, what everybody looks for first. Any value can be rendered; text stays readable."""
    first = {key: event[key] for key in ("timestamp", "level", "event") if key in event}
    ordered = {**first, **event}
    try:
        text = json.dumps(ordered, ensure_ascii=False, default=repr)
    except (TypeError, ValueError):  # a key that is no text, or a value that holds itself
        text = json.dumps({str(key): repr(value) for key, value in ordered.items()}, ensure_ascii=False)
    return _to_octets(text)


def _renderers(log_format: LogFormat) -> list[Processor]:
    if log_format == "json":
        return [render_json]
    return [_escape_values, structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty()), _encode]


def _encode(_logger: WrappedLogger, _method: str, text: Any) -> bytes:
    return str(text).encode("utf-8", "backslashreplace")


def _escape_values(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    # A traceback is ours but for its last line, and needs its line ends.
    return {key: value if key == "exception" else _escape(value) for key, value in event.items()}


def _escape(value: Any) -> Any:
    return _UNSAFE.sub(_as_escape, value) if isinstance(value, str) else value


def _to_octets(text: str) -> bytes:
    if text.isascii():
        # json.dumps has escaped the control characters, all but DEL.
        return text.replace("\x7f", "\\u007f").encode()
    # A lone surrogate (octets of a peer that were not UTF-8) becomes the JSON escape that stands for it.
    return _UNSAFE.sub(_as_escape, text).encode("utf-8", "backslashreplace")


def _as_escape(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"


class _Forward(logging.Handler):
    """Hands the records of libraries to structlog, so that there is one form and one stream."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
        except (TypeError, ValueError):  # the library's format does not fit its arguments
            message = str(record.msg)
        speak: Callable[..., Any] = getattr(structlog.get_logger(part=record.name), _method_of(record.levelno))
        speak(message[:_LONGEST], exc_info=record.exc_info)


def _method_of(level: int) -> str:
    if level >= logging.ERROR:
        return "error"
    return "warning" if level >= logging.WARNING else "info"


def _take_over_libraries() -> None:
    root = logging.getLogger()
    for handler in [one for one in root.handlers if isinstance(one, _Forward)]:
        root.removeHandler(handler)
    root.addHandler(_Forward())
    root.setLevel(logging.WARNING)
    for name, level in _LIBRARIES.items():
        logging.getLogger(name).setLevel(level)
