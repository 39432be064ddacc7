"""The contradictions A16 to A31 inside the guide's tables, each settled as docs/bounces.md says."""

from __future__ import annotations

import pytest

from directmail_relay.mail.attempt import Stage
from directmail_relay.mail.reply import Origin, Reply
from directmail_relay.policy.bounces import Category, Classification, Retry, Suppress
from directmail_relay.policy.classify import classify, parse_reply_text


def said(text: str, stage: Stage | None = None, origin: Origin = Origin.REMOTE) -> Classification:
    reply = parse_reply_text(text)
    return classify(Reply(reply.code, reply.text, reply.enhanced, origin), stage)


def row(found: Classification) -> str:
    """`R1` of the rule `R1/user-unknown`."""
    return found.rule.partition("/")[0]


def local(text: str) -> Classification:
    return said(text, origin=Origin.LOCAL)


def test_a16_the_sc_codes_of_microsoft() -> None:
    assert {said(f"550 SC-00{n} mail rejected").category for n in (1, 2)} == {Category.SPAM}
    assert {said(f"550 SC-00{n} mail rejected").category for n in (3, 4)} == {Category.IP_BLACKLISTED}


def test_a17_only_an_answer_to_rcpt_makes_the_syntax_the_recipients() -> None:
    assert said("550 MI:IMF").category is Category.BAD_ADDRESS_SYNTAX
    assert said("550 MI:IMF", Stage.RCPT).suppress is Suppress.NO
    assert said("501 Bad address syntax", Stage.RCPT).suppress is Suppress.YES
    assert said("501 Bad address syntax").suppress is Suppress.YES
    at_mail = said("501 Bad address syntax", Stage.MAIL)
    assert (at_mail.category, at_mail.suppress, at_mail.status) == (Category.BAD_ADDRESS_SYNTAX, Suppress.NO, 4)


@pytest.mark.parametrize(
    "text",
    [
        "550 invalid address: sender <a@example.com> is an unknown user, sender verify failed",
        "550 Sender address rejected: User unknown in relay table",
        "421 too many invalid recipients from your host",
        "450 4.7.1 This host has named too many unknown users",
        "535 5.7.8 authentication failed: user not found",
        "550 unknownuserland",
    ],
)
def test_a18_the_phrases_of_r1_are_not_taken_for_the_recipient_where_they_speak_of_others(text: str) -> None:
    found = said(text)
    assert not found.category.names_a_bad_address
    assert found.suppress is Suppress.NO


@pytest.mark.parametrize("stage", [Stage.CONNECT, Stage.EHLO, Stage.STARTTLS, Stage.MAIL])
def test_a18_nothing_is_said_of_a_recipient_before_it_was_named(stage: Stage) -> None:
    assert not said("550 5.1.1 no such user", stage).category.names_a_bad_address
    assert said("550 Invalid User", stage).suppress is Suppress.NO


@pytest.mark.parametrize("stage", [Stage.RCPT, Stage.DATA, None])
def test_a18_a_recipient_that_was_named_can_be_unknown(stage: Stage | None) -> None:
    assert said("550 5.1.1 no such user", stage).suppress is Suppress.YES


def test_a19_an_unknown_user_at_4xx_is_retried_and_suppressed_only_in_the_end() -> None:
    found = said("450 4.1.1 <a@example.com>: User unknown in local recipient table")
    assert (found.category, found.retry, found.suppress, found.status) == (
        Category.RECIPIENT_NOT_FOUND,
        Retry.YES,
        Suppress.AFTER_RETRIES,
        4,
    )


@pytest.mark.parametrize("ip", ["192.0.2.1", "2001:db8::1"])
def test_a20_brackets_and_both_kinds_of_ip_fit_the_placeholders(ip: str) -> None:
    assert row(said(f"550 5.7.1 Service unavailable; client [{ip}] blocked using bl.example")) == "R3"
    assert row(said(f"553 5.7.1 [BL21] Connections will not be accepted from {ip}, because")) == "R3"
    assert row(said("454 4.7.1 (a@example.com): Relay access denied for you")) == "R21"


def test_a21_todays_wording_of_yahoo_fits_too() -> None:
    today = "421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume or user complaints"
    assert said("421 4.7.0 [TS01] Message from (192.0.2.1) temporarily deferred").rule == said(today).rule


def test_a22_an_address_at_the_end_of_several_lines_is_found() -> None:
    text = "550-5.1.1 The email account that you tried to reach is gone.\n550 5.1.1 https://support.google.com/mail/answer/6596"
    assert said(text).rule == "R1/550-5-1-1-answer-6596"


def test_a23_the_phrases_are_cut_as_the_alphabet_says() -> None:
    assert said("554 joe is not a valid user").rule == "R1/is-not-a-valid-user"
    assert said("554 mailbox not found").rule == "R1/mailbox-not-found"


@pytest.mark.parametrize(
    "text",
    [
        "550 ip in prision",
        "550 ip in prison",
        "550 is listed in RBL.",
        "550 is listed in RBL",
        "554 delivery error: dd This user doesn't have a yahoo.com account (a@yahoo.com)",
        "554 delivery error: dd This user doesn\u2019t have a yahoo.com account (a@yahoo.com)",
    ],
)
def test_a24_the_guides_spelling_and_the_right_one_both_fit(text: str) -> None:
    assert row(said(text)) in {"R1", "R3"}


def test_a25_our_own_events_follow_the_services_table_and_a_remote_one_may_use_its_words() -> None:
    assert local("554 Reject by content spam").rule == said("554 Reject by content spam").rule
    assert row(local("554 Reject by content spam")) == "S8"
    assert row(local("423 Dns resolve error")) == "S5"
    assert row(said("423 Dns resolve error")) == "R16"
    assert row(said("559 Invalid rcptto")) == "S4"


@pytest.mark.parametrize("text", ["250 send mail ok", "250 Mail Ok", "250 2.0.0 Ok", "251 will forward", "252 perhaps"])
def test_a26_any_2xx_is_a_success_whatever_it_says(text: str) -> None:
    found = said(text)
    assert (found.status, found.suppress) == (0, Suppress.NO)


@pytest.mark.parametrize(
    "text", ["550 User in blacklist", "554 IP in blacklist", "550 IP frequency limited", "550 MI:SPF"]
)
def test_a27_only_spam_has_status_three(text: str) -> None:
    assert said(text).status == 4
    assert said("550 Suspected spam").status == 3


def test_a27_our_own_judgement_of_spam_is_a_failure() -> None:
    assert local("554 Reject by content spam").status == 4


def test_a28_relaying_denied_at_any_code() -> None:
    temporary, permanent = (said(f"{code}.7.1 <a@example.com>: Relay access denied") for code in ("454 4", "554 5"))
    assert (temporary.category, temporary.retry) == (Category.RELAY_DENIED, Retry.LATER)
    assert (permanent.category, permanent.retry, permanent.suppress) == (Category.RELAY_DENIED, Retry.NO, Suppress.NO)


def test_a29_the_address_or_the_reason_names_the_category_of_a_rate_limit() -> None:
    limited = "mail sent from your IP address has been temporarily rate limited."
    spam = said(f"421 4.7.0 {limited} Please visit https://support.google.com/mail/answer/188131")
    assert (spam.category, spam.retry) == (Category.SPAM, Retry.LATER)
    pointer = said(f"421 4.7.0 The IP address does not have a PTR record. {limited}")
    assert pointer.category is Category.POLICY_REJECTED
    assert row(said(f"421 4.7.0 {limited}")) == "R18"


def test_a30_rows_of_both_tables_that_mean_the_same_share_a_category() -> None:
    assert (
        local("557 The length of DATA content is achieved the maximum threshold").category is Category.MESSAGE_TOO_LARGE
    )
    assert local("559 Invalid rcptto").category is Category.RECIPIENT_NOT_FOUND
    assert local("427 Socks Connect to UNREACHABLE host").category is Category.CONNECT_OR_MX_FAILED


def test_a_remote_556_means_that_the_domain_takes_no_mail() -> None:
    assert said("556 5.1.10 example.com does not receive").category is Category.CONNECT_OR_MX_FAILED
    assert said("556 nope").category is Category.CONNECT_OR_MX_FAILED
    assert local("556 The number of RCPTs is over size").category is Category.TOO_MANY_RECIPIENTS
