"""One line of a client, whatever it holds, is a command or a ValueError."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directmail_relay.submission.command_line import COMMANDS, Command, parse_command, printable


@pytest.mark.parametrize(
    ("line", "command"),
    [
        (b"NOOP", Command("NOOP", "")),
        (b"noop ", Command("NOOP", "")),
        (b"  Mail  From:<a@b.c>  ", Command("MAIL", "From:<a@b.c>")),
        (b"EHLO a\tb", Command("EHLO", "a\tb")),
        (b"EHLO \xe6\xb5\x8b", Command("EHLO", "测")),
        (b"EHLO \xff", Command("EHLO", "\udcff")),
        (b"X-ALIDM", Command("X-ALIDM", "")),
    ],
)
def test_a_command_is_a_word_and_the_rest(line: bytes, command: Command) -> None:
    assert parse_command(line) == command


@pytest.mark.parametrize("line", [b"", b" ", b"\t", b"A\x00", b"NOOP\r", b"NOOP \x7f", b"A" * 17, b"\xe6", b"A.B c"])
def test_what_is_no_command_is_a_value_error(line: bytes) -> None:
    with pytest.raises(ValueError, match="not a command"):
        parse_command(line)


@given(st.binary(max_size=600))
def test_any_line_is_a_command_or_a_value_error(line: bytes) -> None:
    try:
        command = parse_command(line)
    except ValueError:
        return
    assert command.verb == command.verb.upper().strip()
    assert command.verb.isascii()
    assert command.argument == command.argument.strip(" ")
    assert command.label in COMMANDS | {"other"}
    assert command.argument.encode("utf-8", "surrogateescape") in line


@given(st.text())
def test_what_a_client_calls_itself_becomes_harmless(argument: str) -> None:
    harmless = printable(argument)
    assert len(harmless) <= 255
    assert not set(harmless) & set(' ()<>"\\\r\n\t;,@')
    assert harmless.isascii()
    assert harmless.isprintable()


def test_a_host_name_and_a_literal_stay_as_they_are() -> None:
    assert printable("mail_1.example.com") == "mail_1.example.com"
    assert printable("[IPv6:2001:db8::1]") == "[IPv6:2001:db8::1]"
