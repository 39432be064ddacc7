"""What the file declares under `accounts:`, as a directory of accounts, senders and domains.

Hashing takes its time by intent, so it is done once, in the parent; the workers get the hashes and never a password.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

from directmail_relay.accounts.directory import Account, Directory, Sender, SendingDomain
from directmail_relay.accounts.passwords import Passwords, hash_password
from directmail_relay.config import Account as DeclaredAccount
from directmail_relay.config import Config, Credential
from directmail_relay.content.signing_keys import SigningKey
from directmail_relay.mail.message import Kind
from directmail_relay.policy.allowlist import Allowlist
from directmail_relay.policy.quota import Limits

Hashes = Mapping[str, str]
"""login → argon2id hash."""


def hash_passwords(config: Config, known: Hashes | None = None) -> dict[str, str]:
    """The hash of every declared login. One in `known` is kept while it fits, so that verified logins stay verified."""
    passwords = Passwords()

    def hash_one(item: tuple[str, Credential]) -> tuple[str, str]:
        login, credential = item
        if credential.password_hash is not None:
            return login, credential.password_hash.get_secret_value()
        plain = credential.plain_password
        if plain is None:
            raise ValueError(f"{login} has no password")  # the configuration was checked for that
        old = (known or {}).get(login)
        if old is not None and passwords.verify(old, plain.get_secret_value().encode()):
            return login, old
        return login, hash_password(plain.get_secret_value())

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return dict(pool.map(hash_one, _credentials(config)))


def without_passwords(config: Config, hashes: Hashes) -> Config:
    """The configuration with each password replaced by its hash, for the workers."""
    accounts = tuple(
        account.model_copy(
            update={
                "domains": tuple(
                    one.with_hash(hashes[one.name]) if one.has_password else one for one in account.domains
                ),
                "addresses": tuple(one.with_hash(hashes[str(one.address)]) for one in account.addresses),
            }
        )
        for account in config.accounts
    )
    return config.model_copy(update={"accounts": accounts})


def build_directory(config: Config, hashes: Hashes) -> Directory:
    """The directory of what is declared. Reads the DKIM keys; ValueError when one has gone bad since the check."""
    return Directory(
        accounts=[_account(one) for one in config.accounts],
        senders=[sender for one in config.accounts for sender in _senders(one, hashes)],
        domains=[domain for one in config.accounts for domain in _domains(one)],
    )


def _credentials(config: Config) -> Iterator[tuple[str, Credential]]:
    for account in config.accounts:
        for domain in account.domains:
            if domain.has_password:
                yield domain.name, domain
        for address in account.addresses:
            yield str(address.address), address


def _account(declared: DeclaredAccount) -> Account:
    protection = declared.ip_protection
    return Account(
        name=declared.name,
        status=declared.status,
        limits=Limits(declared.daily_quota, declared.monthly_quota, declared.total_quota),
        allowlist=Allowlist(protection.enabled, protection.entries),
    )


def _senders(declared: DeclaredAccount, hashes: Hashes) -> Iterator[Sender]:
    for domain in declared.domains:
        if domain.has_password:
            yield Sender(domain.name, declared.name, hashes[domain.name], Kind.TRIGGER, is_domain=True)
    for one in declared.addresses:
        login = str(one.address)
        yield Sender(login, declared.name, hashes[login], one.type)


def _domains(declared: DeclaredAccount) -> Iterator[SendingDomain]:
    for domain in declared.domains:
        keys = () if domain.dkim is None else (SigningKey(domain.name, domain.dkim.selector, domain.dkim.load_key()),)
        yield SendingDomain(domain.name, declared.name, keys)
