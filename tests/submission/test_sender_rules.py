from __future__ import annotations

from directmail_relay.accounts.directory import Account, Directory, DirectoryHolder, Sender
from directmail_relay.mail import replies
from directmail_relay.mail.address import parse_address
from directmail_relay.mail.message import Status
from directmail_relay.policy.verdict import Accept, Refuse
from directmail_relay.submission.sender_rules import DirectoryRules

NOTICE = Sender("notice@example.com", "shop", "hash")
MAIL_FROM = parse_address("Notice@example.com")
RCPT = parse_address("somebody@example.org")
HOME = "192.0.2.7"
UNAVAILABLE = Refuse(replies.ACCOUNT_UNAVAILABLE, "account_unavailable")


def test_a_sender_may_send_as_itself_and_as_nobody_else() -> None:
    rules = DirectoryRules(DirectoryHolder(Directory([Account("shop")], [NOTICE])))
    assert rules.check_mail_from(NOTICE, MAIL_FROM, HOME) == Accept()
    assert rules.check_rcpt_to(NOTICE, RCPT) == Accept()
    refused = rules.check_mail_from(NOTICE, RCPT, HOME)
    assert isinstance(refused, Refuse)
    assert refused.reply.code == 553


def test_an_account_that_is_frozen_or_a_login_that_is_removed_is_refused_at_the_next_command() -> None:
    holder = DirectoryHolder(Directory([Account("shop")], [NOTICE]))
    rules = DirectoryRules(holder)
    for changed in (Directory([Account("shop", Status.FROZEN)], [NOTICE]), Directory([Account("shop")])):
        holder.replace(changed)
        assert rules.check_mail_from(NOTICE, MAIL_FROM, HOME) == UNAVAILABLE
        assert rules.check_rcpt_to(NOTICE, RCPT) == UNAVAILABLE
