"""What the file declares, put into the tables: hashed once, kept while it fits, and no password goes any further."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import rsa

from directmail_relay.accounts.directory import Directory
from directmail_relay.accounts.passwords import Passwords, hash_password
from directmail_relay.accounts.registered import read_picture
from directmail_relay.app.declared import declare, read_declared_keys, without_passwords
from directmail_relay.config import Config, load_config
from directmail_relay.content.signing_keys import render_private_key
from directmail_relay.database.engine import Database
from directmail_relay.mail.message import Kind, Status
from directmail_relay.policy.quota import Limits
from tests.conftest import START
from tests.fakes.relay_process import make_config

PASSWORD = "correct-horse-battery"


def declared(folder: Path, *accounts: dict[str, Any]) -> Config:
    file = folder / "config.yaml"
    config = make_config()
    config["accounts"] = list(accounts)
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    return load_config(file)


def shop(**address: Any) -> dict[str, Any]:
    return {"name": "shop", "addresses": [{"address": "News@shop.test", **address}]}


def directory(database: Database) -> Directory:
    return database.read_now(read_picture, START, grace=0.0, declared_keys={}).directory


def password_hash(database: Database) -> str:
    sender = directory(database).find_login("news@shop.test")
    assert sender is not None
    return sender.password_hash


def test_accounts_logins_and_domains_are_found(database: Database, tmp_path: Path) -> None:
    config = declared(
        tmp_path,
        {
            "name": "shop",
            "status": "restricted",
            "daily_quota": 5,
            "monthly_quota": 6,
            "total_quota": 7,
            "ip_protection": {"enabled": True, "allow": ["192.0.2.1"]},
            "domains": [{"name": "Shop.test", "password": "of the domain"}, {"name": "plain.test"}],
            "addresses": [{"address": "News@shop.test", "type": "batch", "password": "x"}],
        },
    )
    assert declare(database, config)
    found = directory(database)
    account = found.find_account("shop")
    assert account is not None
    assert (account.status, account.limits) == (Status.RESTRICTED, Limits(5, 6, 7))
    assert account.allowlist.allows("192.0.2.1")
    assert not account.allowlist.allows("192.0.2.2")
    news, domain = found.find_login("news@SHOP.test"), found.find_login("shop.test")
    assert news is not None
    assert domain is not None
    assert (news.kind, news.is_domain) == (Kind.BATCH, False)
    assert (domain.kind, domain.is_domain) == (Kind.TRIGGER, True)
    assert Passwords().verify(domain.password_hash, b"of the domain")
    assert found.find_login("plain.test") is None
    assert not declare(database, config)


def test_a_hash_is_kept_while_it_fits_so_that_verified_logins_stay_so(database: Database, tmp_path: Path) -> None:
    declare(database, declared(tmp_path, shop(password=PASSWORD)))
    first = password_hash(database)
    assert not declare(database, declared(tmp_path, shop(password=PASSWORD)))
    assert password_hash(database) == first
    assert declare(database, declared(tmp_path, shop(password="another")))
    assert Passwords().verify(password_hash(database), b"another")


def test_a_declared_hash_is_taken_as_it_is(database: Database, tmp_path: Path) -> None:
    given = hash_password(PASSWORD)
    declare(database, declared(tmp_path, shop(password_hash=given)))
    assert password_hash(database) == given


def test_nothing_declared_is_nothing_to_do(database: Database, tmp_path: Path) -> None:
    assert not declare(database, declared(tmp_path))


@pytest.mark.parametrize("way", ["password", "password_file", "password_hash"])
def test_what_travels_to_the_workers_holds_neither_password_nor_hash(tmp_path: Path, way: str) -> None:
    secret = hash_password(PASSWORD) if way == "password_hash" else PASSWORD
    (tmp_path / "secret").write_text(secret)
    config = declared(tmp_path, shop(**{way: "secret" if way == "password_file" else secret}))
    assert secret.encode() in pickle.dumps(config)
    assert secret.encode() not in pickle.dumps(without_passwords(config))


def test_the_keys_stay_in_their_files(tmp_path: Path, rsa_key: rsa.RSAPrivateKey) -> None:
    (tmp_path / "dkim.pem").write_bytes(render_private_key(rsa_key))
    dkim = {"selector": "s1", "key_file": "dkim.pem"}
    domains = [{"name": "shop.test", "dkim": dkim}, {"name": "plain.test"}]
    config = declared(tmp_path, {"name": "shop", "domains": domains})
    [key] = read_declared_keys(config)["shop.test"]
    assert (key.domain, key.selector) == ("shop.test", "s1")
    assert list(read_declared_keys(config)) == ["shop.test"]
    (tmp_path / "dkim.pem").write_text("no key")
    with pytest.raises(ValueError, match=r"dkim\.pem"):
        read_declared_keys(config)
