from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directmail_relay.delivery.remote_reply import MAX_LINES, MAX_REPLY, MAX_TEXT, Heard, ReplyError, ReplyParser
from directmail_relay.mail.reply import Reply


def hear(data: bytes) -> Heard:
    parser = ReplyParser()
    parser.feed(data)
    heard = parser.take()
    assert heard is not None
    return heard


@pytest.mark.parametrize(
    ("data", "reply"),
    [
        (b"250 Ok\r\n", Reply(250, "Ok")),
        (b"250\r\n", Reply(250, "")),
        (b"250 \r\n", Reply(250, "")),
        (b"250 Ok\n", Reply(250, "Ok")),
        (b"550 5.1.1 No such user\r\n", Reply(550, "No such user", "5.1.1")),
        (b"550-5.1.1 No such\r\n550 5.1.1 user\r\n", Reply(550, "No such user", "5.1.1")),
        (b"550-5.1.1 No such\r\n550 user\r\n", Reply(550, "No such user", "5.1.1")),
        (b"550-No such\r\n550 5.1.1 user\r\n", Reply(550, "No such 5.1.1 user")),
        (b"550-first\r\n250 last\r\n", Reply(550, "first last")),
        (b"550-see\r\n127.0.0.1 is listed\r\n550 there\r\n", Reply(550, "see 127.0.0.1 is listed there")),
        (b"550-see\r\n\r\n550 there\r\n", Reply(550, "see there")),
        (b"550 a\tb\x1b[2Jc\x00d\r\n", Reply(550, r"a b\x1b[2Jc\x00d")),
        (b"550 a\rb\r\n", Reply(550, r"a\rb")),
        ("550 收件人不存在\r\n".encode(), Reply(550, "收件人不存在")),
        ("550 收件人不存在\r\n".encode("gbk"), Reply(550, "收件人不存在")),
        ("550 a\u202eb\u2028c\r\n".encode(), Reply(550, r"a\u202eb\u2028c")),
        (b"550 \xff\xff\r\n", Reply(550, r"\xff\xff")),
    ],
)
def test_a_reply_is_its_first_code_and_all_its_text(data: bytes, reply: Reply) -> None:
    assert hear(data).reply == reply


def test_the_lines_are_kept_apart_for_ehlo() -> None:
    assert hear(b"250-mx.test\r\n250-SIZE 10\r\n250 DSN\r\n").lines == ("mx.test", "SIZE 10", "DSN")


def test_a_reply_is_taken_when_it_is_complete_and_not_before() -> None:
    parser = ReplyParser()
    for octet in b"250-a\r\n250 b\r":
        parser.feed(bytes([octet]))
        assert parser.take() is None
    parser.feed(b"\n421 c\r\n")
    first, second, third = parser.take(), parser.take(), parser.take()
    assert first is not None
    assert second is not None
    assert (first.reply.text, second.reply.code, third) == ("a b", 421, None)
    assert not parser.holds_more


@pytest.mark.parametrize(
    "data",
    [b"HTTP/1.1 400 Bad Request\r\n", b"\r\n", b"+25 x\r\n", b" 25 x\r\n", b"99999 x\r\n", b"199 x\r\n", b"600 x\r\n"],
)
def test_what_does_not_begin_with_a_reply_code_is_no_reply(data: bytes) -> None:
    parser = ReplyParser()
    parser.feed(data)
    with pytest.raises(ReplyError):
        parser.take()


def test_a_long_text_is_shortened_between_two_characters() -> None:
    reply = hear(b"550 a" + "信".encode() * 2000 + b"\r\n").reply
    assert len(reply.text.encode()) in range(MAX_TEXT - 2, MAX_TEXT + 1)
    assert set(reply.text) == {"a", "信"}


def test_a_reply_of_a_megabyte_is_heard_to_its_end() -> None:
    heard = hear(b"550-policy text of some length here\r\n" * 30_000 + b"550 end\r\n")
    assert heard.reply.code == 550
    assert not heard.endless


@pytest.mark.parametrize("more", [b"550-and so on\r\n", b"and so on ", b"\r\n"])
def test_of_an_endless_reply_the_first_code_counts_and_little_is_held(more: bytes) -> None:
    parser = ReplyParser()
    parser.feed(b"554-5.7.1 Because")
    fed, chunk, heard = 0, more * 1000, None
    while heard is None:
        parser.feed(chunk)
        fed += len(chunk)
        heard = parser.take()
        assert len(parser._buffer) < 200_000
        assert fed <= MAX_REPLY + len(chunk)
    assert heard.endless
    assert (heard.reply.code, heard.reply.enhanced) == (554, "5.7.1")
    assert len(heard.reply.text) <= MAX_TEXT


def test_an_endless_line_without_a_code_is_no_reply() -> None:
    parser = ReplyParser()
    parser.feed(b"x" * (MAX_REPLY + 1))
    with pytest.raises(ReplyError):
        parser.take()


def replies_in(chunks: list[bytes]) -> list[Heard | str]:
    parser, found = ReplyParser(), list[Heard | str]()
    for chunk in chunks:
        parser.feed(chunk)
        try:
            while heard := parser.take():
                found.append(heard)
        except ReplyError as error:
            return [*found, str(error)]
    return found


LINES = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.from_regex(rb"[2-5][0-9]{2}[ -][ -\xff]{0,30}\r?\n", fullmatch=True),
        st.just(b"\r\n"),
    ),
    max_size=12,
)


@given(LINES, st.lists(st.integers(1, 50), max_size=30))
def test_how_the_octets_arrive_makes_no_difference(lines: list[bytes], cuts: list[int]) -> None:
    data = b"".join(lines)
    chunks, rest = list[bytes](), data
    for cut in cuts:
        chunks.append(rest[:cut])
        rest = rest[cut:]
    assert replies_in([*chunks, rest]) == replies_in([data])


@given(st.binary(max_size=3000))
def test_nothing_a_host_sends_gets_a_control_character_into_the_text(data: bytes) -> None:
    for heard in replies_in([b"550 " + data + b"\r\n"]):
        if isinstance(heard, Heard):
            assert all(character >= " " and character != "\x7f" for character in heard.reply.text)
            assert len(heard.reply.text.encode()) <= MAX_TEXT
            assert 200 <= heard.reply.code < 600


@pytest.mark.parametrize("line", [b"\n", b"a\n", b"250-more\r\n"])
def test_of_a_reply_with_lines_without_number_few_are_kept(line: bytes) -> None:
    parser = ReplyParser()
    parser.feed(b"550-no\r\n" + line * 100_000)
    assert parser.take() is None
    assert len(parser._lines) == MAX_LINES
    parser.feed(b"550 the end\r\n250 the next\r\n")
    heard = parser.take()
    assert heard is not None
    assert (heard.reply.code, heard.endless, len(heard.lines)) == (550, False, MAX_LINES)
    following = parser.take()
    assert following is not None
    assert str(following.reply) == "250 the next"
