"""Who a message says it is from (RFC 5322 §3.6.2), for the check that a login sends in its own name only.

Stricter than the RFC on purpose: where two readers of mail could see two different authors, the field is
refused. Never decodes encoded words, never guesses; no text makes it slow or raises anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from directmail_relay.content.headers import HeaderField, named
from directmail_relay.mail.address import Address, is_plain_domain, parse_address

_ATEXT = r"A-Za-z0-9!#$%&'*+/=?^_`{|}~\x80-\U0010ffff-"
_QUOTED = r'"(?:[^"\\]|\\.)*+"'
# Comments hold plain words only: nested ones, quotes and addresses in them are read differently by different readers.
_COMMENT = r'\((?:[^()\\<>"@])*+\)'
_CFWS = rf"(?:[ \t]++|{_COMMENT})*+"
_LOCAL = rf"(?:{_QUOTED}|[{_ATEXT}.]++)"
_ADDR_SPEC = rf"({_LOCAL}@[A-Za-z0-9.\x80-\U0010ffff-]++)"
# RFC 5322 §4.1 lets a phrase hold dots: `John Q. Public`.
_PHRASE = rf"(?:(?:{_QUOTED}|[{_ATEXT}.]++){_CFWS})*+"

_MAILBOX = re.compile(rf"{_CFWS}{_PHRASE}<[ \t]*+{_ADDR_SPEC}[ \t]*+>{_CFWS}")
_BARE = re.compile(rf"{_CFWS}{_ADDR_SPEC}{_CFWS}")
# An unclosed string goes on to the end, else each quote in it would be tried again as a beginning.
_ASIDE = re.compile(rf"{_QUOTED}?|{_COMMENT}")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")


class FromProblem(StrEnum):
    """Why no single author could be read; the value is the metric's label."""

    MISSING = "missing"
    SEVERAL_FIELDS = "several_fields"
    SEVERAL_ADDRESSES = "several_addresses"
    GROUP = "group"
    SYNTAX = "syntax"


@dataclass(frozen=True, slots=True)
class FromHeader:
    """The one author of a message, or why there is none: exactly one of the two is None."""

    address: Address | None
    problem: FromProblem | None


def header_from(fields: Iterable[HeaderField]) -> FromHeader:
    """The author, from the one From field with the one mailbox that RFC 5322 §3.6 and this relay ask for.

    `From : x` counts as a From field. Display names may hold anything, in quotes, encoded words or raw
    UTF-8; groups (RFC 6854), lists, source routes and encoded words within an address are refused.
    """
    found = list(named(fields, b"from"))
    if len(found) != 1:
        return FromHeader(None, FromProblem.SEVERAL_FIELDS if found else FromProblem.MISSING)
    try:
        return FromHeader(parse_mailbox(found[0].value), None)
    except ValueError:
        return FromHeader(None, _classify(found[0].value.decode("utf-8", "replace")))


def parse_mailbox(value: bytes) -> Address:
    """The unfolded value of a From field → its one address; ValueError for anything that is not one mailbox."""
    text = value.decode("utf-8")
    if _CONTROL.search(text):
        raise ValueError("the field has control characters")
    match = _MAILBOX.fullmatch(text) or _BARE.fullmatch(text)
    if match is None:
        raise ValueError("the field is not one mailbox")
    address = parse_address(match[1], smtputf8=True)
    if not is_plain_domain(match[1].rpartition("@")[2]):
        raise ValueError("the domain is written so that readers may see another one")
    # Some readers decode words anywhere, and would see another address (RFC 2047 §5 forbids them here).
    if "=?" in address.local:
        raise ValueError("the address holds an encoded word")
    return address


def _classify(text: str) -> FromProblem:
    plain = _ASIDE.sub("", text)
    if ":" in plain and "<" not in plain.partition(":")[0]:
        return FromProblem.GROUP
    if "," in plain or plain.count("@") > 1:
        return FromProblem.SEVERAL_ADDRESSES
    return FromProblem.SYNTAX
