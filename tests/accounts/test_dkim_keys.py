from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from sqlalchemy import select

from directmail_relay.accounts.accounts import add_account
from directmail_relay.accounts.changes import Change, RefusedError, read_version
from directmail_relay.accounts.dkim_keys import (
    MARGIN_SECONDS,
    activate_key,
    active_keys,
    add_key,
    key_records,
    list_keys,
    make_private_key,
    rotate_key,
    show_keys,
)
from directmail_relay.accounts.domains import NewKey, add_domain
from directmail_relay.accounts.secret_key import Cipher, DecryptError
from directmail_relay.content.signing_keys import load_private_key, public_record, render_private_key
from directmail_relay.database.accounts_schema import dkim_keys
from directmail_relay.database.engine import Database
from tests.conftest import START

CIPHER = Cipher(b"k" * 32)
DAY = 86_400.0
LIFETIME = 3 * DAY


def at(days: float) -> Change:
    return Change("cli:anna", START + days * DAY)


@pytest.fixture
def key(rsa_key: rsa.RSAPrivateKey) -> str:
    return CIPHER.encrypt(render_private_key(rsa_key))


@pytest.fixture
def shop(database: Database, key: str) -> Database:
    """abc.test with one key that waits."""
    database.write_now(add_account, at(0), "shop")
    database.write_now(add_domain, at(0), "abc.test", "shop", NewKey(key, "s"))
    return database


def rotate(database: Database, key: str, days: float) -> str:
    return database.write_now(rotate_key, at(days), "abc.test", key, "s", LIFETIME)


def states(database: Database) -> list[tuple[str, str]]:
    return [(key["selector"], key["state"]) for key in database.read_now(show_keys, "abc.test")]


def notes(database: Database, days: float) -> list[tuple[str, str | None, bool]]:
    rows = database.read_now(list_keys, "abc.test")
    records = key_records(rows, CIPHER, START + days * DAY, LIFETIME)
    return [(one.name.partition(".")[0], one.note, one.may_go) for one in records]


def test_the_private_key_is_stored_encrypted_and_readable_with_the_secret_key_alone(shop: Database) -> None:
    stored = shop.read_now(lambda connection: connection.execute(select(dkim_keys.c.private_key)).scalar_one())
    assert "PRIVATE" not in stored
    assert b"PRIVATE" in CIPHER.decrypt(stored)
    rows = shop.read_now(list_keys, "abc.test")
    with pytest.raises(DecryptError):
        key_records(rows, Cipher(b"x" * 32), START, LIFETIME)


def test_a_made_key_is_rsa_of_2048_bits() -> None:
    made = load_private_key(CIPHER.decrypt(make_private_key(CIPHER)))
    assert isinstance(made, rsa.RSAPrivateKey)
    assert made.key_size == 2048


def test_a_key_signs_from_the_moment_its_record_is_seen(shop: Database) -> None:
    assert shop.read_now(active_keys, CIPHER) == {}
    assert shop.write_now(activate_key, at(1), "abc.test", "s20261118")
    (signing,) = shop.read_now(active_keys, CIPHER)["abc.test"]
    assert signing.record_name == "s20261118._domainkey.abc.test"
    assert not shop.write_now(activate_key, at(2), "abc.test", "s20261118")


def test_the_record_that_is_published_belongs_to_the_key(shop: Database, rsa_key: rsa.RSAPrivateKey) -> None:
    (record,) = key_records(shop.read_now(list_keys, "abc.test"), CIPHER, START, LIFETIME)
    assert record.expected == public_record(rsa_key)


def test_the_old_key_signs_until_the_new_record_is_seen(shop: Database, key: str) -> None:
    shop.write_now(activate_key, at(0), "abc.test", "s20261118")
    assert rotate(shop, key, 30) == "s20261218"
    assert states(shop) == [("s20261118", "active"), ("s20261218", "waiting")]
    assert [one.selector for one in shop.read_now(active_keys, CIPHER)["abc.test"]] == ["s20261118"]
    shop.write_now(activate_key, at(31), "abc.test", "s20261218")
    assert states(shop) == [("s20261118", "retired"), ("s20261218", "active")]
    assert [one.selector for one in shop.read_now(active_keys, CIPHER)["abc.test"]] == ["s20261218"]


def test_an_old_record_stays_until_the_last_mail_has_left(shop: Database, key: str) -> None:
    shop.write_now(activate_key, at(0), "abc.test", "s20261118")
    rotate(shop, key, 30)
    shop.write_now(activate_key, at(31), "abc.test", "s20261218")
    until = 31 + (LIFETIME + MARGIN_SECONDS) / DAY
    assert notes(shop, until - 0.01) == [
        ("s20261218", None, False),
        ("s20261118", "keep until 2026-12-23 11:06Z", False),
    ]
    assert notes(shop, until)[1] == ("s20261118", "may be removed", True)


def test_the_next_rotation_forgets_keys_whose_records_may_go(shop: Database, key: str) -> None:
    shop.write_now(activate_key, at(0), "abc.test", "s20261118")
    rotate(shop, key, 30)
    shop.write_now(activate_key, at(31), "abc.test", "s20261218")
    rotate(shop, key, 60)
    assert [selector for selector, _ in states(shop)] == ["s20261218", "s20270117"]


def test_a_key_that_waits_is_not_overtaken(shop: Database, key: str) -> None:
    with pytest.raises(RefusedError, match=r"publish s20261118\._domainkey\.abc\.test") as caught:
        rotate(shop, key, 1)
    assert caught.value.code == "pending"


def test_two_keys_of_one_day_have_two_selectors(shop: Database, key: str) -> None:
    shop.write_now(activate_key, at(0), "abc.test", "s20261118")
    assert rotate(shop, key, 0) == "s20261118b"
    assert shop.write_now(add_key, at(0), "abc.test", key, "s") == "s20261118c"


def test_a_key_that_cannot_be_read_takes_no_other_along(shop: Database, key: str) -> None:
    shop.write_now(add_domain, at(0), "def.test", "shop", NewKey(Cipher(b"x" * 32).encrypt(b"key"), "s"))
    for domain in ("abc.test", "def.test"):
        shop.write_now(activate_key, at(0), domain, "s20261118")
    assert list(shop.read_now(active_keys, CIPHER)) == ["abc.test"]


def test_a_rotation_raises_the_version(shop: Database, key: str) -> None:
    shop.write_now(activate_key, at(0), "abc.test", "s20261118")
    before = shop.read_now(read_version)
    rotate(shop, key, 1)
    assert shop.read_now(read_version) == before + 1
