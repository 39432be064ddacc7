"""The contradictions A1 to A15 inside the guide's tables, each settled as docs/bounces.md says."""

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


def test_a1_an_unexpected_close_is_a_network_error_that_suppresses_only_in_the_end() -> None:
    found = local("400 the mta server of unexpected closed")
    assert (found.category, found.retry, found.suppress, found.status) == (
        Category.NETWORK_ERROR,
        Retry.YES,
        Suppress.AFTER_RETRIES,
        4,
    )


def test_a2_rows_that_say_do_not_retry_say_so_literally_even_of_4xx() -> None:
    assert said("452 4.2.2 This one is OverQuota now").retry is Retry.NO
    assert said("451 4.7.1 GreyListed").retry is Retry.NO
    assert said("421 come back later").retry is Retry.NO


def test_a3_an_r12_pattern_beats_the_phrases_of_r20() -> None:
    postgrey = said("450 4.2.0 <a@example.com>: Recipient address rejected: Greylisted, see http://postgrey.example")
    assert (postgrey.category, postgrey.retry) == (Category.GREYLISTED, Retry.YES)
    assert said("451 4.7.1 Greylisting in action, please come back later").retry is Retry.YES
    assert said("450 you are grey listed").rule == "R12/grey-listed"
    assert said("450 GreyListed").rule == "R20/greylisted"


def test_a4_the_mimecast_address_makes_the_longer_text() -> None:
    with_address = "451 Internal resource temporarily unavailable - https://community.mimecast.com/docs/DOC-1369#451"
    assert (said(with_address).category, said(with_address).retry) == (Category.GREYLISTED, Retry.NO)
    without = said("451 Internal resource temporarily unavailable")
    assert (without.category, without.retry) == (Category.RECEIVER_TEMPORARY_FAILURE, Retry.YES)


def test_a5_try_again_later_counts_last_and_only_at_4xx() -> None:
    assert said("451 4.7.1 Try again later").category is Category.GREYLISTED
    assert row(said("451 mx.example.com Resources temporarily unavailable. Please try again later")) == "R11"
    assert said("421 Too many connections, try again later").category is Category.IP_RATE_LIMITED
    assert said("550 try again later").category is not Category.GREYLISTED


@pytest.mark.parametrize("text", ["423 Dns resolve error", "427 Socks Connect to UNREACHABLE host"])
@pytest.mark.parametrize("origin", Origin)
def test_a6_a7_no_connection_is_retried_and_takes_no_address_off_a_list(text: str, origin: Origin) -> None:
    found = said(text, origin=origin)
    assert (found.category, found.retry, found.suppress, found.status) == (
        Category.CONNECT_OR_MX_FAILED,
        Retry.LATER,
        Suppress.NO,
        4,
    )


@pytest.mark.parametrize("text", ["524 Host not found by dns resolve", "526 No data by dns resolve [@ou070302]"])
def test_a7_a_domain_that_is_not_there_is_final_and_status_four(text: str) -> None:
    found = local(text)
    assert (found.category, found.retry, found.suppress, found.status) == (
        Category.CONNECT_OR_MX_FAILED,
        Retry.NO,
        Suppress.NO,
        4,
    )


def test_a8_over_quota_is_a_full_mailbox_and_is_not_retried() -> None:
    google = said("452 4.2.2 The account is over quota https://support.google.com/mail/?p=OverQuotaTemp x - gsmtp")
    assert (google.rule, google.retry) == ("R10/452-4-2-2-p-overquotatemp", Retry.NO)
    bare = said("452 OverQuota, user is over quota")
    assert (bare.category, bare.rule, bare.retry) == (Category.MAILBOX_FULL, "R17/overquota", Retry.NO)
    assert said("452 user is over quota").rule == "R10/is-over-quota"


def test_a9_the_longest_text_names_the_row() -> None:
    disabled = "554 delivery error: dd Sorry your message to a@example.com cannot be delivered. "
    assert row(said(f"{disabled}This account has been disabled or discontinued")) == "R1"
    bare = said("554 delivery error: dd Something else")
    assert row(bare) == "R19"
    assert (bare.category, bare.suppress, bare.status) == (Category.RECIPIENT_NOT_FOUND, Suppress.YES, 2)


def test_a9_a_full_mailbox_that_begins_like_r19_is_not_a_bad_address() -> None:
    text = (
        "554 delivery error: dd Sorry, your message to a@example.com cannot be delivered. This account is over quota."
    )
    assert said(text).category is Category.MAILBOX_FULL


def test_a10_recipient_address_rejected_depends_on_its_codes_and_its_reason() -> None:
    assert row(said("521 Recipient address rejected")) == "R1"
    assert row(said("450 4.2.0 <a@example.com>: Recipient address rejected")) == "R12"
    assert row(said("450 4.2.0 <a@example.com>: Recipient address rejected: User unknown")) == "R1"
    assert row(said("550 5.1.1 <a@example.com>: Recipient address rejected: User unknown")) == "R1"


@pytest.mark.parametrize(
    "text",
    [
        "550 Mailbox unavailable or access denied",
        "550 Connection frequency limited",
        "550 IP frequency limited",
        "550 RP:TRC",
        "550 Sender frequency limited",
        "550 Domain frequency limited",
    ],
)
def test_a11_a12_rates_are_tried_again_later_though_they_say_5xx(text: str) -> None:
    found = said(text)
    assert (found.retry, found.suppress, found.next_day) == (Retry.LATER, Suppress.NO, False)


@pytest.mark.parametrize("text", ["550 MI:STC", "554 MI:STC", "550 5.4.5 Daily sending limit exceeded"])
def test_a11_a12_a_daily_limit_waits_for_the_next_day(text: str) -> None:
    found = said(text)
    assert (found.category, found.retry, found.next_day) == (Category.SENDER_RATE_LIMITED, Retry.LATER, True)


def test_a13_spam_and_lists_at_4xx_are_tried_again_later() -> None:
    listed, spam = said("450 DT:RBL"), said("451 DT:SPM")
    assert (listed.category, listed.retry, listed.status) == (Category.IP_BLACKLISTED, Retry.LATER, 4)
    assert (spam.category, spam.retry, spam.status) == (Category.SPAM, Retry.LATER, 3)


def test_a14_requested_action_not_taken() -> None:
    assert said("450 Requested action not taken").category is Category.SPAM
    assert said("450 Requested action not taken: mailbox unavailable").category is Category.RECEIVER_TEMPORARY_FAILURE
    assert said("550 Requested action not taken: mailbox unavailable").category is Category.RECIPIENT_NOT_FOUND


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("552 Monthly sending quota exceeded", Category.SENDER_RATE_LIMITED),
        ("552 Requested mail action aborted: exceeded mailsize limit", Category.MESSAGE_TOO_LARGE),
        ("552 mailbox is full", Category.MAILBOX_FULL),
        ("552 5.2.1 Quota exceeded or service disabled", Category.MAILBOX_FULL),
    ],
)
def test_a15_the_text_decides_what_552_means(text: str, category: Category) -> None:
    found = said(text)
    assert (found.category, found.suppress) == (category, Suppress.NO)
