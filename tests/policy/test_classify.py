"""Classification as such: its order, and that nothing a peer says can upset it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directmail_relay.mail.attempt import Stage
from directmail_relay.mail.reply import Origin, Reply
from directmail_relay.policy.bounce_rules import rule_book
from directmail_relay.policy.classify import Category, Retry, Suppress, classify, parse_reply_text

WORDS = sorted({word for rule in rule_book().rules for phrase in rule.phrases for word in phrase.split()})
STAGES = st.sampled_from([None, *Stage])
ENHANCED = st.none() | st.from_regex(r"[245]\.\d{1,3}\.\d{1,3}", fullmatch=True) | st.text(max_size=8)


def category(text: str) -> Category:
    return classify(parse_reply_text(text)).category


@given(st.text(max_size=3000), STAGES)
def test_any_text_has_one_of_the_categories(text: str, stage: Stage | None) -> None:
    assert classify(parse_reply_text(text), stage).category in Category


@given(st.binary(max_size=3000), STAGES)
def test_any_octets_have_one_of_the_categories(octets: bytes, stage: Stage | None) -> None:
    for encoding in ("latin-1", "utf-8"):
        text = octets.decode(encoding, "surrogateescape")
        assert classify(parse_reply_text(text), stage).category in Category


@given(
    st.lists(st.sampled_from(WORDS), max_size=60).map(" ".join),
    st.integers(0, 999),
    ENHANCED,
    STAGES,
    st.sampled_from(Origin),
)
def test_any_mixture_of_the_rules_words_has_one_of_the_categories(
    text: str, code: int, enhanced: str | None, stage: Stage | None, origin: Origin
) -> None:
    found = classify(Reply(code, text, enhanced, origin), stage)
    assert found.category in Category
    assert found.status in {0, 2, 3, 4}
    if found.suppress is Suppress.YES:
        assert found.category.names_a_bad_address
        assert found.retry is Retry.NO
        assert stage in {None, Stage.RCPT, Stage.DATA}
        assert code // 100 == 5 or code < 100


@given(st.integers(200, 299), st.text(max_size=100), STAGES)
def test_a_success_is_a_success_whatever_it_says(code: int, text: str, stage: Stage | None) -> None:
    assert classify(Reply(code, text), stage).status == 0


@given(st.text(max_size=200), STAGES)
def test_the_same_reply_has_the_same_meaning_again(text: str, stage: Stage | None) -> None:
    assert classify(parse_reply_text(text), stage) == classify(parse_reply_text(text), stage)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # a pattern of the guide, before its bare phrases
        ("550 MI:SPF user unknown", "R14/550-mi-spf"),
        # a guard, before the guide's bare phrases
        ("550 Sender verify failed: no such user", "guard/sender-verification"),
        # a bare phrase of the guide, before general words
        ("550 no such user, mailbox disabled, quota", "R1/no-such-user"),
        # general words, before enhanced codes
        ("550 5.1.1 the mailbox is over its quota", "words/mailbox-full"),
        # an enhanced code that says enough, before R20's everyday phrases
        ("452 4.2.2 try again later", "enhanced/mailbox-full"),
        # R20's everyday phrases, before weak words
        ("450 4.7.1 blocked, try again later", "R20/try-again-later"),
        # weak words, before weak enhanced codes, before bare codes
        ("550 5.3.9 prohibited", "weak/policy-words"),
        ("550 5.7.1", "weak/policy-enhanced"),
        ("550", "code/any-permanent"),
        ("", "code/none"),
    ],
)
def test_the_rules_are_tried_in_their_order(text: str, expected: str) -> None:
    assert classify(parse_reply_text(text)).rule == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("550 5.1.1", Category.RECIPIENT_NOT_FOUND),
        ("550 5.7.1", Category.POLICY_REJECTED),
        ("552 5.2.2", Category.MAILBOX_FULL),
        ("552 5.3.4", Category.MESSAGE_TOO_LARGE),
        ("421", Category.RECEIVER_TEMPORARY_FAILURE),
        ("550", Category.OTHER),
        ("503", Category.PROTOCOL_ERROR),
    ],
)
def test_a_reply_of_codes_alone(text: str, expected: Category) -> None:
    assert category(text) is expected


@pytest.mark.parametrize(
    "text",
    ["550 hm", "550 5.7.1 hm", "550 5.2.0 hm", "554 hm", "551 hm", "hm", "550 5.0.0 <user@example.com> refused"],
)
def test_in_doubt_no_address_is_called_bad(text: str) -> None:
    found = classify(parse_reply_text(text), Stage.RCPT)
    assert not found.category.names_a_bad_address
    assert found.suppress is Suppress.NO


def test_a_text_without_any_code_suppresses_nothing() -> None:
    found = classify(parse_reply_text("No such user here"))
    assert (found.category, found.suppress, found.status) == (Category.RECIPIENT_NOT_FOUND, Suppress.NO, 4)


def test_the_parties_of_a_reply_say_nothing_about_its_reason() -> None:
    assert category("550 5.7.1 <spam.blacklist@no-such-user.example> refused") is Category.POLICY_REJECTED
    assert category("550 user <a@b.example> unknown") is Category.RECIPIENT_NOT_FOUND
    assert category("550 [2001:db8::bad] relaying denied") is Category.RELAY_DENIED


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("550 Boîte aux lettres pleine", Category.MAILBOX_FULL),
        ("550 Empfänger existiert nicht", Category.RECIPIENT_NOT_FOUND),
        ("550 Skrzynka odbiorcy nie istnieje", Category.RECIPIENT_NOT_FOUND),
        ("550 Usuario desconocido", Category.RECIPIENT_NOT_FOUND),
        ("550 Destinatário não existe", Category.RECIPIENT_NOT_FOUND),
        ("552 Casella piena", Category.MAILBOX_FULL),
        ("550 Пользователь не существует", Category.RECIPIENT_NOT_FOUND),
        ("550 メールアドレスが存在しません", Category.RECIPIENT_NOT_FOUND),
        ("550 收件人不存在", Category.RECIPIENT_NOT_FOUND),
        ("554 邮件被判定为垃圾邮件", Category.SPAM),
    ],
)
def test_other_languages_are_understood(text: str, expected: Category) -> None:
    assert category(text) is expected
