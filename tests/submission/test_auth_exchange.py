"""The AUTH exchange without a socket."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directmail_relay.mail import replies
from directmail_relay.submission.auth_exchange import Credentials, ExchangeError, start_exchange


def converse(argument: str, *lines: bytes) -> Credentials:
    exchange = start_exchange(argument)
    try:
        next(exchange)
        for line in lines:
            exchange.send(line)
    except StopIteration as finished:
        credentials: Credentials = finished.value
        return credentials
    raise AssertionError("the server asks for more")


def b64(text: str) -> bytes:
    return base64.b64encode(text.encode())


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"))


@given(TEXT, TEXT)
def test_both_mechanisms_carry_any_login_and_password(login: str, password: str) -> None:
    expected = Credentials(login, password)
    message = b64(f"\x00{login}\x00{password}")
    assert converse("PLAIN", message) == expected
    assert converse(f"plain {message.decode()}") == expected
    assert converse("LOGIN", b64(login), b64(password)) == expected
    assert converse(f"Login {b64(login).decode() or '='}", b64(password)) == expected


@given(st.sampled_from(["PLAIN", "LOGIN"]), st.lists(st.binary(max_size=40), min_size=3, max_size=3))
def test_any_line_gives_credentials_or_a_reply(mechanism: str, lines: list[bytes]) -> None:
    code = None
    credentials = Credentials("", "")
    try:
        credentials = converse(mechanism, *lines)
    except ExchangeError as error:
        code = error.refuse.reply.code
    assert "\x00" not in credentials.login + credentials.password
    assert code in {None, 501, 535}


@given(st.text())
def test_any_argument_starts_an_exchange_or_gives_a_reply(argument: str) -> None:
    code = None
    try:
        start_exchange(argument)
    except ExchangeError as error:
        code = error.refuse.reply.code
    assert code in {None, 501, 504}


def test_the_prompts_are_the_guides() -> None:
    exchange = start_exchange("LOGIN")
    assert next(exchange) is replies.ASK_USERNAME
    assert exchange.send(b64("test@test.com")) is replies.ASK_PASSWORD


def test_the_password_is_in_no_repr() -> None:
    assert "hunter2" not in repr(Credentials("me", "hunter2"))


@pytest.mark.parametrize("identity", ["me@test.com", "ME@test.com", ""])
def test_the_identity_is_empty_or_the_login(identity: str) -> None:
    assert converse("PLAIN", b64(f"{identity}\x00me@test.com\x00p")) == Credentials("me@test.com", "p")
