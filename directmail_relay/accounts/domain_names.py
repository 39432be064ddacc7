"""Names of sending domains: which are allowed, and to which main domain they belong (新建域名).

The public suffix list comes with its library and is read from there: nothing is ever fetched.
"""

from __future__ import annotations

import functools
import secrets

from publicsuffixlist import PublicSuffixList

from directmail_relay.accounts.changes import RefusedError
from directmail_relay.mail.address import parse_domain

MAX_NAME = 50  # CreateDomain: 1 to 50 characters of [A-Za-z0-9.-]
TOKEN_OCTETS = 10  # the guide's example has 20 hexadecimal digits


def new_token() -> str:
    """What the ownership record of one domain must say; nobody can guess it."""
    return secrets.token_hex(TOKEN_OCTETS)


def parse_sending_domain(text: str) -> str:
    """A name as people write it → lower-case A-labels. RefusedError `bad_name` when nobody could register it."""
    try:
        name = parse_domain(text.strip().removesuffix("."))
    except ValueError as error:
        raise RefusedError(
            "bad_name", f"{text!r} cannot be a sending domain ({error}): give one like mail.example.com"
        ) from None
    if len(name) > MAX_NAME:
        raise RefusedError("bad_name", f"{name} is longer than {MAX_NAME} characters: choose a shorter subdomain")
    if _suffixes().privatesuffix(name) is None:
        raise RefusedError("bad_name", f"{name} is a public suffix, which nobody owns: give a domain below it")
    return name


def main_domain_of(name: str) -> str:
    """The registrable domain (主域名) of a name in A-labels: `example.co.uk` of `a.b.example.co.uk`.

    Itself when the name is a public suffix, which may happen to declared ones only.
    """
    return _suffixes().privatesuffix(name) or name


@functools.cache
def _suffixes() -> PublicSuffixList:
    # 70 ms, so not before somebody needs it. Unknown top domains count as suffixes: `shop.internal` has an owner.
    return PublicSuffixList()
