"""What the configuration declares, in the tables: brought in, kept up, taken away, and never mixed with the rest."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from directmail_relay.accounts.accounts import add_account, delete_account, list_accounts, set_account, show_account
from directmail_relay.accounts.addresses import (
    NewAddress,
    add_address,
    delete_address,
    freeze_address,
    list_addresses,
    set_address_password,
    set_domain_password,
    set_reply_to,
    show_address,
)
from directmail_relay.accounts.changes import Change, list_audit, read_version
from directmail_relay.accounts.declared import (
    ClashError,
    DeclaredAccount,
    DeclaredAddress,
    DeclaredDomain,
    read_declared_hashes,
    sync_declared,
)
from directmail_relay.accounts.ip_protection import add_entry, list_entries, turn_off
from directmail_relay.accounts.tags import add_tag
from directmail_relay.database.accounts_schema import domains
from directmail_relay.database.engine import Database
from directmail_relay.mail.message import Kind, Status
from directmail_relay.policy.quota import Limits
from tests.accounts.registering import GRACE, add_shop, refused, write
from tests.conftest import START

SHOP = DeclaredAccount(
    name="shop",
    status=Status.NORMAL,
    limits=Limits(daily=100),
    ip_protection=True,
    entries=("198.51.100.0/24", "127.0.0.1"),
    domains=(DeclaredDomain("example.com", trusted=True, password_hash="$domain"),),
    addresses=(DeclaredAddress("notice@example.com", Kind.TRIGGER, "$one"),),
)
BLOG = DeclaredAccount("blog", Status.NORMAL, Limits(), ip_protection=False, entries=(), domains=(), addresses=())


def sync(database: Database, *declared: DeclaredAccount) -> bool:
    return database.write_now(sync_declared, Change("config", START), declared)


def domain_rows(database: Database) -> list[tuple[Any, ...]]:
    wanted = select(domains.c.name, domains.c.account, domains.c.main_domain, domains.c.trusted, domains.c.declared)
    return [tuple(row) for row in database.read_now(lambda connection: connection.execute(wanted).all())]


def test_what_is_declared_is_in_the_tables_and_says_so(database: Database) -> None:
    assert sync(database, SHOP)
    account = database.read_now(show_account, "shop")
    assert (account["daily_quota"], account["ip_protection"], account["declared"]) == (100, True, True)
    address = database.read_now(show_address, "notice@example.com")
    assert (address["account"], address["type"], address["has_password"], address["declared"]) == (
        "shop",
        "trigger",
        True,
        True,
    )
    assert domain_rows(database) == [("example.com", "shop", "example.com", True, True)]
    assert [one["entry"] for one in database.read_now(list_entries, "shop")] == ["127.0.0.1", "198.51.100.0/24"]
    assert database.read_now(read_declared_hashes) == {"example.com": "$domain", "notice@example.com": "$one"}


def test_what_is_the_same_is_no_change(database: Database) -> None:
    sync(database, SHOP, BLOG)
    version, log = database.read_now(read_version), database.read_now(list_audit)
    tokens = select(domains.c.token)
    before = database.read_now(lambda connection: connection.execute(tokens).all())
    assert not sync(database, BLOG, SHOP)
    assert database.read_now(read_version) == version
    assert database.read_now(list_audit) == log
    assert database.read_now(lambda connection: connection.execute(tokens).all()) == before


def test_the_audit_log_names_what_changed_and_no_hash(database: Database) -> None:
    sync(database, SHOP)
    sync(database, replace(SHOP, limits=Limits(), entries=("127.0.0.1",), addresses=()))
    last, first = database.read_now(list_audit)
    assert (first["who"], first["what"], first["object"]) == ("config", "account.declare", "shop")
    assert first["detail"] == {
        "added": ["account"],
        "domains_added": ["example.com"],
        "addresses_added": ["notice@example.com"],
        "ip_added": ["127.0.0.1", "198.51.100.0/24"],
    }
    assert last["detail"] == {
        "changed": ["account"],
        "addresses_removed": ["notice@example.com"],
        "ip_removed": ["198.51.100.0/24"],
    }


def test_every_declared_value_follows_the_file(database: Database) -> None:
    sync(database, SHOP)
    changed = DeclaredAccount(
        name="shop",
        status=Status.OVERDUE,
        limits=Limits(monthly=5, total=6),
        ip_protection=False,
        entries=(),
        domains=(DeclaredDomain("example.com", trusted=False),),
        addresses=(DeclaredAddress("notice@example.com", Kind.BATCH, "$two"),),
    )
    assert sync(database, changed)
    account = database.read_now(show_account, "shop")
    assert (account["status"], account["daily_quota"], account["monthly_quota"], account["total_quota"]) == (
        "overdue",
        None,
        5,
        6,
    )
    assert database.read_now(show_address, "notice@example.com")["type"] == "batch"
    assert domain_rows(database) == [("example.com", "shop", "example.com", False, True)]
    assert database.read_now(read_declared_hashes) == {"notice@example.com": "$two"}
    assert not sync(database, changed)


def test_an_account_that_is_declared_no_more_is_deleted_and_may_come_back(database: Database) -> None:
    sync(database, SHOP, BLOG)
    assert sync(database, BLOG)
    assert [one["name"] for one in database.read_now(list_accounts)] == ["blog"]
    assert database.read_now(show_account, "shop")["status"] == "deleted"
    assert database.read_now(list_addresses) == []
    assert domain_rows(database) == []
    assert not sync(database, BLOG)
    assert sync(database, SHOP, BLOG)
    assert database.read_now(show_account, "shop")["status"] == "normal"
    assert database.read_now(show_account, "shop")["ip_protection"]
    assert len(database.read_now(list_addresses)) == 1


def test_things_move_from_one_account_to_another(database: Database) -> None:
    sync(database, SHOP)
    store = replace(SHOP, name="store")
    assert sync(database, store)
    assert database.read_now(show_address, "notice@example.com")["account"] == "store"
    assert domain_rows(database)[0][1] == "store"
    assert not sync(database, store)


def test_what_is_registered_below_a_declared_account_stays_and_waits_for_it(database: Database) -> None:
    sync(database, SHOP)
    write(database, add_address, NewAddress("more@example.com", Kind.BATCH), grace=GRACE)
    write(database, add_tag, "shop", "spring")
    assert not sync(database, SHOP)
    sync(database, BLOG)
    assert [one["address"] for one in database.read_now(list_addresses)] == ["more@example.com"]
    sync(database, SHOP)
    assert [one["address"] for one in database.read_now(list_addresses, "shop")] == [
        "more@example.com",
        "notice@example.com",
    ]


def test_the_name_of_a_deleted_registered_account_may_be_declared(database: Database) -> None:
    add_shop(database)
    write(database, delete_account, "shop")
    assert sync(database, SHOP)
    assert database.read_now(show_account, "shop")["declared"]
    assert not sync(database, SHOP)


def test_the_name_of_an_account_that_is_declared_no_more_may_be_registered(database: Database) -> None:
    sync(database, SHOP)
    sync(database)
    assert not write(database, add_account, "shop")["declared"]
    assert not sync(database)
    with pytest.raises(ClashError):
        sync(database, SHOP)


@pytest.mark.parametrize(
    ("declared", "says"),
    [
        (SHOP, "the account shop is declared in the configuration and registered in the database"),
        (replace(SHOP, name="store"), "the domain example.com is declared"),
        (replace(SHOP, name="store", domains=()), "the address notice@example.com is declared"),
    ],
)
def test_what_is_registered_cannot_be_declared_and_nothing_of_the_file_is_taken(
    database: Database, declared: DeclaredAccount, says: str
) -> None:
    add_shop(database)
    version = database.read_now(read_version)
    with pytest.raises(ClashError, match=says) as caught:
        sync(database, BLOG, declared)
    assert "delete" in str(caught.value)
    assert [one["name"] for one in database.read_now(list_accounts)] == ["shop"]
    assert database.read_now(read_version) == version


def test_what_is_declared_cannot_be_changed_or_taken_by_anybody_else(database: Database) -> None:
    sync(database, SHOP)
    for act, args in (
        (set_account, ("shop",)),
        (delete_account, ("shop",)),
        (add_entry, ("shop", "198.51.100.1")),
        (turn_off, ("shop",)),
        (set_address_password, ("notice@example.com", "$two")),
        (set_domain_password, ("example.com", "$two")),
        (freeze_address, ("notice@example.com",)),
        (delete_address, ("notice@example.com",)),
    ):
        with refused("declared") as caught:
            write(database, act, *args)
        assert "change it there and reload" in str(caught.value)
    with refused("account_exists"):
        write(database, add_account, "shop")
    with refused("address_exists"):
        write(database, add_address, NewAddress("notice@example.com", Kind.TRIGGER), grace=GRACE)


def test_a_reply_mailbox_is_nothing_that_a_file_declares_so_it_may_be_set(database: Database) -> None:
    sync(database, SHOP)
    write(database, set_reply_to, "notice@example.com", "me@example.net")
    assert not sync(database, SHOP)
    assert database.read_now(show_address, "notice@example.com")["reply_to"] == "me@example.net"
