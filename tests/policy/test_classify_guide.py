"""The guide's tables: each text, its placeholders filled in, means what its row says."""

from __future__ import annotations

from collections import Counter

import pytest

from directmail_relay.policy.bounce_files import read_rules
from directmail_relay.policy.bounces import BounceRule, Classification
from directmail_relay.policy.classify import classify, parse_reply_text

GUIDE = [rule for rule in read_rules() if rule.row is not None]
FILLED = {
    "$EMAIL": "user@example.com",
    "$IP": "192.0.2.1",
    "$DOMAIN": "mx.example.com",
    "[xx]": "[TS01]",
    "[BLxx]": "[BL23]",
}


def said(text: str) -> Classification:
    return classify(parse_reply_text(text))


def filled(rule: BounceRule) -> str:
    text = rule.doc
    for placeholder, value in FILLED.items():
        text = text.replace(placeholder, value)
    return text if rule.codes and text[:3].isdigit() else f"{450 if rule.row == 'R20' else 550} {text}"


@pytest.mark.parametrize("rule", GUIDE, ids=lambda rule: rule.id)
def test_the_guides_own_text_has_the_category_of_its_row(rule: BounceRule) -> None:
    assert said(filled(rule)).category is rule.category


@pytest.mark.parametrize("rule", GUIDE, ids=lambda rule: rule.id)
def test_the_guides_own_text_is_found_inside_a_longer_reply(rule: BounceRule) -> None:
    assert said(f"{filled(rule)} - mx7 neko.example.net ZX81").category is rule.category


@pytest.mark.parametrize("rule", GUIDE, ids=lambda rule: rule.id)
def test_capitals_do_not_matter(rule: BounceRule) -> None:
    assert said(filled(rule).upper()).category is rule.category


def test_every_row_of_both_tables_is_there() -> None:
    rows = Counter(rule.row for rule in GUIDE)
    assert set(rows) == {*(f"S{n}" for n in range(1, 10)), *(f"R{n}" for n in range(1, 22))}
    assert rows["R1"] == 9 + 23  # patterns (one is printed twice) and phrases
    assert rows["R3"] == 18 + 5
    assert rows["R8"] == 12 + 7
