"""Every rule of both files does what it says it does, and none can be made slow."""

from __future__ import annotations

import re
from dataclasses import replace
from re import _constants, _parser  # type: ignore[attr-defined]  # the parser that `re` itself uses; it has no stubs

import pytest

from directmail_relay.mail.reply import Origin
from directmail_relay.policy.bounce_files import effects, read_rules
from directmail_relay.policy.bounce_rules import rule_book
from directmail_relay.policy.bounces import BounceRule, Category, Retry, Suppress
from directmail_relay.policy.classify import classify, parse_reply_text
from directmail_relay.policy.phrases import GAP
from directmail_relay.policy.reply_text import LONGEST

RULES = read_rules()
MOST_GAPS = 3  # in one phrase


def said_by(rule: BounceRule) -> Origin:
    """The service's own table is for what we say ourselves (A25)."""
    return Origin.LOCAL if (rule.row or "").startswith("S") else Origin.REMOTE


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_the_example_of_a_rule_classifies_to_that_very_rule(rule: BounceRule) -> None:
    reply = replace(parse_reply_text(rule.example), origin=said_by(rule))
    found = classify(reply)
    assert found.rule == rule.id
    assert found.category is rule.category


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.row is None], ids=lambda rule: rule.id)
def test_a_general_rule_says_why(rule: BounceRule) -> None:
    assert rule.why.endswith(".")


def test_rule_ids_are_unique() -> None:
    ids = [rule.id for rule in RULES]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("category", Category)
def test_every_category_has_advice_in_both_languages(category: Category) -> None:
    advice = effects()[category].advice
    assert re.search("[\u4e00-\u9fff]", advice.zh)
    assert re.search("[a-z]{3}", advice.en)


def test_every_category_has_a_rule() -> None:
    assert {rule.category for rule in RULES} == set(Category)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
@pytest.mark.parametrize("code", [400, 450, 499])
def test_no_temporary_reply_suppresses_at_once(rule: BounceRule, code: int) -> None:
    found = classify(replace(parse_reply_text(rule.example), code=code, enhanced=None, origin=said_by(rule)))
    assert found.suppress is not Suppress.YES
    assert found.status != 2


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_only_a_bad_address_is_suppressed_and_has_status_two(rule: BounceRule) -> None:
    found = classify(replace(parse_reply_text(rule.example), origin=said_by(rule)))
    assert (found.suppress is Suppress.YES) == (found.status == 2)
    assert found.suppress is not Suppress.YES or found.category.names_a_bad_address


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_permanent_reply_is_retried_only_where_a_row_says_so_or_it_is_about_a_rate(rule: BounceRule) -> None:
    reply = replace(parse_reply_text(rule.example), origin=said_by(rule))
    rates = {
        Category.RECIPIENT_RESTRICTED,
        Category.IP_RATE_LIMITED,
        Category.SENDER_RATE_LIMITED,
        Category.DOMAIN_RATE_LIMITED,
        Category.FLOW_CONTROL,
    }
    if reply.is_permanent and rule.retry is None:
        expected = Retry.LATER if rule.category in rates else Retry.NO
        assert classify(reply).retry is expected


def test_no_pattern_can_explode() -> None:
    """Only literals, alternatives, gaps of bounded length, and `[^ ]* `, which can end in one way only."""
    for source in rule_book().patterns():
        check_repeats(_parser.parse(source), inside_repeat=False)
        assert source.count(f"{{0,{GAP}}}?") <= MOST_GAPS, source


def check_repeats(parsed: object, *, inside_repeat: bool) -> None:
    for kind, argument in parsed:  # type: ignore[attr-defined]  # a sequence of pairs, see the import
        if kind in {_constants.MAX_REPEAT, _constants.MIN_REPEAT}:
            assert not inside_repeat, "a repeat within a repeat"
            assert len(argument[2]) == 1, "more than one character is repeated"
            check_repeats(argument[2], inside_repeat=True)
        elif kind is _constants.SUBPATTERN:
            check_repeats(argument[-1], inside_repeat=inside_repeat)
        elif kind is _constants.BRANCH:
            for branch in argument[1]:
                check_repeats(branch, inside_repeat=inside_repeat)


def test_a_megabyte_of_a_rules_words_is_answered_from_its_beginning() -> None:
    """What stands behind the limit is never looked at, so the length of a reply cannot cost anything."""
    for rule in RULES:
        words = " ".join(rule.phrases[:1]) or rule.example
        flood = (f"550 {words} " * (1_000_000 // (len(words) + 5)))[:1_000_000]
        assert classify(parse_reply_text(flood)) == classify(parse_reply_text(flood[:LONGEST])), rule.id
