from __future__ import annotations

import pytest

from directmail_relay.accounts.directory import Account, Directory, DirectoryHolder, Sender, SendingDomain
from directmail_relay.content.signing_keys import KeyKind, SigningKey, generate_private_key
from directmail_relay.mail.address import parse_address
from directmail_relay.mail.message import Kind, Status
from directmail_relay.policy.admission import SenderFacts
from directmail_relay.policy.allowlist import Allowlist, parse_entry

SHOP = Account("shop", allowlist=Allowlist(enabled=True, entries=(parse_entry("192.0.2.1"),)))
NOTICE = Sender("Notice@Example.com", "shop", "hash-a", Kind.TRIGGER)
WHOLE_DOMAIN = Sender("example.com", "shop", "hash-b", Kind.BATCH, is_domain=True)
EXAMPLE = SendingDomain("example.com", "shop")


def directory(*domains: SendingDomain) -> Directory:
    return Directory([SHOP], [NOTICE, WHOLE_DOMAIN], domains)


@pytest.mark.parametrize("login", ["notice@example.com", "Notice@Example.com", "NOTICE@EXAMPLE.COM"])
def test_a_login_is_found_whatever_its_letter_case(login: str) -> None:
    found = directory().find_login(login)
    assert found is not None
    assert (found.login, found.account, found.kind) == ("notice@example.com", "shop", Kind.TRIGGER)


def test_a_domain_password_is_found_by_the_domain_alone() -> None:
    found = directory().find_login("Example.COM")
    assert found is not None
    assert found.is_domain
    assert directory().find_login("@example.com") is None
    assert directory().find_login("anybody@example.com") is None


def test_an_international_domain_is_found_in_both_its_forms() -> None:
    here = Directory([SHOP], [Sender("a@邮件.example", "shop", "hash")])
    assert here.find_login("a@xn--5nq051n.example") == here.find_login("A@邮件.Example") is not None


@pytest.mark.parametrize("login", ["", "@", "notice", "notice@example.org", "notice@example.com\x00", "\ud800"])
def test_an_unknown_login_is_nobody(login: str) -> None:
    assert directory().find_login(login) is None


def test_the_facts_for_admission_are_those_of_the_sender_and_its_account() -> None:
    assert directory().sender_facts("NOTICE@example.com") == SenderFacts(
        "notice@example.com", is_domain=False, status=Status.NORMAL, allowlist=SHOP.allowlist
    )
    assert directory().sender_facts("nobody@example.com") is None


def test_a_frozen_address_is_frozen_for_itself_and_for_its_domains_login() -> None:
    here = Directory([SHOP], [NOTICE, WHOLE_DOMAIN], frozen=["notice@example.com", "notice@example.org"])

    def is_frozen(login: str, mail_from: str | None) -> bool:
        facts = here.sender_facts(login, None if mail_from is None else parse_address(mail_from))
        assert facts is not None
        return facts.frozen

    assert is_frozen("notice@example.com", None)
    assert is_frozen("example.com", "NOTICE@example.com")
    assert not is_frozen("example.com", "other@example.com")
    assert not is_frozen("example.com", None)
    # Of what is not its own it learns nothing: whether that is frozen is the business of others.
    assert not is_frozen("example.com", "notice@example.org")


def test_a_sender_knows_whether_its_domain_may_send() -> None:
    def is_usable(*domains: SendingDomain) -> list[bool]:
        found = [directory(*domains).sender_facts(login) for login in ("notice@example.com", "example.com")]
        return [facts is not None and facts.domain_usable for facts in found]

    assert is_usable() == [True, True]
    assert is_usable(EXAMPLE) == [True, True]
    assert is_usable(SendingDomain("example.com", "shop", usable=False)) == [False, False]


def test_a_domain_is_answered_by_itself_or_by_the_nearest_above_it() -> None:
    sub = SendingDomain("sub.example.com", "shop")
    here = directory(EXAMPLE, sub)
    assert here.find_domain("example.com") is EXAMPLE
    assert here.find_domain("other.example.com") is EXAMPLE
    assert here.find_domain("deep.sub.example.com") is sub
    assert here.find_domain("badexample.com") is None
    assert here.find_domain("com") is None
    assert here.find_domain("") is None


def test_the_keys_of_a_domain_sign_for_those_below_it_but_not_for_others() -> None:
    key = SigningKey("example.com", "s1", generate_private_key(KeyKind.ED25519))
    here = directory(SendingDomain("example.com", "shop", (key,)))
    assert here.dkim_keys("example.com", "shop") == (key,)
    assert here.dkim_keys("news.example.com", "shop") == (key,)
    assert here.dkim_keys("example.org", "shop") == ()
    assert here.dkim_keys("example.com", "another account") == ()
    assert directory(EXAMPLE).dkim_keys("example.com", "shop") == ()


@pytest.mark.parametrize(
    ("accounts", "senders", "domains", "says"),
    [
        ([SHOP, SHOP], [], [], "the account shop is given twice"),
        (
            [SHOP],
            [NOTICE, Sender("NOTICE@example.com", "shop", "x")],
            [],
            "the login notice@example.com is given twice",
        ),
        ([SHOP], [], [EXAMPLE, EXAMPLE], "the domain example.com is given twice"),
        ([], [NOTICE], [], "notice@example.com belongs to the account shop, which does not exist"),
        ([], [], [EXAMPLE], "example.com belongs to the account shop, which does not exist"),
    ],
)
def test_parts_that_contradict_each_other_make_no_directory(
    accounts: list[Account], senders: list[Sender], domains: list[SendingDomain], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        Directory(accounts, senders, domains)


def test_a_replacement_holds_from_the_next_look_up_on_and_leaves_the_old_picture_alone() -> None:
    before = directory()
    holder = DirectoryHolder(before)
    holder.replace(Directory([Account("shop", Status.FROZEN)], [NOTICE]))
    facts = holder.current.sender_facts("notice@example.com")
    assert facts is not None
    assert facts.status is Status.FROZEN
    assert holder.current.find_login("example.com") is None
    assert before.find_login("example.com") is not None


def test_a_password_hash_is_in_no_repr() -> None:
    assert "hash-a" not in repr(NOTICE)
