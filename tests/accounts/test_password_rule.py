"""The vendor's rule for SMTP passwords, a sentence for each way to break it."""

from __future__ import annotations

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from directmail_relay.accounts.changes import RefusedError
from directmail_relay.accounts.password_rule import check_password, prepare_password
from directmail_relay.accounts.passwords import Passwords
from tests.accounts.registering import refused

GOOD = "SmtpPass12"


@pytest.mark.parametrize("password", [GOOD, "aaAAb12345", "Ab1!Ab2?-_~", "A" + "b1B2" * 4 + "cc!"])
def test_a_password_of_the_right_kind_is_taken(password: str) -> None:
    check_password(password)


@pytest.mark.parametrize(
    ("password", "says"),
    [
        ("SmtpPas12", "10 to 20 characters"),
        ("SmtpPass12SmtpPass123", "10 to 20 characters"),
        ("SmtpPasswd1", "2 digits"),
        ("smtpPasswd12", "2 capital letters"),
        ("SMTPpASSWD12", "2 small letters"),
        ("SmtpPass111", "digits of the password are all the same"),
        ("AAaaaAa123", "letters of the password are all the same"),
        ("SmtpPäss12", "not printable ASCII"),
        ("Smtp Pass12", "not printable ASCII"),
        ("SmtpPass1２", "not printable ASCII"),
    ],
)
def test_each_way_to_break_the_rule_has_its_sentence(password: str, says: str) -> None:
    with refused("bad_password") as caught:
        check_password(password)
    assert says in str(caught.value)
    assert password not in str(caught.value)


def test_all_that_is_wrong_is_told_at_once() -> None:
    with refused("bad_password") as caught:
        check_password("short1")
    assert str(caught.value) == (
        "the password needs 10 to 20 characters; the password needs 2 digits at least; "
        "the password needs 2 capital letters at least"
    )


def test_a_password_is_never_the_one_before() -> None:
    before = prepare_password(GOOD)
    assert Passwords().verify(before, GOOD.encode())
    with refused("bad_password") as caught:
        prepare_password(GOOD, before)
    assert "already" in str(caught.value)
    assert Passwords().verify(prepare_password(GOOD + "3", before), (GOOD + "3").encode())


@given(st.text(max_size=25))
def test_any_text_that_is_taken_keeps_to_the_rule(password: str) -> None:
    try:
        check_password(password)
    except RefusedError:
        event("refused")
    else:
        assert 10 <= len(password) <= 20
        assert sum("0" <= char <= "9" for char in password) >= 2
        assert sum("A" <= char <= "Z" for char in password) >= 2
        assert sum("a" <= char <= "z" for char in password) >= 2
