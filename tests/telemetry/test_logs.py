"""Log lines: one event each, safe to look at, without secrets."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from directmail_relay.telemetry import logs

PEER_TEXT = 'a\r\n{"level": "error"}\x00\x1b[31m\x7f\x9b\u2028\u202e\udc80 邮箱不存在'


@pytest.fixture
def stream() -> Iterator[io.BytesIO]:
    root = logging.getLogger()
    level = root.level
    yield io.BytesIO()
    for handler in [one for one in root.handlers if isinstance(one, logs._Forward)]:
        root.removeHandler(handler)
    for logger in (root, logging.getLogger("mail.log"), logging.getLogger("mail.debug")):
        logger.setLevel(level if logger is root else logging.NOTSET)
    structlog.reset_defaults()


def read_lines(stream: io.BytesIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_line_of_json_with_its_time_in_utc(stream: io.BytesIO) -> None:
    logs.configure_logging(stream=stream)
    logs.get_logger("queue").info("accepted", env_id="42", rcpts=3)
    (line,) = read_lines(stream)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", line.pop("timestamp"))
    assert line == {"level": "info", "event": "accepted", "part": "queue", "env_id": "42", "rcpts": 3}


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_peer_cannot_write_a_line_or_a_terminal_command_of_its_own(
    stream: io.BytesIO, log_format: logs.LogFormat
) -> None:
    logs.configure_logging(log_format, stream=stream)
    logs.get_logger("session").info(PEER_TEXT, reply=PEER_TEXT)
    written = stream.getvalue().decode()
    assert written.count("\n") == 1
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202e]", written)
    assert "邮箱不存在" in written
    if log_format == "json":
        assert read_lines(stream)[0]["reply"] == PEER_TEXT


def test_values_that_json_does_not_know_are_still_one_line(stream: io.BytesIO) -> None:
    logs.configure_logging(stream=stream)
    knot: list[Any] = []
    knot.append(knot)
    logs.get_logger("x").info("odd", path=Path("/a"), knot=knot, raw=b"\n")
    (line,) = read_lines(stream)
    assert "/a" in line["path"]


def test_levels_below_the_chosen_one_are_dropped(stream: io.BytesIO) -> None:
    logs.configure_logging(level="warning", stream=stream)
    logger = logs.get_logger("x")
    logger.info("no")
    logger.warning("yes")
    assert [line["event"] for line in read_lines(stream)] == ["yes"]


@pytest.mark.parametrize("level", ["debug", "info"])
def test_what_aiosmtpd_says_of_commands_never_passes(stream: io.BytesIO, level: logs.LogLevel) -> None:
    logs.configure_logging(level=level, stream=stream)
    for name in ("mail.log", "mail.debug"):
        logger = logging.getLogger(name)
        for speak in (logger.debug, logger.info, logger.warning):
            speak("%r >> %r", ("127.0.0.1", 1), b"AUTH PLAIN AGEAc2VjcmV0")
    assert stream.getvalue() == b""
    logging.getLogger("mail.log").error("listener failed")
    assert [line["event"] for line in read_lines(stream)] == ["listener failed"]


def test_warnings_of_libraries_share_our_form(stream: io.BytesIO) -> None:
    logs.configure_logging(stream=stream)
    logs.configure_logging(stream=stream)  # twice, and yet each line once
    for name in ("uvicorn.error", "asyncio", "aiosmtplib", "sqlalchemy.pool", "alembic"):
        logging.getLogger(name).info("quiet")
        logging.getLogger(name).warning("%s went wrong\nhere", "it")
    logs._Forward().emit(logging.LogRecord("asyncio", logging.ERROR, "", 0, "%d", ("no number",), None))
    lines = read_lines(stream)
    assert [line["event"] for line in lines] == ["it went wrong\nhere"] * 5 + ["%d"]
    assert lines[0]["level"] == "warning"
    assert lines[0]["part"] == "uvicorn.error"


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_traceback_shows_no_local_variables(stream: io.BytesIO, log_format: logs.LogFormat) -> None:
    logs.configure_logging(log_format, stream=stream)
    secret = f"hunter{len('ab')}"  # so that the source line does not show it
    try:
        len(int(secret[:0] or "0"))  # type: ignore[arg-type] # the error is the point
    except TypeError:
        logs.get_logger("x").error("failed", exc_info=True)
    assert b"TypeError" in stream.getvalue()
    assert b"hunter2" not in stream.getvalue()


def test_a_full_disk_costs_the_line_and_nothing_else(stream: io.BytesIO) -> None:
    lost = logs.lost_lines()
    with Path("/dev/full").open("wb", buffering=0) as full:
        logs.configure_logging(stream=full)
        logs.get_logger("x").info("said")
    assert logs.lost_lines() == lost + 1
