"""What the file declares, as the directory that the doors ask."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from directmail_relay.accounts.passwords import Passwords
from directmail_relay.app.declared import build_directory, hash_passwords
from directmail_relay.config import Config, load_config
from directmail_relay.mail.message import Kind, Status
from directmail_relay.policy.quota import Limits
from tests.fakes.relay_process import make_config


def declared(tmp_path: Path, *accounts: dict[str, Any]) -> Config:
    file = tmp_path / "config.yaml"
    config = make_config()
    config["accounts"] = list(accounts)
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    return load_config(file)


def test_accounts_logins_and_domains_are_found(tmp_path: Path) -> None:
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
    hashes = hash_passwords(config)
    directory = build_directory(config, hashes)

    account = directory.find_account("shop")
    assert account is not None
    assert (account.status, account.limits) == (Status.RESTRICTED, Limits(5, 6, 7))
    assert account.allowlist.enabled
    news, domain = directory.find_login("news@SHOP.test"), directory.find_login("shop.test")
    assert news is not None
    assert domain is not None
    assert (news.kind, news.is_domain) == (Kind.BATCH, False)
    assert (domain.kind, domain.is_domain) == (Kind.TRIGGER, True)
    assert Passwords().verify(domain.password_hash, b"of the domain")
    assert directory.find_login("plain.test") is None
    assert directory.dkim_keys("shop.test") == ()


def test_nothing_declared_is_an_empty_directory(tmp_path: Path) -> None:
    config = declared(tmp_path)
    assert hash_passwords(config) == {}
    assert build_directory(config, {}).find_login("a@b.test") is None
