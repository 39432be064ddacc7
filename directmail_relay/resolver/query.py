"""One question to the name servers, and what came of it as a value: dnspython's exceptions end in this module.

It follows CNAMEs, goes over to TCP where an answer was truncated, and asks the next server when one fails. It keeps
nothing: that is the cache's work.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

import dns.asyncresolver
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.nameserver
import dns.rdata
import dns.rdatatype
import dns.resolver

from directmail_relay.mail.mx import NoData, NoSuchDomain, Unavailable
from directmail_relay.resolver.cache import Aged

MAX_CNAMES = 8
DNS_PORT = 53


@dataclass(frozen=True, slots=True)
class Records:
    """The records of the wanted type, one at least."""

    rdatas: tuple[dns.rdata.Rdata, ...]


Answer = Records | NoSuchDomain | NoData | Unavailable


@dataclass(frozen=True, slots=True)
class Question:
    """`name` without the final dot; always looked up as a full name, never with a search list.

    Without `follow` a name that is an alias has no records of its own.
    """

    name: str
    rdtype: dns.rdatatype.RdataType
    follow: bool = True


@dataclass(frozen=True, slots=True)
class Limits:
    """How long to wait and to remember, in seconds, whatever the records say.

    `attempt` is one server's time for one reply, `question` the whole question's. A record is kept from `least` to
    `most`, the news that there is none from `least` to `most_negative` (a new MX record should be seen soon), a
    failure to find out for `failure` (RFC 2308 §7). With `most`, `most_negative` and `failure` 0 nothing is kept.
    """

    attempt: float = 2.0
    question: float = 10.0
    least: float = 30.0
    most: float = 86400.0
    most_negative: float = 900.0
    failure: float = 5.0

    def of_records(self, ttl: float) -> float:
        return min(max(ttl, self.least), self.most)

    def of_nothing(self, ttl: float) -> float:
        return min(max(ttl, self.least), self.most_negative)


class Asker:
    """Asks the servers in their order; `servers` as for `parse_server`, none = those of the system."""

    def __init__(self, servers: Sequence[str], limits: Limits) -> None:
        self._limits = limits
        self._resolver = _stub(servers)
        self._resolver.timeout = limits.attempt
        self._resolver.lifetime = limits.question

    async def ask(self, question: Question) -> Aged[Answer]:
        """The answer and how long to remember it. Raises nothing."""
        try:
            name = dns.name.from_text(question.name)
            return await (self._follow if question.follow else self._stay)(name, question.rdtype)
        except dns.resolver.NXDOMAIN as error:
            return Aged(NoSuchDomain(), self._limits.of_nothing(_ttl_of_nxdomain(error)))
        except (dns.exception.DNSException, OSError, EOFError) as error:
            return Aged(Unavailable(f"{type(error).__name__}: {error}"), self._limits.failure)

    async def _stay(self, name: dns.name.Name, rdtype: dns.rdatatype.RdataType) -> Aged[Answer]:
        answer = await self._resolver.resolve(name, rdtype, raise_on_no_answer=False, search=False)
        ttl = answer.chaining_result.minimum_ttl
        if answer.rrset is None or answer.canonical_name != name:
            return Aged(NoData(), self._limits.of_nothing(ttl))
        return Aged(Records(tuple(answer.rrset)), self._limits.of_records(ttl))

    async def _follow(self, name: dns.name.Name, rdtype: dns.rdatatype.RdataType) -> Aged[Answer]:
        ttl = float("inf")
        for _ in range(MAX_CNAMES):
            answer = await self._resolver.resolve(name, rdtype, raise_on_no_answer=False, search=False)
            ttl = min(ttl, answer.chaining_result.minimum_ttl)
            if answer.rrset is not None:
                return Aged(Records(tuple(answer.rrset)), self._limits.of_records(ttl))
            if answer.response.flags & dns.flags.TC:  # cut short even over TCP: what is missing may be the records
                return Aged(Unavailable("truncated over TCP"), self._limits.failure)
            if answer.canonical_name == name or _is_final(answer.response):
                return Aged(NoData(), self._limits.of_nothing(ttl))
            # The server named the alias and left it to us to ask for what it stands for.
            name = answer.canonical_name
        return Aged(Unavailable("too many CNAMEs"), self._limits.failure)


def parse_server(text: str) -> tuple[str, int]:
    """`127.0.0.1`, `127.0.0.1:5353`, `::1` or `[::1]:5353` → address and port; ValueError on anything else."""
    address, colon, port = text.rpartition(":")
    if not colon or text.endswith("]") or (":" in address and not address.startswith("[")):
        address, port = text, str(DNS_PORT)
    address = address.removeprefix("[").removesuffix("]")
    if not (port.isascii() and port.isdigit() and 0 < int(port) <= 65535):
        raise ValueError(f"not a port: {port!r}")
    return str(ipaddress.ip_address(address)), int(port)


def _stub(servers: Sequence[str]) -> dns.asyncresolver.Resolver:
    if not servers:
        try:
            return dns.asyncresolver.Resolver()
        except dns.resolver.NoResolverConfiguration:
            servers = ("127.0.0.1",)  # what resolv.conf(5) says of an absent file
    # No EDNS: answers that do not fit into 512 bytes come by TCP, and the simplest of servers understands us.
    stub = dns.asyncresolver.Resolver(configure=False)
    stub.nameservers = [dns.nameserver.Do53Nameserver(*parse_server(text)) for text in servers]
    return stub


def _is_final(response: dns.message.Message) -> bool:
    """Whether the server itself says that the chain of aliases ends in nothing (RFC 2308 §2.2: with its SOA)."""
    return any(rrset.rdtype == dns.rdatatype.SOA for rrset in response.authority)


def _ttl_of_nxdomain(error: dns.resolver.NXDOMAIN) -> float:
    responses: dict[dns.name.Name, dns.message.QueryMessage] = error.kwargs.get("responses", {})
    return min((response.resolve_chaining().minimum_ttl for response in responses.values()), default=0)
