"""The content reader against the plain reading of RFC 5321 §4.5.2, line by line."""

from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from directmail_relay.submission.data_reader import ContentReader, FloodError

LIMIT = 10_000
# Few different octets, so that ends of data, dots and half line ends come up all the time.
STREAMS = st.lists(
    st.sampled_from([b"\r\n", b".", b"\r", b"\n", b"\r\n.", b"\r\n..", b"\r\n.\r\n", b"a", b"\x00", b"\xe6\xb5\x8b"]),
    max_size=40,
).map(b"".join)


def naive(stream: bytes) -> tuple[bytes, bool, bytes] | None:
    """(content, whether it has bare CR, LF or NUL, what follows); None without an end of data."""
    lines = stream.split(b"\r\n")
    if b"." not in lines[:-1]:
        return None
    end = lines.index(b".")
    content = b"".join(line.removeprefix(b".") + b"\r\n" for line in lines[:end])
    bare = any(c in line for line in lines[:end] for c in (b"\r", b"\n", b"\x00"))
    return content, bare, b"\r\n".join(lines[end + 1 :])


def chunks(stream: bytes, cuts: list[int]) -> list[bytes]:
    places = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    return [stream[a:b] for a, b in itertools.pairwise(places)]


def read(pieces: list[bytes], limit: int = LIMIT) -> tuple[ContentReader, bytes] | None:
    reader = ContentReader(limit)
    for number, piece in enumerate(pieces):
        rest = reader.feed(piece)
        if rest is not None:
            return reader, rest + b"".join(pieces[number + 1 :])
    return None


@settings(max_examples=500)
@given(STREAMS, st.lists(st.integers(0, 10_000), max_size=12))
def test_any_chunking_of_any_content_equals_the_naive_reading(stream: bytes, cuts: list[int]) -> None:
    expected = naive(stream)
    result = read(chunks(stream, cuts))
    if expected is None or result is None:
        assert expected is None
        assert result is None
        return
    reader, rest = result
    content = reader.content()
    assert (content, reader.has_bare_line_ends, rest) == expected
    assert reader.size == len(content)
    assert not reader.too_large


@given(st.binary(max_size=300))
def test_what_a_stuffing_client_sends_comes_out_again(body: bytes) -> None:
    text = body.replace(b"\r", b"").replace(b"\n", b"\r\n") + b"\r\n"
    stuffed = (b"\r\n" + text).replace(b"\r\n.", b"\r\n..")[2:]
    result = read([stuffed + b".\r\n"])
    assert result is not None
    assert result[0].content() == text


@pytest.mark.parametrize("stream", [b".\r\n", b"..\r\n.\r\n", b"...\r\n.\r\n"])
def test_dots_at_the_very_beginning(stream: bytes) -> None:
    result = read([bytes([octet]) for octet in stream])
    assert result is not None
    assert (result[0].content(), False, result[1]) == naive(stream)


def test_the_limit_is_of_the_content_without_stuffing() -> None:
    line = b"..23456789\r\n" * 10
    exact = read([line + b".\r\n"], limit=110)
    over = read([line + b".\r\n"], limit=109)
    assert exact is not None
    assert over is not None
    assert not exact[0].too_large
    assert over[0].too_large


def test_what_is_too_large_is_not_kept() -> None:
    reader = ContentReader(1000)
    reader.feed(b"x" * 1001)
    assert reader.too_large
    assert reader.feed(b"y" * 500) is None
    assert len(reader._kept) == 0


def test_beyond_twice_the_limit_it_is_a_flood() -> None:
    reader = ContentReader(1000)
    reader.feed(b"x" * 2000)
    with pytest.raises(FloodError):
        reader.feed(b"x")


def test_eight_mebibytes_of_empty_lines_are_cheap() -> None:
    piece = b"\r\n" * 32768
    reader = ContentReader(16 * 1024 * 1024)
    began = time.process_time()
    for _ in range(128):
        reader.feed(piece)
    assert reader.feed(b".\r\n") == b""
    content = reader.content()
    assert len(content) == 8 * 1024 * 1024
    assert not reader.has_bare_line_ends
    # Measured: 0.1 s. Line by line it takes 5 s and more, so the bound is far from both.
    assert time.process_time() - began < 1.0


def test_an_endless_line_costs_no_more_than_its_octets() -> None:
    reader = ContentReader(16 * 1024 * 1024)
    began = time.process_time()
    for _ in range(10_000):
        reader.feed(b"x" * 1000)
    assert time.process_time() - began < 1.0
