"""Who exists: accounts, their sending domains and the logins that may send, as one immutable picture.

A change (a reload, a registration) makes a new `Directory` and swaps it into the `DirectoryHolder` in one step, so
nobody ever sees half of it. Open sessions keep the login's text and look it up again at each MAIL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from directmail_relay.content.signing_keys import SigningKey
from directmail_relay.mail.address import Address
from directmail_relay.mail.message import Kind, Status
from directmail_relay.policy.admission import SenderFacts, normalize_login
from directmail_relay.policy.allowlist import Allowlist
from directmail_relay.policy.quota import Limits

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Account:
    """Whose mail it is: everything is owned, counted and limited by account. `name` is case-sensitive."""

    name: str
    status: Status = Status.NORMAL
    limits: Limits = field(default_factory=Limits)
    allowlist: Allowlist = field(default_factory=Allowlist)


@dataclass(frozen=True, slots=True)
class Sender:
    """A login: a sending address, or a whole domain (`is_domain`: the guide's domain password).

    `account` is the account's name. Mail handed in under this login is of `kind`. A `Directory` keeps the login
    in its one form (`normalize_login`), however it was written.
    """

    login: str
    account: str
    password_hash: str = field(repr=False)
    kind: Kind = Kind.TRIGGER
    is_domain: bool = False


@dataclass(frozen=True, slots=True)
class SendingDomain:
    """A domain that an account sends from. `name` is lower-case A-labels; `dkim` may be empty: not signed.

    Not `usable`: it was never verified, or its records have been wrong for longer than the grace period.
    """

    name: str
    account: str
    dkim: tuple[SigningKey, ...] = ()
    usable: bool = True


class Directory:
    """Look-ups by name over what is given. Never changes; ValueError when the parts contradict each other.

    `frozen` are addresses, in the form of logins, that nobody may send from: logins or not.
    """

    __slots__ = ("_accounts", "_domains", "_frozen", "_senders", "_tags")

    def __init__(
        self,
        accounts: Iterable[Account] = (),
        senders: Iterable[Sender] = (),
        domains: Iterable[SendingDomain] = (),
        frozen: Iterable[str] = (),
        tags: Iterable[tuple[str, str]] = (),
    ) -> None:
        by_account: dict[str, set[str]] = {}
        for account, tag in tags:
            by_account.setdefault(account, set()).add(tag)
        self._tags = {account: frozenset(names) for account, names in by_account.items()}
        self._accounts = _index(accounts, lambda account: account.name, "account")
        self._frozen = frozenset(frozen)
        named = (replace(sender, login=normalize_login(sender.login)) for sender in senders)
        self._senders = _index(named, lambda sender: sender.login, "login")
        self._domains = _index(domains, lambda domain: domain.name, "domain")
        for index in (self._senders, self._domains):
            for name, owned in index.items():
                if owned.account not in self._accounts:
                    raise ValueError(f"{name} belongs to the account {owned.account}, which does not exist")

    def tags(self, account: str) -> frozenset[str]:
        """The tags that the account has registered."""
        return self._tags.get(account, frozenset())

    def find_account(self, name: str) -> Account | None:
        return self._accounts.get(name)

    def account_of(self, sender: Sender) -> Account:
        """The account of a sender that was found here; it exists, for the constructor saw to it."""
        return self._accounts[sender.account]

    def find_login(self, login: str) -> Sender | None:
        """The sender behind a login as a client typed it: letter case is ignored, U-labels are A-labels."""
        return self._senders.get(normalize_login(login))

    def find_domain(self, domain: str) -> SendingDomain | None:
        """The entry for this domain (lower-case A-labels) or else for the nearest domain above it."""
        while domain:
            found = self._domains.get(domain)
            if found is not None:
                return found
            domain = domain.partition(".")[2]
        return None

    def dkim_keys(self, domain: str, account: str) -> tuple[SigningKey, ...]:
        """The account's keys for an author at `domain`; each names the domain it signs as, which may be above."""
        found = self.find_domain(domain)
        return () if found is None or found.account != account else found.dkim

    def sender_facts(self, login: str, mail_from: Address | None = None) -> SenderFacts | None:
        """What admission asks for at each MAIL; None when the login no longer exists.

        A whole domain that logged in is frozen for those of its addresses that are.
        """
        sender = self.find_login(login)
        if sender is None:
            return None
        account = self.account_of(sender)
        domain = self.find_domain(sender.login.rpartition("@")[2])
        return SenderFacts(
            sender.login,
            sender.is_domain,
            account.status,
            account.allowlist,
            frozen=self._is_frozen(sender, mail_from),
            # A domain that has gone to another account takes its addresses with it.
            domain_usable=domain is None or (domain.usable and domain.account == sender.account),
        )

    def _is_frozen(self, sender: Sender, mail_from: Address | None) -> bool:
        if not sender.is_domain:
            return sender.login in self._frozen
        # Of its own domain alone: what is frozen elsewhere is nobody's business here.
        own = mail_from is not None and mail_from.domain == sender.login
        return own and normalize_login(str(mail_from)) in self._frozen


class DirectoryHolder:
    """The one changeable place: `current` is what holds now. Read it once for each decision."""

    __slots__ = ("_current",)

    def __init__(self, directory: Directory) -> None:
        self._current = directory

    @property
    def current(self) -> Directory:
        return self._current

    def replace(self, directory: Directory) -> None:
        """From the next look-up on, this is what exists. One assignment: no reader sees a mixture."""
        self._current = directory


def _index(items: Iterable[_Item], key: Callable[[_Item], str], what: str) -> dict[str, _Item]:
    index: dict[str, _Item] = {}
    for item in items:
        name = key(item)
        if name in index:
            raise ValueError(f"the {what} {name} is given twice")
        index[name] = item
    return index
