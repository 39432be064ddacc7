from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directmail_relay.delivery.esmtp import (
    Extensions,
    envelope_needs_smtputf8,
    parse_extensions,
    render_mail,
    render_rcpt,
    stuff_dots,
)
from directmail_relay.delivery.outgoing import Outgoing
from directmail_relay.mail.address import Address
from directmail_relay.mail.message import Recipient

ALL = parse_extensions(["mx.test", "SIZE 1000", "8bitmime", "SMTPUTF8", "DSN", "STARTTLS"])
TO = Recipient(1, 0, Address("ok", "rcpt.test"), "rcpt.test", 0, 0.0)
PLAIN = Outgoing(1, Address("notice", "example.com"), (TO,), b"Subject: x\r\n\r\nHello\r\n")
WIDE = Address("收件", "rcpt.test")


def test_keywords_are_read_in_any_case_and_the_greeting_is_none() -> None:
    assert ALL.keywords == {"SIZE", "8BITMIME", "SMTPUTF8", "DSN", "STARTTLS"}
    assert ALL.max_size == 1000
    assert parse_extensions(["SIZE 5"]) == Extensions()


@pytest.mark.parametrize("line", ["SIZE", "SIZE 0", "SIZE -5", "SIZE x", "SIZE ²", "SIZE " + "9" * 5000])
def test_a_size_that_is_no_limit_limits_nothing(line: str) -> None:
    assert parse_extensions(["mx.test", line]).max_size == 0


def test_a_host_without_extensions_hears_only_the_address() -> None:
    eight = replace(PLAIN, content=b"Subject: x\r\n\r\n\xe4\r\n", body_8bit=True, ret="FULL", envid="7")
    assert render_mail(eight, Extensions()) == b"MAIL FROM:<notice@example.com>"
    assert render_rcpt(replace(TO, notify="NEVER"), Extensions()) == b"RCPT TO:<ok@rcpt.test>"


def test_the_null_sender_is_an_empty_path() -> None:
    assert render_mail(replace(PLAIN, mail_from=None), Extensions()) == b"MAIL FROM:<>"


def test_size_is_declared_and_8_bits_only_where_there_are_some() -> None:
    assert render_mail(PLAIN, ALL) == b"MAIL FROM:<notice@example.com> SIZE=21"
    eight = replace(PLAIN, content=b"Subject: x\r\n\r\n\xe4\r\n")
    assert render_mail(eight, ALL) == b"MAIL FROM:<notice@example.com> SIZE=17 BODY=8BITMIME"


def test_dsn_parameters_go_on_to_a_host_that_knows_them() -> None:
    dsn = replace(PLAIN, ret="HDRS", envid="QQ+2B314")
    assert render_mail(dsn, ALL) == b"MAIL FROM:<notice@example.com> SIZE=21 RET=HDRS ENVID=QQ+2B314"
    to = replace(TO, notify="SUCCESS,DELAY", orcpt="rfc822;bob@b.test")
    assert render_rcpt(to, ALL) == b"RCPT TO:<ok@rcpt.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;bob@b.test"


@pytest.mark.parametrize("envid", ["a b", "a\r\nRCPT TO:<x@y>", "ü", ""])
def test_a_dsn_parameter_that_would_be_more_than_a_word_is_left_out(envid: str) -> None:
    assert render_mail(replace(PLAIN, envid=envid), ALL) == b"MAIL FROM:<notice@example.com> SIZE=21"


def test_smtputf8_is_needed_only_where_use_is_made_of_it() -> None:
    asked = replace(PLAIN, smtputf8=True)
    assert not envelope_needs_smtputf8(asked)
    assert b"SMTPUTF8" not in render_mail(asked, ALL)
    assert envelope_needs_smtputf8(replace(asked, mail_from=WIDE))
    assert envelope_needs_smtputf8(replace(asked, content="Subject: ü\r\n\r\nx\r\n".encode()))
    assert not envelope_needs_smtputf8(replace(asked, content="Subject: u\r\n\r\nü\r\n".encode()))
    assert not envelope_needs_smtputf8(replace(PLAIN, content="Subject: ü\r\n\r\nx\r\n".encode()))
    wide = replace(asked, recipients=(TO, replace(TO, rcpt=WIDE)))
    assert not envelope_needs_smtputf8(wide)
    assert render_mail(wide, ALL).endswith(b" SMTPUTF8")
    assert render_rcpt(wide.recipients[1], ALL) == "RCPT TO:<收件@rcpt.test>".encode()


@pytest.mark.parametrize(
    ("content", "wire"),
    [
        (b"a\r\n", b"a\r\n.\r\n"),
        (b"", b".\r\n"),
        (b"a", b"a\r\n.\r\n"),
        (b".\r\n", b"..\r\n.\r\n"),
        (b"..a\r\n.\r\n.\r\n", b"...a\r\n..\r\n..\r\n.\r\n"),
        (b"a.b\r\n", b"a.b\r\n.\r\n"),
    ],
)
def test_a_line_that_begins_with_a_dot_gets_another(content: bytes, wire: bytes) -> None:
    assert stuff_dots(content) == wire


@given(st.lists(st.sampled_from([b".", b"..", b"a", b"", b"a.", b".a"])))
def test_the_other_side_gets_back_what_was_stuffed(lines: list[bytes]) -> None:
    content = b"".join(line + b"\r\n" for line in lines)
    wire = stuff_dots(content)
    assert (b"\r\n" + wire).find(b"\r\n.\r\n") == len(wire) - 3, "the first final dot is the last line"
    assert re.sub(rb"(?m)^\.", b"", wire.removesuffix(b".\r\n")) == content
