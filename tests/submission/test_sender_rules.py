from __future__ import annotations

import pytest

from directmail_relay.accounts.directory import Account, Directory, DirectoryHolder, Sender, SendingDomain
from directmail_relay.accounts.listed import Listed
from directmail_relay.mail import replies
from directmail_relay.mail.address import Address, parse_address
from directmail_relay.mail.message import Status
from directmail_relay.policy.verdict import Accept, Refuse
from directmail_relay.submission.sender_rules import DirectoryRules

NOTICE = Sender("notice@example.com", "shop", "hash")
MAIL_FROM = parse_address("Notice@example.com")
RCPT = parse_address("somebody@example.org")
HOME = "192.0.2.7"
UNAVAILABLE = Refuse(replies.ACCOUNT_UNAVAILABLE, "account_unavailable")


async def test_a_sender_may_send_as_itself_and_as_nobody_else() -> None:
    rules = DirectoryRules(DirectoryHolder(Directory([Account("shop")], [NOTICE])))
    assert rules.check_mail_from(NOTICE, MAIL_FROM, HOME) == Accept()
    assert await rules.check_rcpt_to(NOTICE, RCPT) == Accept()
    refused = rules.check_mail_from(NOTICE, RCPT, HOME)
    assert isinstance(refused, Refuse)
    assert refused.reply.code == 553


async def test_an_account_that_is_frozen_or_a_login_that_is_removed_is_refused_at_the_next_command() -> None:
    holder = DirectoryHolder(Directory([Account("shop")], [NOTICE]))
    rules = DirectoryRules(holder)
    for changed in (Directory([Account("shop", Status.FROZEN)], [NOTICE]), Directory([Account("shop")])):
        holder.replace(changed)
        assert rules.check_mail_from(NOTICE, MAIL_FROM, HOME) == UNAVAILABLE
        assert await rules.check_rcpt_to(NOTICE, RCPT) == UNAVAILABLE


class Lists:
    """One recipient in one list of one account; `asked` counts the questions."""

    def __init__(self, account: str, rcpt: Address, found: Listed) -> None:
        self.asked = 0
        self._known = {(account, rcpt): found}

    async def find(self, account: str, rcpt: Address) -> Listed | None:
        self.asked += 1
        return self._known.get((account, rcpt))


@pytest.mark.parametrize("found", list(Listed))
async def test_a_recipient_that_the_account_lists_is_refused_with_the_list_as_reason(found: Listed) -> None:
    holder = DirectoryHolder(Directory([Account("shop")], [NOTICE]))
    refused = Refuse(replies.INVALID_RCPT, found.value)
    assert await DirectoryRules(holder, Lists("shop", RCPT, found)).check_rcpt_to(NOTICE, RCPT) == refused
    assert await DirectoryRules(holder, Lists("other", RCPT, found)).check_rcpt_to(NOTICE, RCPT) == Accept()


async def test_the_lists_of_a_frozen_account_are_not_even_asked() -> None:
    lists = Lists("shop", RCPT, Listed.INVALID)
    rules = DirectoryRules(DirectoryHolder(Directory([Account("shop", Status.FROZEN)], [NOTICE])), lists)
    assert await rules.check_rcpt_to(NOTICE, RCPT) == UNAVAILABLE
    assert lists.asked == 0


@pytest.mark.parametrize(
    "now",
    [
        Sender("notice@example.com", "other", "hash"),  # deleted, and made anew by another account
        Sender("notice@example.com", "shop", "another hash"),  # the password was changed
    ],
)
async def test_a_session_ends_its_sending_when_the_login_is_no_longer_the_one_that_logged_in(now: Sender) -> None:
    holder = DirectoryHolder(Directory([Account("shop"), Account("other")], [NOTICE]))
    rules = DirectoryRules(holder)
    assert rules.check_mail_from(NOTICE, MAIL_FROM, HOME) == Accept()
    holder.replace(Directory([Account("shop"), Account("other")], [now]))
    assert rules.check_mail_from(NOTICE, MAIL_FROM, HOME) == UNAVAILABLE
    assert await rules.check_rcpt_to(NOTICE, RCPT) == UNAVAILABLE


def test_an_address_whose_domain_went_to_another_account_sends_no_more() -> None:
    accounts = [Account("shop"), Account("other")]
    lost = Directory(accounts, [NOTICE], [SendingDomain("example.com", "other")])
    refused = DirectoryRules(DirectoryHolder(lost)).check_mail_from(NOTICE, MAIL_FROM, HOME)
    assert isinstance(refused, Refuse)
    assert refused.why == "domain_unavailable"


def test_quotes_do_not_make_a_frozen_address_another_one() -> None:
    whole = Sender("example.com", "shop", "hash", is_domain=True)
    rules = DirectoryRules(DirectoryHolder(Directory([Account("shop")], [whole], frozen=["ceo@example.com"])))
    for written in ("ceo@example.com", '"ceo"@example.com', '"c\\eo"@example.com', "CEO@example.com"):
        assert rules.check_mail_from(whole, parse_address(written), HOME) == UNAVAILABLE
    assert rules.check_mail_from(whole, parse_address("cfo@example.com"), HOME) == Accept()
