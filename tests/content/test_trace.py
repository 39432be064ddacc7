"""The Received field: what it says, and what no client can make it say."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directmail_relay.content.headers import split_header
from directmail_relay.content.trace import Hop, protocol_keyword, render_received
from directmail_relay.mail.address import Address

HOP = Hop(
    helo="client.example",
    client_ip="192.0.2.1",
    hostname="mail.example.com",
    keyword="ESMTPSA",
    env_id="148316944",
    date="Mon, 23 Nov 2026 13:30:00 +0000",
    rcpt_to=Address("user", "example.org"),
)


def test_it_says_who_gave_what_to_whom_and_when() -> None:
    assert render_received(HOP) == (
        b"Received: from client.example ([192.0.2.1]) by mail.example.com with ESMTPSA\r\n"
        b"\tid 148316944 for <user@example.org>; Mon, 23 Nov 2026 13:30:00 +0000\r\n"
    )


def test_several_recipients_are_not_named() -> None:
    assert b" id 148316944; Mon," in re.sub(rb"\s+", b" ", render_received(replace(HOP, rcpt_to=None)))


@pytest.mark.parametrize("local", ['"a b"', '"); by evil"', "é"])
def test_a_recipient_whose_name_would_confuse_the_field_is_not_named(local: str) -> None:
    assert b"for" not in render_received(replace(HOP, rcpt_to=Address(local, "example.org")))


@pytest.mark.parametrize(
    ("address", "literal"),
    [
        ("2001:db8::1", b"([IPv6:2001:db8::1])"),
        ("fe80::1%eth0", b"([IPv6:fe80::1])"),
        ("192.0.2.1", b"([192.0.2.1])"),
    ],
)
def test_addresses_are_written_as_literals(address: str, literal: bytes) -> None:
    assert literal in render_received(replace(HOP, client_ip=address))


@pytest.mark.parametrize(
    ("esmtp", "tls", "authenticated", "smtputf8", "keyword"),
    [
        (False, False, False, False, "SMTP"),
        (True, False, False, False, "ESMTP"),
        (True, True, False, False, "ESMTPS"),
        (True, False, True, False, "ESMTPA"),
        (True, True, True, False, "ESMTPSA"),
        (False, False, True, False, "ESMTPA"),
        (True, False, False, True, "UTF8SMTP"),
        (True, True, True, True, "UTF8SMTPSA"),
    ],
)
def test_the_protocol_has_its_registered_word(
    esmtp: bool,  # noqa: FBT001 -- parametrize passes by name
    tls: bool,  # noqa: FBT001 -- as above
    authenticated: bool,  # noqa: FBT001 -- as above
    smtputf8: bool,  # noqa: FBT001 -- as above
    keyword: str,
) -> None:
    assert protocol_keyword(esmtp=esmtp, tls=tls, authenticated=authenticated, smtputf8=smtputf8) == keyword


@given(st.text(max_size=400))
def test_no_greeting_name_gets_out_of_its_place(helo: str) -> None:
    field = render_received(replace(HOP, helo=helo))
    assert [each.name for each in split_header(field).fields] == [b"received"]
    words = field.decode("ascii").split()
    assert words[3:5] == ["([192.0.2.1])", "by"]
    assert field.count(b"(") == field.count(b";") == 1
    assert all(len(line) <= 78 or b" " not in line.strip() for line in field.split(b"\r\n"))


def test_an_empty_greeting_is_called_unknown() -> None:
    assert b"from unknown (" in render_received(replace(HOP, helo=""))
