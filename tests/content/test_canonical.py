"""The canonical forms of DKIM, against an obvious implementation of RFC 6376 §3.4, and in linear time."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directmail_relay.content import canonical
from directmail_relay.content.canonical import relaxed_body, relaxed_field
from directmail_relay.content.headers import HeaderField, split_header


def naive_body(body: bytes) -> bytes:
    """RFC 6376 §3.4.4 word by word."""
    if body and not body.endswith(b"\r\n"):
        body += b"\r\n"
    lines = [re.sub(rb"[ \t]+", b" ", re.sub(rb"[ \t]+\Z", b"", line)) for line in body.split(b"\r\n")[:-1]]
    while lines and not lines[-1]:
        lines.pop()
    return b"".join(line + b"\r\n" for line in lines)


def naive_field(raw: bytes) -> bytes:
    """RFC 6376 §3.4.2 word by word."""
    name, _, value = raw.removesuffix(b"\r\n").partition(b":")
    value = re.sub(rb"\r\n(?=[ \t])", b"", value)
    value = re.sub(rb"[ \t]+", b" ", value)
    return name.lower().rstrip(b" \t") + b":" + value.strip(b" \t") + b"\r\n"


blanks_and_words = st.lists(
    st.sampled_from([b" ", b"\t", b"\r\n", b"a", b"word", b".", b"\xe9", b"  ", b"\r\n\r\n", b" \r\n", b"\x0b", b"\0"]),
    max_size=40,
).map(b"".join)


@given(blanks_and_words, st.integers(min_value=1, max_value=20))
def test_a_body_is_what_the_rfc_says_wherever_the_pieces_are_cut(body: bytes, chunk: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(canonical, "_CHUNK", chunk)
        assert b"".join(relaxed_body(body)) == naive_body(body)
        assert b"".join(relaxed_body(memoryview(body))) == naive_body(body)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", b""),
        (b"\r\n", b""),
        (b"\r\n\r\n \t\r\n", b""),
        (b" ", b""),
        (b"a", b"a\r\n"),
        (b"a\r\n\r\n\r\n", b"a\r\n"),
        (b"\r\n\r\na", b"\r\n\r\na\r\n"),
        (b" C \r\nD \t E\r\n\r\n\r\n", b" C\r\nD E\r\n"),  # the example of RFC 6376 §3.4.5
    ],
)
def test_bodies_at_the_edge(body: bytes, expected: bytes) -> None:
    assert b"".join(relaxed_body(body)) == expected


def test_a_body_of_many_pieces_is_what_the_rfc_says() -> None:
    body = (b"a  line\twith blanks \r\n" + b"\r\n" * 7) * 8_000 + b"\r\n" * 70_000 + b"end" + b" \r\n" * 70_000
    assert b"".join(relaxed_body(body)) == naive_body(body)


@given(
    st.sampled_from([b"Subject", b"SUBJECT", b"x-Odd_Name!"]),
    st.sampled_from([b"", b" ", b"\t "]),
    st.lists(
        st.sampled_from([b" ", b"\t", b"\r\n ", b"\r\n\t", b"word", b":", b"\xe9", b"  ", b"\x0b"]), max_size=20
    ).map(b"".join),
)
def test_a_field_is_what_the_rfc_says(name: bytes, blank: bytes, value: bytes) -> None:
    raw = name + blank + b":" + value + b"\r\n"
    (field,) = split_header(raw).fields
    assert field == HeaderField(name.lower(), raw)
    assert relaxed_field(field) == naive_field(raw)


@pytest.mark.parametrize("unit", [b" ", b"\t", b"\r\n", b" \r\n", b"a  ", b"\t\t \r\n", b"a", b" a"])
def test_three_million_hostile_octets_cost_no_more_than_their_length(unit: bytes) -> None:
    body = unit * (3_000_000 // len(unit)) + b"."
    began = time.process_time()
    canonical.relaxed_body_hash(body)
    # About 0.03 s; a quadratic pattern would take hours on the first of them.
    assert time.process_time() - began < 1
