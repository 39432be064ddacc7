"""What is printed as JSON: one line that any terminal shows and any program reads, whatever strangers wrote."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directmail_relay.cli.output import print_json, shorten


def test_controls_and_lone_surrogates_are_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": "\x7f\x9b31m\udcff \x1b 发信 \U0001f4e7"})
    assert capsys.readouterr().out == '{"a": "\\u007f\\u009b31m\\udcff \\u001b 发信 \U0001f4e7"}\n'


@given(st.text(st.characters()))
def test_what_is_printed_can_be_encoded_and_says_the_same(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        printed: list[str] = []
        patch.setattr("typer.echo", printed.append)
        print_json([text])
    printed[0].encode()
    assert json.loads(printed[0]) == [text]
    assert not any(char in printed[0] for char in map(chr, (*range(0x20), *range(0x7F, 0xA0))))


def test_a_value_of_60_characters_is_shown_whole() -> None:
    assert shorten("x" * 60) == "x" * 60
    assert shorten("x" * 61) == "x" * 23 + "… (61 characters)"
