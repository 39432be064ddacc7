"""Sending addresses: registered below domains that may send, and each the business of its own account alone."""

from __future__ import annotations

import json

import pytest

from directmail_relay.accounts.accounts import add_account
from directmail_relay.accounts.addresses import (
    NewAddress,
    add_address,
    delete_address,
    freeze_address,
    list_addresses,
    read_password_hash,
    set_address_password,
    set_domain_password,
    set_reply_to,
    show_address,
    unfreeze_address,
)
from directmail_relay.accounts.changes import list_audit, read_version
from directmail_relay.accounts.domains import add_domain
from directmail_relay.database.clock import to_ms
from directmail_relay.database.engine import Database
from directmail_relay.mail.message import Kind
from tests.accounts.registering import GRACE, NO_KEY, add_shop, add_verified_domain, refused, set_domain, write
from tests.conftest import START


def add(database: Database, address: str, account: str | None = None) -> dict[str, object]:
    shown: dict[str, object] = write(
        database, add_address, NewAddress(address, Kind.BATCH, account=account), grace=GRACE
    )
    return shown


def test_an_address_belongs_to_the_account_of_its_domain_and_is_kept_in_lower_case(database: Database) -> None:
    add_shop(database)
    assert add(database, "News@Example.COM") == {
        "address": "news@example.com",
        "account": "shop",
        "type": "batch",
        "has_password": False,
        "frozen": False,
        "reply_to": None,
        "reply_to_verified": False,
        "declared": False,
        "created_at": "2026-11-18T11:06:40.000Z",
    }


@pytest.mark.parametrize(
    "address", ["", "notice", "notice@", "a b@example.com", "a@localhost", "a@[192.0.2.1]", "ü@example.com"]
)
def test_what_is_no_address_is_refused(database: Database, address: str) -> None:
    add_shop(database)
    with refused("bad_address"):
        add(database, address)


@pytest.mark.parametrize("address", ["news@example.org", "news@sub.example.com", "news@com"])
def test_an_address_needs_a_domain_that_is_registered(database: Database, address: str) -> None:
    add_shop(database)
    with refused("domain_not_found" if "." in address.partition("@")[2] else "bad_address"):
        add(database, address)


def test_an_address_needs_a_domain_that_was_verified(database: Database) -> None:
    write(database, add_account, "shop")
    write(database, add_domain, "example.com", "shop", NO_KEY)
    with refused("domain_not_verified"):
        add(database, "news@example.com")
    set_domain(database, "example.com", verified_at=to_ms(START), found="ownership,spf,mx")
    assert add(database, "news@example.com")["account"] == "shop"


def test_a_domain_that_is_broken_takes_addresses_until_its_grace_is_over(database: Database) -> None:
    add_shop(database)
    set_domain(database, "example.com", broken_since=to_ms(START - GRACE + 1))
    add(database, "news@example.com")
    set_domain(database, "example.com", broken_since=to_ms(START - GRACE))
    with refused("domain_not_verified"):
        add(database, "more@example.com")


def test_an_address_is_registered_once_whatever_its_letter_case(database: Database) -> None:
    add_shop(database)
    with refused("address_exists"):
        add(database, "NOTICE@example.com")


def test_two_accounts_never_see_each_others_addresses(database: Database) -> None:
    add_shop(database)
    write(database, add_account, "blog")
    add_verified_domain(database, "example.org", "blog")
    with refused("domain_not_found"):
        add(database, "more@example.com", account="blog")
    with refused("address_not_found"):
        database.read_now(show_address, "notice@example.com", "blog")
    for act in (freeze_address, unfreeze_address, delete_address):
        with refused("address_not_found"):
            write(database, act, "notice@example.com", "blog")
    with refused("address_not_found"):
        write(database, set_address_password, "notice@example.com", "$argon2id$two", "blog")
    with refused("address_not_found"):
        write(database, set_reply_to, "notice@example.com", "me@example.net", "blog")
    assert database.read_now(list_addresses, "blog") == []
    assert [one["address"] for one in database.read_now(list_addresses, "shop")] == ["notice@example.com"]
    with refused("account_not_found"):
        database.read_now(list_addresses, "nobody")


def test_freezing_and_unfreezing_are_changes_once(database: Database) -> None:
    add_shop(database)
    assert write(database, freeze_address, "Notice@example.com")["frozen"]
    version = database.read_now(read_version)
    assert write(database, freeze_address, "notice@example.com")["frozen"]
    assert database.read_now(read_version) == version
    assert not write(database, unfreeze_address, "notice@example.com")["frozen"]
    assert [one["what"] for one in database.read_now(list_audit)][:2] == ["address.unfreeze", "address.freeze"]


def test_a_password_is_stored_as_its_hash_and_no_hash_gets_into_the_log(database: Database) -> None:
    add_shop(database)
    assert write(database, set_address_password, "notice@example.com", "$argon2id$two")["has_password"]
    assert database.read_now(read_password_hash, "notice@example.com") == "$argon2id$two"
    write(database, set_domain_password, "example.com", "$argon2id$three")
    log = database.read_now(list_audit)
    assert [one["what"] for one in log][:2] == ["domain.password", "address.password"]
    assert "argon2" not in json.dumps(log)


def test_a_domain_that_is_not_there_gets_no_password(database: Database) -> None:
    with refused("domain_not_found"):
        write(database, set_domain_password, "example.com", "$argon2id$one")


def test_a_new_reply_mailbox_is_not_verified_and_the_same_one_stays_so(database: Database) -> None:
    add_shop(database)
    shown = write(database, set_reply_to, "notice@example.com", "Answers@example.net")
    assert (shown["reply_to"], shown["reply_to_verified"]) == ("Answers@example.net", False)
    version = database.read_now(read_version)
    write(database, set_reply_to, "notice@example.com", "Answers@example.net")
    assert database.read_now(read_version) == version
    with refused("bad_address"):
        write(database, set_reply_to, "notice@example.com", "nowhere")


def test_a_deleted_address_is_gone_and_its_name_is_free(database: Database) -> None:
    add_shop(database)
    write(database, delete_address, "NOTICE@example.com")
    with refused("address_not_found"):
        database.read_now(show_address, "notice@example.com")
    assert not add(database, "notice@example.com")["has_password"]
