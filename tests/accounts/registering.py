"""What the tests of what is registered begin with: changes at a known time, accounts, domains that may send."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, update

from directmail_relay.accounts.accounts import add_account
from directmail_relay.accounts.addresses import NewAddress, add_address
from directmail_relay.accounts.changes import Change, RefusedError
from directmail_relay.accounts.domains import NewKey, add_domain
from directmail_relay.database.accounts_schema import domains
from directmail_relay.database.clock import to_ms
from directmail_relay.database.engine import Database
from directmail_relay.mail.message import Kind
from tests.conftest import START

GRACE = 3 * 86_400.0
CHANGE = Change("cli:tester", START)
# Reading it back takes the secret key, which these tests do not have.
NO_KEY = NewKey("not a key", "s")


def write(database: Database, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """A change, at the beginning of time."""
    return database.write_now(fn, CHANGE, *args, **kwargs)


def set_domain(database: Database, name: str, **values: Any) -> None:
    """Columns of the row as a check of the DNS would leave them."""

    def change(connection: Connection) -> None:
        connection.execute(update(domains).where(domains.c.name == name).values(**values))

    database.write_now(change)


def add_verified_domain(database: Database, name: str, account: str) -> None:
    write(database, add_domain, name, account, NO_KEY)
    set_domain(database, name, verified_at=to_ms(START), found="ownership,spf,mx,cname,dkim,dmarc")


def add_shop(database: Database) -> None:
    """The account shop with the domain example.com and the address notice@example.com, which has a password."""
    write(database, add_account, "shop")
    add_verified_domain(database, "example.com", "shop")
    new = NewAddress("notice@example.com", Kind.TRIGGER, "$argon2id$one")
    write(database, add_address, new, grace=GRACE)


@contextmanager
def refused(code: str) -> Iterator[pytest.ExceptionInfo[RefusedError]]:
    """The body must be refused with this code, in one sentence."""
    with pytest.raises(RefusedError) as caught:
        yield caught
    assert caught.value.code == code
    sentence = str(caught.value)
    assert sentence
    assert "\n" not in sentence
