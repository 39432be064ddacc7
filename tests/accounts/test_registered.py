"""The directory that submission uses, read from the tables."""

from __future__ import annotations

import time

from sqlalchemy import insert

from directmail_relay.accounts.accounts import add_account, delete_account, set_account
from directmail_relay.accounts.addresses import (
    NewAddress,
    add_address,
    delete_address,
    freeze_address,
    set_domain_password,
    unfreeze_address,
)
from directmail_relay.accounts.changes import Change, read_version
from directmail_relay.accounts.declared import DeclaredAccount, DeclaredAddress, DeclaredDomain, sync_declared
from directmail_relay.accounts.domains import add_domain
from directmail_relay.accounts.ip_protection import add_entry, turn_on
from directmail_relay.accounts.registered import Keys, Picture, read_picture
from directmail_relay.content.signing_keys import KeyKind, SigningKey, generate_private_key
from directmail_relay.database.accounts_schema import addresses
from directmail_relay.database.clock import to_ms
from directmail_relay.database.engine import Database
from directmail_relay.mail.address import parse_address
from directmail_relay.mail.message import Kind, Status
from directmail_relay.policy.admission import SenderFacts
from directmail_relay.policy.quota import Limits
from tests.accounts.registering import GRACE, NO_KEY, add_shop, set_domain, write
from tests.conftest import START


def read(database: Database, declared_keys: Keys | None = None, now: float = START) -> Picture:
    return database.read_now(read_picture, now, grace=GRACE, declared_keys=declared_keys or {})


def facts(database: Database, login: str = "notice@example.com", now: float = START) -> SenderFacts | None:
    return read(database, now=now).directory.sender_facts(login, parse_address("notice@example.com"))


def certain(found: SenderFacts | None) -> SenderFacts:
    assert found is not None
    return found


def test_an_empty_database_is_an_empty_directory(database: Database) -> None:
    assert read(database).directory.find_login("notice@example.com") is None
    assert read(database).valid_until is None


def test_what_is_registered_is_found_with_all_that_admission_asks_for(database: Database) -> None:
    add_shop(database)
    write(database, set_account, "shop", quotas={"daily_quota": 7})
    write(database, add_entry, "shop", "198.51.100.0/24")
    write(database, turn_on, "shop")
    picture = read(database)
    sender = picture.directory.find_login("Notice@Example.com")
    assert sender is not None
    assert (sender.account, sender.password_hash, sender.kind, sender.is_domain) == (
        "shop",
        "$argon2id$one",
        Kind.TRIGGER,
        False,
    )
    account = picture.directory.account_of(sender)
    assert (account.status, account.limits) == (Status.NORMAL, Limits(daily=7))
    assert account.allowlist.allows("198.51.100.9")
    assert not account.allowlist.allows("192.0.2.1")
    assert picture.version == database.read_now(read_version)


def test_an_address_without_a_password_is_no_login(database: Database) -> None:
    add_shop(database)
    write(database, add_address, NewAddress("more@example.com", Kind.BATCH), grace=GRACE)
    assert read(database).directory.find_login("more@example.com") is None


def test_a_domain_password_makes_the_domain_a_login_that_its_frozen_addresses_do_not_have(database: Database) -> None:
    add_shop(database)
    write(database, set_domain_password, "example.com", "$argon2id$domain")
    assert not certain(facts(database, "example.com")).frozen
    write(database, freeze_address, "notice@example.com")
    assert certain(facts(database, "example.com")).frozen
    assert certain(facts(database)).frozen
    write(database, unfreeze_address, "notice@example.com")
    assert not certain(facts(database, "example.com")).frozen


def test_a_deleted_address_and_what_a_deleted_account_had_are_nobody(database: Database) -> None:
    add_shop(database)
    write(database, delete_address, "notice@example.com")
    assert facts(database) is None
    write(database, add_address, NewAddress("notice@example.com", Kind.TRIGGER, "$x"), grace=GRACE)
    assert facts(database) is not None
    write(database, delete_account, "shop")
    assert facts(database) is None
    account = read(database).directory.find_account("shop")
    assert account is not None
    assert account.status is Status.DELETED


def test_a_domain_that_was_never_verified_may_not_send(database: Database) -> None:
    write(database, add_account, "shop")
    write(database, add_domain, "example.com", "shop", NO_KEY)
    write(database, set_domain_password, "example.com", "$x")
    assert not certain(facts(database, "example.com")).domain_usable


def test_a_broken_domain_sends_until_its_grace_is_over_and_the_picture_says_when(database: Database) -> None:
    add_shop(database)
    set_domain(database, "example.com", broken_since=to_ms(START))
    assert certain(facts(database)).domain_usable
    assert read(database).valid_until == START + GRACE
    assert certain(facts(database, now=START + GRACE - 1)).domain_usable
    assert not certain(facts(database, now=START + GRACE)).domain_usable
    assert read(database, now=START + GRACE).valid_until is None


def test_an_address_that_outlived_its_domain_may_not_send(database: Database) -> None:
    add_shop(database)
    row = {"address": "a@example.org", "account": "shop", "domain": "example.org", "kind": "trigger"}
    rest = {"password_hash": "$x", "frozen": False, "reply_to_verified": False, "declared": False, "created_at": 1}
    database.write_now(lambda connection: connection.execute(insert(addresses).values(**row, **rest)))
    assert not certain(facts(database, "a@example.org")).domain_usable


def test_who_writes_the_configuration_vouches_for_domains_and_addresses_in_it(database: Database) -> None:
    declared = DeclaredAccount(
        "shop",
        Status.NORMAL,
        Limits(),
        ip_protection=False,
        entries=(),
        domains=(DeclaredDomain("example.com", trusted=False),),
        addresses=(
            DeclaredAddress("notice@example.com", Kind.TRIGGER, "$x"),
            DeclaredAddress("a@example.org", Kind.BATCH, "$x"),
        ),
    )
    database.write_now(sync_declared, Change("config", START), [declared])
    assert certain(facts(database)).domain_usable
    assert certain(facts(database, "a@example.org")).domain_usable
    set_domain(database, "example.com", verified_at=to_ms(START - GRACE), broken_since=to_ms(START - GRACE))
    assert not certain(facts(database)).domain_usable


def test_a_declared_key_stands_before_a_registered_one(database: Database) -> None:
    add_shop(database)
    private = generate_private_key(KeyKind.ED25519)
    first, second = (SigningKey("example.com", name, private) for name in ("first", "second"))
    registered: Keys = {"example.com": (second,)}

    def keys(declared: Keys) -> tuple[SigningKey, ...]:
        picture = database.read_now(
            read_picture, START, grace=GRACE, declared_keys=declared, read_keys=lambda _: registered
        )
        return picture.directory.dkim_keys("example.com", "shop")

    assert keys({}) == (second,)
    assert keys({"example.com": (first,)}) == (first,)


def test_ten_thousand_addresses_are_read_within_half_a_second(database: Database) -> None:
    add_shop(database)
    rest = {"account": "shop", "domain": "example.com", "kind": "trigger", "password_hash": "$argon2id$" + "x" * 90}
    more = {"frozen": False, "reply_to_verified": False, "declared": False, "created_at": 1}
    rows = [{"address": f"user{number}@example.com", **rest, **more} for number in range(10_000)]
    database.write_now(lambda connection: connection.execute(insert(addresses), rows))
    started = time.thread_time()  # a busy machine shall not fail it
    picture = read(database)
    assert time.thread_time() - started < 0.5
    assert picture.directory.find_login("USER9999@example.com") is not None
