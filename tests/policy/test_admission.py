from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directmail_relay.mail import replies
from directmail_relay.mail.address import Address, parse_address
from directmail_relay.mail.message import Status
from directmail_relay.policy import admission
from directmail_relay.policy.admission import (
    HeaderFromMode,
    SenderFacts,
    check_header_from,
    check_mail_from,
    check_rcpt_to,
    normalize_login,
)
from directmail_relay.policy.allowlist import Allowlist, parse_entry
from directmail_relay.policy.verdict import Accept, Refuse

HOME = "192.0.2.7"
ONLY_HOME = Allowlist(enabled=True, entries=(parse_entry(HOME),))
NOTICE = SenderFacts("notice@example.com", is_domain=False, status=Status.NORMAL, allowlist=Allowlist())
DOMAIN = SenderFacts("example.com", is_domain=True, status=Status.NORMAL, allowlist=Allowlist())


def mail_from(facts: SenderFacts | None, address: str, client_ip: str = HOME) -> Accept | Refuse:
    return check_mail_from(facts, parse_address(address, smtputf8=True), client_ip)


def refusal(verdict: Accept | Refuse) -> Refuse:
    assert isinstance(verdict, Refuse)
    return verdict


@pytest.mark.parametrize("address", ["notice@example.com", "Notice@Example.COM", "NOTICE@example.com"])
def test_a_login_sends_as_itself_whatever_the_letter_case(address: str) -> None:
    assert mail_from(NOTICE, address) == Accept()


def test_a_login_sends_as_nobody_else_and_is_told_both_names() -> None:
    refused = refusal(mail_from(NOTICE, "Boss@example.com"))
    assert refused.why == "sender_mismatch"
    assert str(refused.reply) == (
        '553 "MAIL FROM" doesn\'t conform with authentication '
        "(Auth Account:notice@example.com|Mail Account:Boss@example.com)"
    )


@pytest.mark.parametrize("address", ["anybody@example.com", "Any.Body@EXAMPLE.com"])
def test_a_domain_login_sends_as_any_address_of_its_domain(address: str) -> None:
    assert mail_from(DOMAIN, address) == Accept()


@pytest.mark.parametrize("address", ["a@sub.example.com", "a@com.example", "a@xexample.com", "a@example.com.evil.org"])
def test_a_domain_login_sends_as_exactly_that_domain_only(address: str) -> None:
    assert refusal(mail_from(DOMAIN, address)).why == "sender_mismatch"


@pytest.mark.parametrize("facts", [NOTICE, DOMAIN])
def test_a_submitter_is_never_the_null_reverse_path(facts: SenderFacts) -> None:
    refused = refusal(check_mail_from(facts, None, HOME))
    assert refused.reply.code == 553
    assert refused.reply.text.endswith("|Mail Account:<>)")


def test_the_kelvin_sign_is_not_the_letter_k() -> None:
    facts = replace(NOTICE, login="kelvin@example.com")
    assert refusal(mail_from(facts, "\N{KELVIN SIGN}elvin@example.com")).why == "sender_mismatch"


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.NORMAL])
def test_an_account_that_is_not_normal_sends_nothing(status: Status) -> None:
    assert mail_from(replace(NOTICE, status=status), "notice@example.com") == Refuse(
        replies.ACCOUNT_UNAVAILABLE, "account_unavailable"
    )


def test_a_login_that_was_removed_during_the_session_sends_nothing() -> None:
    assert mail_from(None, "notice@example.com") == Refuse(replies.ACCOUNT_UNAVAILABLE, "account_unavailable")


def test_a_frozen_address_sends_nothing_and_names_no_recipients() -> None:
    frozen = replace(NOTICE, frozen=True)
    expected = Refuse(replies.ACCOUNT_UNAVAILABLE, "account_unavailable")
    assert mail_from(frozen, "notice@example.com") == expected
    assert check_rcpt_to(frozen) == expected


@pytest.mark.parametrize(("facts", "address"), [(NOTICE, "notice@example.com"), (DOMAIN, "anybody@example.com")])
def test_a_domain_that_is_not_verified_sends_nothing_and_is_named(facts: SenderFacts, address: str) -> None:
    refused = refusal(mail_from(replace(facts, domain_usable=False), address))
    assert str(refused.reply) == "553 Sending domain example.com is not verified"
    assert refused.why == "domain_unavailable"


def test_ip_protection_refuses_a_client_elsewhere_and_says_which_address_it_saw() -> None:
    refused = refusal(mail_from(replace(NOTICE, allowlist=ONLY_HOME), "notice@example.com", "198.51.100.9"))
    assert refused.why == "ip_not_allowed"
    assert str(refused.reply) == "554 Client address 198.51.100.9 is not in the IP whitelist of this account"
    assert mail_from(replace(NOTICE, allowlist=ONLY_HOME), "notice@example.com", "::ffff:192.0.2.7") == Accept()


def test_the_account_comes_before_the_client_address_and_that_before_the_sender() -> None:
    everything_wrong = replace(NOTICE, status=Status.FROZEN, allowlist=ONLY_HOME)
    assert refusal(mail_from(everything_wrong, "boss@example.com", "198.51.100.9")).reply.code == 551
    two_wrong = replace(NOTICE, allowlist=ONLY_HOME)
    assert refusal(mail_from(two_wrong, "boss@example.com", "198.51.100.9")).reply.code == 554


@given(st.text(max_size=400), st.text(max_size=400), st.text(max_size=400))
def test_a_refusal_is_one_short_line_of_printable_ascii_whatever_the_names_hold(
    login: str, local: str, client_ip: str
) -> None:
    facts = replace(NOTICE, login=login)
    for check in (
        check_mail_from(facts, Address(local, "example.org"), client_ip),
        check_mail_from(replace(facts, allowlist=ONLY_HOME), None, client_ip),
    ):
        line = str(refusal(check).reply)
        assert line.isascii()
        assert line.isprintable()
        assert len(line) + 2 <= 512


@pytest.mark.parametrize(
    ("author", "mode", "accepted"),
    [
        ("notice@example.com", HeaderFromMode.MATCH, True),
        ("NOTICE@example.com", HeaderFromMode.MATCH, True),
        ("boss@example.com", HeaderFromMode.MATCH, False),
        ("notice@sub.example.com", HeaderFromMode.MATCH, False),
        (None, HeaderFromMode.MATCH, False),
        ("boss@example.com", HeaderFromMode.DOMAIN, True),
        ("boss@sub.example.com", HeaderFromMode.DOMAIN, False),
        (None, HeaderFromMode.DOMAIN, False),
        ("boss@elsewhere.org", HeaderFromMode.ANY, True),
        (None, HeaderFromMode.ANY, True),
    ],
)
def test_the_header_from_agrees_with_the_envelope_as_the_mode_asks(
    author: str | None, mode: HeaderFromMode, *, accepted: bool
) -> None:
    address = None if author is None else parse_address(author)
    verdict = check_header_from(address, parse_address("notice@example.com"), mode)
    expected = Accept() if accepted else Refuse(replies.HEADER_FROM_MISMATCH, "header_from_mismatch")
    assert verdict == expected


def test_an_account_that_was_frozen_since_mail_names_no_recipients() -> None:
    assert check_rcpt_to(NOTICE) == Accept()
    for facts in (replace(NOTICE, status=Status.FROZEN), None):
        assert check_rcpt_to(facts) == Refuse(replies.ACCOUNT_UNAVAILABLE, "account_unavailable")


@pytest.mark.parametrize(
    ("text", "login"),
    [
        ("user@Example.COM", "user@example.com"),
        ("USER@example.com", "user@example.com"),
        ("Example.COM", "example.com"),
        ("user@邮件.example", "user@xn--5nq051n.example"),
        ("Ünal@example.com", "Ünal@example.com"),
        ("\N{KELVIN SIGN}@example.com", "\N{KELVIN SIGN}@example.com"),
        ("", ""),
        ("no domain@", "no domain@"),
        ("user@[192.0.2.1]", "user@[192.0.2.1]"),
    ],
)
def test_a_login_has_one_form(text: str, login: str) -> None:
    assert normalize_login(text) == login


@given(st.text(max_size=300) | st.emails() | st.text(alphabet="aK@.邮ß\N{KELVIN SIGN}\N{SOFT HYPHEN}", max_size=20))
def test_the_form_of_a_login_is_its_own_form(text: str) -> None:
    login = normalize_login(text)
    if len(login) <= 254:
        assert normalize_login(login) == login


def test_an_over_long_login_equals_no_real_one() -> None:
    assert len(normalize_login("a" * 100_000)) == 255


def test_every_label_that_can_arise_is_documented_at_the_top() -> None:
    labels = {"account_unavailable", "domain_unavailable", "ip_not_allowed", "sender_mismatch", "header_from_mismatch"}
    labels |= {"invalid_rcpt", "suppressed"}
    documented = {line.split()[0] for line in (admission.__doc__ or "").splitlines() if line.startswith("    ")}
    assert documented == labels
