"""Where the header ends, what is in it, and what we add to it."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directmail_relay.content.complete import Completed, complete
from directmail_relay.content.dates import format_date
from directmail_relay.content.headers import (
    HeaderLimitError,
    HeaderLimits,
    count_received,
    has_8bit,
    needs_smtputf8_header,
    split_header,
)

RECEIVED = b"Received: from a by b; date\r\n"
DATE = "Mon, 23 Nov 2026 13:30:00 +0000"
OUR_ID = "<ours@relay.example>"


def completed(content: bytes) -> Completed:
    return complete(content, received=RECEIVED, date=DATE, message_id=OUR_ID)


@pytest.mark.parametrize(
    ("content", "names", "end", "body"),
    [
        (b"", [], 0, b""),
        (b"\r\n", [], 0, b""),
        (b"\r\nbody\r\n", [], 0, b"body\r\n"),
        (b"A: 1\r\nB: 2\r\n\r\nbody\r\n", [b"a", b"b"], 12, b"body\r\n"),
        (b"A: 1\r\n 2\r\n\t3\r\nB:\r\n\r\n", [b"a", b"b"], 18, b""),
        (b"A : 1\r\nB\t: 2\r\n\r\nx\r\n", [b"a", b"b"], 14, b"x\r\n"),
        (b"A: 1\r\n \r\nB: 2\r\n\r\nx\r\n", [b"a", b"b"], 15, b"x\r\n"),  # a line of blanks goes on with A
        (b"A: 1\r\nB: 2\r\n", [b"a", b"b"], 12, b""),  # no blank line: all header
        (b"A: 1\r\nB: 2", [b"a", b"b"], 10, b""),
        (b"A: 1\r\nno colon\r\nB: 2\r\n\r\nx\r\n", [b"a"], 6, b"no colon\r\nB: 2\r\n\r\nx\r\n"),
        (b"Dear Sir,\r\nFrom: x\r\n\r\n", [], 0, b"Dear Sir,\r\nFrom: x\r\n\r\n"),
        (b" A: 1\r\nB: 2\r\n", [], 0, b" A: 1\r\nB: 2\r\n"),
        (b"From a@b.example Mon Nov 23\r\nA: 1\r\n", [], 0, b"From a@b.example Mon Nov 23\r\nA: 1\r\n"),
        (b": 1\r\n\r\n", [], 0, b": 1\r\n\r\n"),
        ("Fröm: 1\r\n\r\n".encode(), [], 0, "Fröm: 1\r\n\r\n".encode()),
    ],
)
def test_a_header_ends_at_the_first_line_that_is_no_field(
    content: bytes, names: list[bytes], end: int, body: bytes
) -> None:
    header = split_header(content)
    assert [field.name for field in header.fields] == names
    assert header.end == end
    assert content[header.body :] == body


lines = st.sampled_from(
    [b"A: 1", b"B:", b" folded", b"\t", b"", b"no colon", b"C : x", b": y", b"\xff: z", b"D:\xff\0"]
)


@given(st.lists(lines, max_size=12), st.sampled_from([b"", b"\r\n", b"\r", b"\n"]))
def test_the_pieces_of_a_message_make_up_the_message(parts: list[bytes], last: bytes) -> None:
    content = b"\r\n".join(parts) + last
    header = split_header(content)
    assert b"".join(field.raw for field in header.fields) == content[: header.end]
    assert content[header.end : header.body] in {b"", b"\r\n"}


def test_a_value_is_unfolded_and_trimmed() -> None:
    (field,) = split_header(b"Subject :\r\n  one\r\n two \r\n\r\n").fields
    assert field.value == b"one two"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"A: 1\r\n" * 1001 + b"\r\n", "more header fields than 1000"),
        (b"A: " + b"x" * 65536 + b"\r\n\r\n", "a header field of more octets than 65536"),
        (b"A: x" + b"\r\n x" * 17000 + b"\r\n\r\n", "a header field of more octets than 65536"),
        ((b"A: " + b"x" * 60000 + b"\r\n") * 5 + b"\r\n", "a header of more octets than 262144"),
    ],
)
def test_too_much_header_is_refused_with_the_limit_it_passed(content: bytes, says: str) -> None:
    with pytest.raises(HeaderLimitError, match=says):
        split_header(content, HeaderLimits())
    with pytest.raises(HeaderLimitError, match=says):
        completed(content)
    assert split_header(content).fields  # without limits it is read


def test_the_largest_header_allowed_is_taken() -> None:
    content = b"A: 1\r\n" * 1000 + b"\r\n"
    assert len(split_header(content, HeaderLimits()).fields) == 1000


@pytest.mark.parametrize("unit", [b"a", b"a ", b" ", b":", b"a:\r\n", b"\r\n ", b"\r\n", b"a: \t", b"\r", b"\0"])
@pytest.mark.parametrize("prefix", [b"", b"A:", b"A: 1\r\n"])
def test_a_hostile_header_costs_no_more_than_its_length(prefix: bytes, unit: bytes) -> None:
    content = prefix + unit * (300_000 // len(unit))
    began = time.process_time()
    split_header(content)
    assert time.process_time() - began < 1


def test_what_is_missing_is_added_on_top() -> None:
    result = completed(b"From: a@b.example\r\nSubject: x\r\n\r\nbody\r\n")
    assert result.content == (
        RECEIVED + b"Message-ID: <ours@relay.example>\r\nDate: Mon, 23 Nov 2026 13:30:00 +0000\r\n"
        b"From: a@b.example\r\nSubject: x\r\n\r\nbody\r\n"
    )
    assert result.message_id == OUR_ID


def test_what_the_client_gave_stays_as_it_is() -> None:
    given_ = b"DATE:  yesterday\r\nmessage-id:\r\n <theirs@b.example>\r\nFrom: a@b.example\r\n\r\nbody\r\n"
    result = completed(given_)
    assert result.content == RECEIVED + given_
    assert result.message_id == "<theirs@b.example>"
    assert str(result.header_from.address) == "a@b.example"


def test_an_empty_date_or_message_id_counts_as_none() -> None:
    result = completed(b"Date: \r\nMessage-ID:\r\n \r\nFrom: a@b.example\r\n\r\n")
    names = [field.name for field in split_header(result.content).fields]
    assert names == [b"received", b"message-id", b"date", b"from"]
    assert result.message_id == OUR_ID


def test_blind_recipients_and_return_paths_are_taken_out() -> None:
    result = completed(
        b"BCC: c@d.example,\r\n e@f.example\r\nFrom: a@b.example\r\nReturn-Path: <x@y.example>\r\n"
        b"Resent-Bcc: g@h.example\r\nX-Bcc: stays\r\n\r\nBcc: body\r\n"
    )
    names = [field.name for field in split_header(result.content).fields]
    assert names == [b"received", b"message-id", b"date", b"from", b"x-bcc"]
    assert result.content.endswith(b"\r\n\r\nBcc: body\r\n")


@pytest.mark.parametrize(
    ("content", "ending"),
    [
        (b"From: a@b.example\r\n", b"From: a@b.example\r\n\r\n"),
        (b"From: a@b.example", b"From: a@b.example\r\n\r\n"),
        (b"From: a@b.example\r\nno colon\r\nX: y\r\n", b"From: a@b.example\r\n\r\nno colon\r\nX: y\r\n"),
        (b"Dear Sir,\r\nthanks", b"+0000\r\n\r\nDear Sir,\r\nthanks\r\n"),
        (b" From: a@b.example\r\n", b"+0000\r\n\r\n From: a@b.example\r\n"),
        (b"From : a@b.example\r\n\r\nx\r\n", b"From: a@b.example\r\n\r\nx\r\n"),
        (b"", b"+0000\r\n\r\n"),
    ],
)
def test_the_result_has_one_header_that_all_readers_agree_on(content: bytes, ending: bytes) -> None:
    assert completed(content).content.endswith(ending)


@given(st.lists(lines, max_size=12))
def test_a_completed_message_is_well_formed_and_keeps_its_body(parts: list[bytes]) -> None:
    content = b"\r\n".join([*parts, b""])
    result = completed(content).content
    before, after = split_header(content), split_header(result)
    assert after.body == after.end + 2
    assert result[after.body :] == content[before.body :]
    assert [field.name for field in after.fields][3:] == [field.name for field in before.fields]


def test_a_strange_message_id_is_made_printable_for_our_records_only() -> None:
    result = completed("Message-ID: é\t<x>\r\n\r\n".encode())
    assert result.message_id == "???<x>"
    assert "Message-ID: é\t<x>\r\n".encode() in result.content


def test_hosts_are_counted_for_loops_and_ours_is_not_among_them() -> None:
    content = b"Received: a\r\nRECEIVED: b\r\nX-Received: c\r\n\r\nReceived: d\r\n"
    assert count_received(split_header(content).fields) == 2
    assert completed(content).received_count == 2


def test_octets_beyond_ascii_are_seen_wherever_they_are() -> None:
    body_only = b"A: 1\r\n\r\n\xe9\r\n"
    in_header = "A: é\r\n\r\nx\r\n".encode()
    assert has_8bit(body_only)
    assert not needs_smtputf8_header(split_header(body_only).fields)
    assert not completed(body_only).needs_smtputf8
    assert needs_smtputf8_header(split_header(in_header).fields)
    assert completed(in_header).needs_smtputf8
    assert not has_8bit(b"A: 1\r\n\r\nx\r\n")


def test_a_blind_recipient_who_is_taken_out_asks_for_no_smtputf8() -> None:
    assert not completed("Bcc: é@b.example\r\nFrom: a@b.example\r\n\r\n".encode()).needs_smtputf8


@given(st.integers(min_value=0, max_value=4_000_000_000))
def test_a_date_is_the_one_that_the_standard_library_writes(now: int) -> None:
    assert format_date(now + 0.75) == format_datetime(datetime.fromtimestamp(now, UTC))


def test_a_date_can_stand_in_another_zone() -> None:
    assert format_date(1795440600, 480) == "Mon, 23 Nov 2026 21:30:00 +0800"
    assert format_date(1795440600, -210) == "Mon, 23 Nov 2026 10:00:00 -0330"
