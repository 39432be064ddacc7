"""What DNS says about a domain's mail hosts, as values (RFC 5321 §5.1, RFC 7505).

The four ways of having no answer are kept apart, because each means another thing for the mail: a domain that does
not exist is final, a domain without mail hosts is final, trouble on the way to an answer is tried again.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MxTarget:
    """A mail host: its name in lower case without the final dot. The lowest `preference` is tried first."""

    name: str
    preference: int


@dataclass(frozen=True, slots=True)
class Hosts:
    """Mail hosts, in no order. `implicit`: the domain has an address but no MX, and is its own host (RFC 5321 §5.1)."""

    hosts: tuple[MxTarget, ...]
    implicit: bool = False


@dataclass(frozen=True, slots=True)
class Addresses:
    """The addresses of a host, as text in canonical form."""

    ipv4: tuple[str, ...] = ()
    ipv6: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Texts:
    """TXT records; each is the concatenation of its character-strings (RFC 7208 §3.3)."""

    texts: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class NullMx:
    """The domain says that it takes no mail: `MX 0 .` (RFC 7505)."""


@dataclass(frozen=True, slots=True)
class NoSuchDomain:
    """NXDOMAIN."""


@dataclass(frozen=True, slots=True)
class NoData:
    """The name exists, but has no record of the wanted type."""


@dataclass(frozen=True, slots=True)
class Unavailable:
    """No answer could be had: SERVFAIL, a timeout, a broken reply. `why` is for the log, never for a peer."""

    why: str


MxAnswer = Hosts | NullMx | NoSuchDomain | NoData | Unavailable
AddressAnswer = Addresses | NoSuchDomain | NoData | Unavailable
TextAnswer = Texts | NoSuchDomain | NoData | Unavailable
