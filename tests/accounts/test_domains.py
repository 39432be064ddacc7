from __future__ import annotations

import re
import threading
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from sqlalchemy import select, update

from directmail_relay.accounts.accounts import add_account
from directmail_relay.accounts.changes import Change, RefusedError, list_audit
from directmail_relay.accounts.domains import (
    NewKey,
    add_domain,
    count_statuses,
    delete_domain,
    list_domains,
    show_domain,
)
from directmail_relay.accounts.secret_key import Cipher
from directmail_relay.content.signing_keys import render_private_key
from directmail_relay.database.accounts_schema import addresses, dkim_keys, domains
from directmail_relay.database.engine import Database
from tests.conftest import START

CIPHER = Cipher(b"k" * 32)
CHANGE = Change("cli:anna", START)
Add = Callable[..., dict[str, object]]


@pytest.fixture
def add(database: Database, rsa_key: rsa.RSAPrivateKey) -> Add:
    """Registers a domain; there are the accounts shop and other."""
    for account in ("shop", "other"):
        database.write_now(add_account, CHANGE, account)
    key = NewKey(CIPHER.encrypt(render_private_key(rsa_key)), "s")

    def register(name: str, account: str = "shop") -> dict[str, object]:
        return database.write_now(add_domain, CHANGE, name, account, key)

    return register


def code_of(act: Callable[[], object]) -> str:
    with pytest.raises(RefusedError) as caught:
        act()
    return caught.value.code


def test_a_new_domain_is_unverified_and_has_a_token_and_a_key(database: Database, add: Add) -> None:
    added = add("Notice.Example.com")
    assert added == database.read_now(show_domain, "NOTICE.example.com.")
    expected = {"name": "notice.example.com", "account": "shop", "status": "unverified", "main_domain": "example.com"}
    assert expected.items() <= added.items()
    assert added["missing"] == ["ownership", "spf", "mx", "cname", "dkim", "dmarc"]
    assert [(key["selector"], key["state"]) for key in added["dkim"]] == [("s20261118", "waiting")]  # type: ignore[attr-defined]  # a list of documents
    token = database.read_now(lambda connection: connection.execute(select(domains.c.token)).scalar_one())
    assert re.fullmatch(r"[0-9a-f]{20}", token)


@pytest.mark.parametrize("name", ["abc.test", "xxx.abc.test", "yyy.abc.test", "bbb.aaa.yyy.abc.test"])
def test_a_main_domain_and_all_below_it_belong_to_one_account(add: Add, name: str) -> None:
    add("xxx.abc.test")
    assert code_of(lambda: add(name, "other")) == "domain_conflict"


def test_the_refusal_does_not_tell_whose_the_domain_is(add: Add) -> None:
    add("abc.test")
    with pytest.raises(RefusedError) as caught:
        add("abc.test", "other")
    assert "shop" not in str(caught.value)


def test_an_account_may_have_several_domains_below_one(database: Database, add: Add) -> None:
    for name in ("b.abc.test", "abc.test", "a.abc.test"):
        add(name)
    assert [one["name"] for one in database.read_now(list_domains)] == ["a.abc.test", "abc.test", "b.abc.test"]
    assert code_of(lambda: add("ABC.test")) == "domain_exists"


def test_domains_below_a_public_suffix_are_strangers_to_each_other(add: Add) -> None:
    add("one.co.uk")
    assert add("two.co.uk", "other")["account"] == "other"
    assert code_of(lambda: add("co.uk")) == "bad_name"


def test_only_an_account_that_exists_has_domains(add: Add) -> None:
    assert code_of(lambda: add("abc.test", "nobody")) == "account_not_found"


def test_an_account_does_not_see_what_another_has(database: Database, add: Add) -> None:
    add("abc.test")
    assert database.read_now(list_domains, "other") == []
    assert code_of(lambda: database.read_now(show_domain, "abc.test", "other")) == "domain_not_found"
    assert code_of(lambda: database.write_now(delete_domain, CHANGE, "abc.test", "other")) == "domain_not_found"
    assert database.read_now(show_domain, "abc.test", "shop")["name"] == "abc.test"


def test_a_deleted_domain_takes_its_keys_along_and_may_go_to_another_account(database: Database, add: Add) -> None:
    add("abc.test")
    database.write_now(delete_domain, CHANGE, "ABC.test")
    assert database.read_now(lambda connection: connection.execute(select(dkim_keys)).all()) == []
    assert add("abc.test", "other")["account"] == "other"


def test_a_domain_with_addresses_stays(database: Database, add: Add) -> None:
    add("abc.test")
    row = {"address": "a@abc.test", "account": "shop", "domain": "abc.test", "kind": "trigger"}
    flags = {"frozen": False, "reply_to_verified": False, "declared": False, "created_at": 0}
    database.write_now(lambda connection: connection.execute(addresses.insert().values(**row, **flags)))
    assert code_of(lambda: database.write_now(delete_domain, CHANGE, "abc.test")) == "in_use"


def test_a_declared_domain_is_not_deleted_here(database: Database, add: Add) -> None:
    add("abc.test")
    database.write_now(lambda connection: connection.execute(update(domains).values(declared=True)))
    assert code_of(lambda: database.write_now(delete_domain, CHANGE, "abc.test")) == "declared"


def test_every_change_is_in_the_audit_log_and_no_secret_is(database: Database, add: Add) -> None:
    add("abc.test")
    database.write_now(delete_domain, CHANGE, "abc.test")
    log = database.read_now(list_audit)
    assert [(one["what"], one["object"], one["account"], one["who"]) for one in log[:2]] == [
        ("domain.delete", "abc.test", "shop", "cli:anna"),
        ("domain.add", "abc.test", "shop", "cli:anna"),
    ]
    assert log[1]["detail"] == {"selector": "s20261118"}


def test_the_statuses_are_counted(database: Database, add: Add) -> None:
    for name in ("a.test", "b.test", "c.test"):
        add(name)
    trust = update(domains).where(domains.c.name == "a.test").values(trusted=True)
    database.write_now(lambda connection: connection.execute(trust))
    assert database.read_now(count_statuses) == {"verified": 1, "unverified": 2}


def test_two_accounts_at_once_cannot_both_get_a_part_of_a_main_domain(database: Database, add: Add) -> None:
    start = threading.Barrier(2)
    outcomes: list[str] = []

    def take(name: str, account: str) -> None:
        start.wait()
        try:
            add(name, account)
        except RefusedError as refusal:
            outcomes.append(refusal.code)
        else:
            outcomes.append("added")

    threads = [threading.Thread(target=take, args=one) for one in (("a.abc.test", "shop"), ("b.abc.test", "other"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["added", "domain_conflict"]


@pytest.mark.parametrize("name", ["example.com", "news.example.com"])
def test_where_another_account_has_addresses_no_domain_is_registered(database: Database, add: Add, name: str) -> None:
    """A declared address needs no domain; a stranger's unverified one must not stop its mail."""
    row = {"address": "op@news.example.com", "account": "other", "domain": "news.example.com", "kind": "trigger"}
    flags = {"frozen": False, "reply_to_verified": False, "declared": True, "created_at": 0}
    database.write_now(lambda connection: connection.execute(addresses.insert().values(**row, **flags)))
    assert code_of(lambda: add(name, "shop")) == "domain_conflict"
    assert add(name, "other")["name"] == name
