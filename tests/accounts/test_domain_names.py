from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directmail_relay.accounts.changes import RefusedError
from directmail_relay.accounts.domain_names import main_domain_of, new_token, parse_sending_domain


@pytest.mark.parametrize(
    ("text", "name", "main"),
    [
        ("Notice.Example.com", "notice.example.com", "example.com"),
        ("a.b.example.co.uk.", "a.b.example.co.uk", "example.co.uk"),
        (" shop.com.cn ", "shop.com.cn", "shop.com.cn"),
        ("邮件.中国", "xn--5nq051n.xn--fiqs8s", "xn--5nq051n.xn--fiqs8s"),
        ("one.github.io", "one.github.io", "one.github.io"),
        ("mail.shop.internal", "mail.shop.internal", "shop.internal"),
    ],
)
def test_a_name_has_one_form_and_a_main_domain(text: str, name: str, main: str) -> None:
    assert parse_sending_domain(text) == name
    assert main_domain_of(name) == main


@pytest.mark.parametrize(
    "text",
    ["", "com", "co.uk", "github.io", "a_b.example.com", "-a.example.com", "192.0.2.1", "x" * 39 + ".example.com"],
)
def test_what_nobody_could_register_is_refused(text: str) -> None:
    with pytest.raises(RefusedError) as caught:
        parse_sending_domain(text)
    assert caught.value.code == "bad_name"


def test_fifty_characters_are_the_most() -> None:
    assert len(parse_sending_domain("x" * 38 + ".example.com")) == 50


def test_tokens_are_twenty_hexadecimal_digits_and_differ() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(re.fullmatch(r"[0-9a-f]{20}", token) for token in tokens)


@given(st.text(max_size=70))
def test_any_text_is_a_name_or_refused(text: str) -> None:
    try:
        name = parse_sending_domain(text)
    except RefusedError:
        return
    assert re.fullmatch(r"[a-z0-9.-]{1,50}", name)
    assert name.endswith(main_domain_of(name))
