"""The `accounts:` section: what is declared in the file rather than registered by command.

Who may send what, and what becomes of accounts that are no longer declared, is decided elsewhere.
"""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, model_validator

from directmail_relay.accounts.accounts import parse_account_name
from directmail_relay.config.credential import Credential
from directmail_relay.config.fields import (
    CrossProblemsError,
    Domain,
    FilePath,
    Items,
    Quota,
    Section,
    Selector,
    one_of,
)
from directmail_relay.config.secret_files import read_signing_key
from directmail_relay.content.signing_keys import PrivateKey
from directmail_relay.mail.address import Address, parse_address
from directmail_relay.mail.message import Kind, Status
from directmail_relay.policy.allowlist import AllowEntry, parse_entry

Problems = list[tuple[tuple[str | int, ...], str]]


def _parse_mailbox(value: object) -> Address:
    if not isinstance(value, str):
        raise ValueError("must be an address, such as notice@example.com")  # noqa: TRY004 - what pydantic reports
    try:
        return parse_address(value)
    except ValueError as error:
        raise ValueError(f"{error}: give an address such as notice@example.com") from error


class Dkim(Section):
    """The record stands at `<selector>._domainkey.<domain>`; the key was readable when the file was loaded."""

    selector: Selector
    key_file: FilePath

    def load_key(self) -> PrivateKey:
        """The private key, read anew. ValueError when the file has gone bad since."""
        return read_signing_key(self.key_file)

    @model_validator(mode="after")
    def _check_key(self) -> Self:
        try:
            self.load_key()
        except ValueError as error:
            raise CrossProblemsError([(("key_file",), str(error))]) from error
        return self


class AccountDomain(Credential):
    """A domain that the account sends from. With a password the domain itself is a login for all its addresses."""

    name: Domain
    dkim: Dkim | None = None
    verified: bool = False


class AccountAddress(Credential):
    """A sender address, which is also the login."""

    address: Annotated[Address, BeforeValidator(_parse_mailbox)]
    type: Annotated[Kind, one_of(Kind)] = Kind.TRIGGER

    @model_validator(mode="after")
    def _require_password(self) -> Self:
        if not self.has_password:
            raise CrossProblemsError([(("password",), "is missing: give password, password_file or password_hash")])
        return self


class IpProtection(Section):
    """With `enabled` only the listed client addresses may send: one address, a range `a-b`, or a CIDR block."""

    enabled: bool = False
    allow: Items[str] = ()

    @property
    def entries(self) -> tuple[AllowEntry, ...]:
        return tuple(parse_entry(text) for text in self.allow)

    @model_validator(mode="after")
    def _check_entries(self) -> Self:
        problems: Problems = []
        for index, text in enumerate(self.allow):
            try:
                parse_entry(text)
            except ValueError as error:
                problems.append((("allow", index), str(error)))
        if self.enabled and not self.allow:
            problems.append((("allow",), "is empty, so nobody could send: list an address, or write enabled: false"))
        if problems:
            raise CrossProblemsError(problems)
        return self


class Account(Section):
    """Quotas count recipients; None is no limit."""

    name: Annotated[str, AfterValidator(parse_account_name)]
    daily_quota: Quota = None
    monthly_quota: Quota = None
    total_quota: Quota = None
    status: Annotated[Status, one_of(Status, without=(Status.DELETED,))] = Status.NORMAL
    ip_protection: IpProtection = IpProtection()
    domains: Items[AccountDomain] = ()
    addresses: Items[AccountAddress] = ()


def _fold(address: Address) -> str:
    """Equal for what `Address.same_mailbox` calls the same."""
    return str(address).lower() if address.is_ascii else str(address)


def _check_unique(accounts: tuple[Account, ...]) -> tuple[Account, ...]:
    """A login, a domain and a name each belong to one account."""
    places: list[tuple[str, tuple[str | int, ...]]] = []
    for i, account in enumerate(accounts):
        places.append((f"the account {account.name}", (i, "name")))
        places += [(f"the domain {one.name}", (i, "domains", j, "name")) for j, one in enumerate(account.domains)]
        places += [
            (f"the address {_fold(one.address)}", (i, "addresses", j, "address"))
            for j, one in enumerate(account.addresses)
        ]
    seen: Counter[str] = Counter()
    problems: Problems = []
    for what, place in places:
        if seen[what]:
            problems.append((place, f"{what} is declared twice: keep one of the two"))
        seen[what] += 1
    if problems:
        raise CrossProblemsError(problems)
    return accounts


Accounts = Annotated[Items[Account], AfterValidator(_check_unique)]
