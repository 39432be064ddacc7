"""The fields for us: what they say is taken, whatever they hold they go, and nothing in them stops a mail."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directmail_relay.content.complete import complete
from directmail_relay.content.headers import HeaderField
from directmail_relay.content.tag_header import TagHeader, parse_trace, read_tag

TRACE = {"OpenTrace": "1", "LinkTrace": "1", "TagName": "spring"}


def packed(document: object, indent: int | None = None) -> bytes:
    return base64.b64encode(json.dumps(document, indent=indent, ensure_ascii=False).encode())


def fields(*pairs: tuple[bytes, bytes]) -> list[HeaderField]:
    return [HeaderField(name.lower(), name + b": " + value + b"\r\n") for name, value in pairs]


@pytest.mark.parametrize(
    ("value", "tag"),
    [
        (packed(TRACE), "spring"),
        (packed(TRACE, indent=4), "spring"),
        (packed({"OpenTrace": "1", "TagName": "spring"}), "spring"),  # as older samples have it
        (packed(TRACE).rstrip(b"="), "spring"),
        (packed(TRACE)[:20] + b"\r\n " + packed(TRACE)[20:], "spring"),
        (base64.b64encode(b"\xef\xbb\xbf" + json.dumps(TRACE).encode()), "spring"),
        (packed({**TRACE, "TagName": "春天"}), "春天"),
        (packed({**TRACE, "TagName": " spring "}), "spring"),
        (packed({"OpenTrace": "1"}), None),
        (packed({"TagName": ""}), None),
        (packed({"TagName": None}), None),
    ],
)
def test_a_trace_names_its_tag(value: bytes, tag: str | None) -> None:
    assert parse_trace(value) == tag


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (b"%%%", "Base64"),
        (b"abc", "Base64"),
        (base64.b64encode(b"\xff\xfe"), "Base64"),
        (base64.b64encode(b"spring"), "not JSON"),
        (base64.b64encode(b"[" * 2500), "not JSON"),
        (packed(["spring"]), "object"),
        (packed({"TagName": 7}), "not text"),
        (packed({"TagName": "x" * 129}), "no possible tag"),
        (packed({"TagName": "a\nb"}), "no possible tag"),
        (b"A" * 5000, "too long"),
    ],
)
def test_a_trace_that_means_nothing_is_told_in_a_word(value: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_trace(value)


@given(st.binary(max_size=400))
def test_no_field_raises_anything_else(value: bytes) -> None:
    read_tag(fields((b"X-AliDM-Trace", value)))
    read_tag(fields((b"X-DM-Tag", value)))
    try:
        parse_trace(base64.b64encode(value))
    except ValueError:
        return


@pytest.mark.parametrize(
    ("given_fields", "found"),
    [
        ([], TagHeader()),
        ([(b"x-alidm-trace", packed(TRACE))], TagHeader("spring")),
        ([(b"X-DM-Tag", b" autumn ")], TagHeader("autumn")),
        ([(b"x-dm-tag", "秋天".encode())], TagHeader("秋天")),
        ([(b"X-DM-Tag", b"autumn"), (b"X-AliDM-Trace", packed(TRACE))], TagHeader("spring")),
        ([(b"X-DM-Tag", b"autumn"), (b"X-AliDM-Trace", packed({"OpenTrace": "1"}))], TagHeader("autumn")),
        ([(b"X-AliDM-Trace", b"%"), (b"X-DM-Tag", b"autumn")], None),
        ([(b"X-DM-Tag", b"\xff")], None),
        ([(b"X-DM-Tag", b"")], None),
    ],
)
def test_which_field_counts(given_fields: list[tuple[bytes, bytes]], found: TagHeader | None) -> None:
    read = read_tag(fields(*given_fields))
    if found is None:
        assert read.tag is None
        assert read.problem is not None
    else:
        assert read == found


@pytest.mark.parametrize("name", [b"X-AliDM-Trace", b"x-alidm-trace", b"X-DM-Tag", b"X-AliDM-Settings"])
def test_the_fields_are_removed_whatever_they_hold(name: bytes) -> None:
    content = b"From: a@x.test\r\n" + name + b": %%%\r\n folded\r\nX-User-Notify-Id: 1\r\n\r\nbody\r\n"
    completed = complete(content, received=b"Received: x\r\n", date="now", message_id="<1@x.test>")
    assert name.lower() not in completed.content.lower()
    assert b"folded" not in completed.content
    assert b"X-User-Notify-Id: 1\r\n\r\nbody\r\n" in completed.content
    assert completed.tag.tag is None or name == b"X-DM-Tag"
