"""What the file declares under `accounts:`, put into the tables; and the signing keys, which stay in their files.

Hashing takes its time by intent, so it is done once, in the parent; workers get neither passwords nor hashes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

from directmail_relay.accounts.changes import Change
from directmail_relay.accounts.declared import (
    DeclaredAccount,
    DeclaredAddress,
    DeclaredDomain,
    read_declared_hashes,
    sync_declared,
)
from directmail_relay.accounts.passwords import Passwords, hash_password
from directmail_relay.accounts.registered import Keys
from directmail_relay.config import Account, Config, Credential
from directmail_relay.content.signing_keys import SigningKey
from directmail_relay.database.engine import Database
from directmail_relay.policy.admission import normalize_login
from directmail_relay.policy.quota import Limits

Hashes = Mapping[str, str]
"""Login → argon2id hash."""

WHO = "config"


def declare(database: Database, config: Config) -> bool:
    """Brings the tables to what the file says; whether anything changed. Raises ClashError and what databases raise."""
    hashes = hash_passwords(config, database.read_now(read_declared_hashes))
    declared = [_account(one, hashes) for one in config.accounts]
    return database.write_now(sync_declared, Change(WHO, time.time()), declared)


def hash_passwords(config: Config, known: Hashes) -> dict[str, str]:
    """The hash of every declared login. One in `known` is kept while it fits, so that verified logins stay verified."""
    passwords = Passwords()

    def hash_one(item: tuple[str, Credential]) -> tuple[str, str]:
        login, credential = item
        if credential.password_hash is not None:
            return login, credential.password_hash.get_secret_value()
        plain = credential.plain_password
        if plain is None:
            raise ValueError(f"{login} has no password")  # the configuration was checked for that
        old = known.get(login)
        if old is not None and passwords.verify(old, plain.get_secret_value().encode()):
            return login, old
        return login, hash_password(plain.get_secret_value())

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return dict(pool.map(hash_one, _credentials(config)))


def without_passwords(config: Config) -> Config:
    """The configuration for the workers, which read the hashes from the database."""
    accounts = tuple(
        account.model_copy(
            update={
                "domains": tuple(one.without_password() for one in account.domains),
                "addresses": tuple(one.without_password() for one in account.addresses),
            }
        )
        for account in config.accounts
    )
    return config.model_copy(update={"accounts": accounts})


def read_declared_keys(config: Config) -> Keys:
    """The declared key of each domain that has one, read anew; ValueError when a file has gone bad since the check."""
    return {
        domain.name: (SigningKey(domain.name, domain.dkim.selector, domain.dkim.load_key()),)
        for account in config.accounts
        for domain in account.domains
        if domain.dkim is not None
    }


def _credentials(config: Config) -> Iterator[tuple[str, Credential]]:
    for account in config.accounts:
        for domain in account.domains:
            if domain.has_password:
                yield domain.name, domain
        for address in account.addresses:
            yield normalize_login(str(address.address)), address


def _account(declared: Account, hashes: Hashes) -> DeclaredAccount:
    protection = declared.ip_protection
    logins = ((normalize_login(str(one.address)), one.type) for one in declared.addresses)
    return DeclaredAccount(
        name=declared.name,
        status=declared.status,
        limits=Limits(declared.daily_quota, declared.monthly_quota, declared.total_quota),
        ip_protection=protection.enabled,
        entries=tuple(dict.fromkeys(str(entry) for entry in protection.entries)),
        domains=tuple(DeclaredDomain(one.name, one.verified, hashes.get(one.name)) for one in declared.domains),
        addresses=tuple(DeclaredAddress(login, kind, hashes[login]) for login, kind in logins),
    )
