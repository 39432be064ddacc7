"""Replies as people, logs and bounce mails write them, and the phrases that are looked for in them."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directmail_relay.mail.reply import Reply
from directmail_relay.policy.phrases import keys, parse_phrase, squash, words
from directmail_relay.policy.reply_text import LONGEST, parse_reply_text, read


@pytest.mark.parametrize(
    ("text", "code", "enhanced", "rest"),
    [
        ("550 5.1.1 No such user", 550, "5.1.1", "No such user"),
        ("550-5.1.1 No such\n550 5.1.1 user", 550, "5.1.1", "No such user"),
        ("550-5.1.1 No such\r\n550-5.1.1 user\r\n550 5.1.1 here", 550, "5.1.1", "No such user here"),
        ("553 #5.1.6 Gone away.", 553, "5.1.6", "Gone away."),
        ("5.1.0 - Unknown address", 0, "5.1.0", "Unknown address"),
        ("smtp; 550 Refused", 550, None, "Refused"),
        ("550", 550, None, ""),
        ("Mailbox full", 0, None, "Mailbox full"),
        ("host mx.example.com said: 552 5.2.2 no room", 552, None, "host mx.example.com said: 552 5.2.2 no room"),
        ("remote server responded: 421 busy", 421, None, "remote server responded: 421 busy"),
        ("550550 hm", 0, None, "550550 hm"),
        ("", 0, None, ""),
    ],
)
def test_codes_are_taken_from_the_text(text: str, code: int, enhanced: str | None, rest: str) -> None:
    reply = parse_reply_text(text)
    assert (reply.code, reply.enhanced, reply.text) == (code, enhanced, rest)


def test_an_enhanced_code_inside_the_text_counts_when_none_stands_before_it() -> None:
    assert read(Reply(554, "nobody of that name (#5.1.3)")).enhanced == {"5.1.3", "5.1.*"}
    assert read(Reply(554, "from 192.0.2.5.1.1")).enhanced == {"none"}


def test_addresses_and_ips_are_left_out() -> None:
    reading = read(Reply(550, "User <a.b@c.example>: unknown from [192.0.2.1] or 2001:db8::1 to x+y@z.example"))
    assert reading.text == " user unknown from or to "


def test_accents_and_capitals_do_not_matter_but_the_marks_of_japanese_do() -> None:
    assert read(Reply(550, "BOÎTE Gelöscht")).text == " boite geloscht "
    assert read(Reply(550, "ブロック")).text == " ブロック "


@given(st.text(max_size=4000), st.integers(0, 999))
def test_reading_looks_at_no_more_than_its_limit(text: str, code: int) -> None:
    assert read(Reply(code, text)) == read(Reply(code, text[:LONGEST]))


def found(phrase: str, text: str) -> bool:
    return re.search(parse_phrase(phrase).pattern(), squash(words(text))) is not None


@pytest.mark.parametrize(
    ("phrase", "text", "expected"),
    [
        ("user unknown", "the user unknown here", True),
        ("user unknown", "user-unknown", True),
        ("user unknown", "superuser unknown", False),
        ("user unknown", "user unknowns", False),
        ("block*", "it was blocked", True),
        ("block*", "unblock", False),
        ("(user|mail box) (is |)full", "mail box full", True),
        ("(user|mail box) (is |)full", "user is full", True),
        ("(user|mail box) (is |)full", "mail full", False),
        ("quota .. exceeded", "quota of this poor user was exceeded", True),
        ("quota .. exceeded", "quota " + "x " * 40 + "exceeded", False),
        ("message(s|) lost", "messages lost", True),
        ("收件人 .. 不存在", "您的收件人地址不存在", True),
        ("a (b (c|d)|e) f", "a b d f", True),
        ("a (b (c|d)|e) f", "a b f", False),
    ],
)
def test_phrases_are_found(phrase: str, text: str, expected: bool) -> None:  # noqa: FBT001 - a column of the table
    assert found(phrase, text) is expected


@pytest.mark.parametrize("phrase", ["", "..", "(a|b", "a)", "|"])
def test_what_is_no_phrase_is_refused(phrase: str) -> None:
    with pytest.raises(ValueError, match=r"phrase|bracket"):
        parse_phrase(phrase)


def test_a_phrase_needs_the_rarest_of_its_words_first() -> None:
    common = Counter({"the": 50, "user": 20, "unknown": 3})
    assert parse_phrase("the user unknown").needs(common.__getitem__)[0] == {"unknown"}
    assert parse_phrase("(user|grey*) list").needs(Counter(list=9).__getitem__)[0] == {"user", "gre*"}


@given(
    st.sampled_from(["user unknown", "(mail|post) box* full", "quota .. (exceeded|over*)", "grey*"]),
    st.text(max_size=80),
)
def test_where_a_phrase_is_found_its_needs_are_offered(phrase: str, text: str) -> None:
    """Else the index would hide a rule from a reply that it fits."""
    parsed = parse_phrase(phrase)
    for candidate in (text, "a user unknown b", "post boxes full", "quota was overdrawn", "greylist"):
        if found(phrase, candidate):
            offered = keys(words(candidate))
            assert all(need & offered for need in parsed.needs(lambda _: 0))
