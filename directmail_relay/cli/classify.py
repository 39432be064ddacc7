"""`directmail-relay classify`: JSON lines with replies in, JSON lines with their meaning out, one for one and in order.

A line that cannot be understood gets a line with an error, and the next line is read. Needs no config.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from directmail_relay.mail.attempt import Stage
from directmail_relay.policy.classify import Classification, classify, parse_reply_text


def classify_lines(lines: Iterable[str]) -> Iterator[str]:
    """Answers each line `{"reply": "550 5.1.1 …", "stage": "RCPT"}`; `stage` may be left out or null."""
    for line in lines:
        yield json.dumps(_answer(line), ensure_ascii=False)


def _answer(line: str) -> dict[str, Any]:
    try:
        reply, stage = _parse_line(line)
    except ValueError as error:
        return {"error": {"code": "bad_line", "message": str(error)}}
    return _render(classify(parse_reply_text(reply), stage))


def _parse_line(line: str) -> tuple[str, Stage | None]:
    """ValueError, with a message that does not repeat what the line says."""
    try:
        given = json.loads(line)
    except RecursionError:
        raise ValueError("not JSON: nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"not JSON: {error}") from error
    if not isinstance(given, dict) or not isinstance(given.get("reply"), str):
        raise ValueError('not an object with a text "reply"')  # noqa: TRY004 - the line has a bad value, not a bad type
    return given["reply"], _parse_stage(given.get("stage"))


def _parse_stage(name: object) -> Stage | None:
    if name is None:
        return None
    if not isinstance(name, str) or name.upper() not in set(Stage):
        raise ValueError(f'"stage" must be one of {", ".join(Stage)}')
    return Stage(name.upper())


def _render(meaning: Classification) -> dict[str, Any]:
    return {
        "category": meaning.category,
        "retry": meaning.retry,
        "suppress": meaning.suppress,
        "status": meaning.status,
        "rule": meaning.rule,
        "advice": {"zh": meaning.advice.zh, "en": meaning.advice.en},
    }
