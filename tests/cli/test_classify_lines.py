"""The lines of `directmail-relay classify`: one answer for one line, whatever the line is."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directmail_relay.cli.classify import classify_lines
from directmail_relay.policy.classify import Category


def answers(*lines: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in classify_lines(lines)]


def test_an_answer_has_exactly_the_fields_of_the_interface() -> None:
    [answer] = answers('{"reply": "550 5.1.1 User unknown", "stage": "RCPT"}')
    assert answer["category"] == "recipient_not_found"
    assert (answer["retry"], answer["suppress"], answer["status"]) == ("no", "yes", 2)
    assert answer["rule"] == "R1/user-unknown"
    assert list(answer) == ["category", "retry", "suppress", "status", "rule", "advice"]
    advice = answer["advice"]
    assert isinstance(advice, dict)
    assert set(advice) == {"zh", "en"}
    assert "请与收件人确认" in advice["zh"]


def test_every_line_is_answered_in_order_and_errors_do_not_stop_it() -> None:
    found = answers(
        '{"reply": "552 5.2.2 no room for more"}',
        "no json at all",
        '{"reply": 550}',
        "[]",
        '{"reply": "550 x", "stage": "LUNCH"}',
        '{"reply": "421 you hold too many connections", "stage": null}',
    )
    assert [answer.get("category", "error") for answer in found] == [
        "mailbox_full",
        *["error"] * 4,
        "ip_rate_limited",
    ]


def test_an_error_has_a_code_and_a_message() -> None:
    [answer] = answers('{"stage": "RCPT"}')
    error = answer["error"]
    assert isinstance(error, dict)
    assert error["code"] == "bad_line"
    assert "reply" in error["message"]


def test_a_reply_without_a_code_is_answered() -> None:
    [answer] = answers('{"reply": "This mailbox is full, write again next week"}')
    assert answer["category"] == "mailbox_full"


def test_a_reply_of_several_lines_is_one_reply() -> None:
    lines = "550-5.1.1 The email account that you tried to reach does not exist.\\n550 5.1.1 Try again."
    [answer] = answers(f'{{"reply": "{lines}"}}')
    assert answer["category"] == "recipient_not_found"


def test_a_success_has_status_zero() -> None:
    [answer] = answers('{"reply": "250 Data Ok: queued as freedom"}')
    assert (answer["category"], answer["status"], answer["rule"]) == ("other", 0, "success")


def test_the_stage_counts() -> None:
    line = '{{"reply": "550 user unknown", "stage": "{}"}}'
    at_mail, at_rcpt = answers(line.format("MAIL"), line.format("RCPT"))
    assert at_mail["suppress"] == "no"
    assert at_rcpt["suppress"] == "yes"


def test_lines_are_answered_as_they_come() -> None:
    def endless() -> object:
        while True:
            yield '{"reply": "550 no"}'

    answered = classify_lines(endless())  # type: ignore[arg-type]  # a generator of text, typed loosely for brevity
    assert json.loads(next(answered))["category"]


@pytest.mark.parametrize(
    "line", ["", "{", "null", "[" * 100_000, '{"reply": null}', '{"reply": "x", "stage": ["RCPT"]}']
)
def test_what_is_no_question_gets_an_error(line: str) -> None:
    assert "error" in answers(line)[0]


@given(st.text() | st.builds(lambda reply: json.dumps({"reply": reply}), st.text()))
def test_any_line_gets_one_line_of_json(line: str) -> None:
    [written] = classify_lines([line])
    assert "\n" not in written
    answer = json.loads(written)
    assert "error" in answer or answer["category"] in set(Category)
