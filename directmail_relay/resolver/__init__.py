"""DNS for delivery and for the domain checks: mail hosts, addresses, texts. dnspython is used here and nowhere else.

Every answer is a value of `mail.mx`; nothing that a server sends or fails to send raises. What the answers mean for
the mail is decided in `policy.route`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

import dns.name
import dns.rdata
from dns.rdatatype import AAAA, MX, TXT, A
from dns.rdtypes.ANY.MX import MX as MxRecord  # noqa: N811  # a class, its name is the type's
from dns.rdtypes.ANY.TXT import TXT as TxtRecord  # noqa: N811  # a class, its name is the type's
from dns.rdtypes.IN.A import A as ARecord
from dns.rdtypes.IN.AAAA import AAAA as AaaaRecord  # noqa: N811  # a class, its name is the type's

from directmail_relay.mail.mx import (
    AddressAnswer,
    Addresses,
    Hosts,
    MxAnswer,
    MxTarget,
    NoData,
    NoSuchDomain,
    NullMx,
    TextAnswer,
    Texts,
    Unavailable,
)
from directmail_relay.resolver.cache import Cache
from directmail_relay.resolver.query import Answer, Asker, Limits, Question, Records

__all__ = ["Limits", "Resolver"]

CAPACITY = 50_000


class Resolver:
    """`servers` are `address` or `address:port`; none means those of the system. `monotonic` is in seconds.

    One for the process. It belongs to the loop it is used in; `close` it before that ends. Raises ValueError when a
    server is no IP address.
    """

    def __init__(
        self,
        servers: Sequence[str] = (),
        *,
        limits: Limits | None = None,
        capacity: int = CAPACITY,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        asker = Asker(servers, limits or Limits())
        self._cache: Cache[Question, Answer] = Cache(asker.ask, capacity=capacity, monotonic=monotonic)

    async def mx(self, domain: str) -> MxAnswer:
        """The mail hosts of a domain, itself included when it has an address but no MX (RFC 5321 §5.1)."""
        answer = await self._cache.ask(Question(domain, MX))
        if isinstance(answer, Records):
            return _read_mx(answer)
        return await self._implicit_mx(domain) if isinstance(answer, NoData) else answer

    async def addresses(self, host: str) -> AddressAnswer:
        """All A and AAAA records. One family is enough: trouble with the other is then not told."""
        ipv4, ipv6 = await asyncio.gather(self._cache.ask(Question(host, A)), self._cache.ask(Question(host, AAAA)))
        found = Addresses(
            tuple(record.address for record in _rdatas(ipv4) if isinstance(record, ARecord)),
            tuple(record.address for record in _rdatas(ipv6) if isinstance(record, AaaaRecord)),
        )
        return found if found != Addresses() else _worse(ipv4, ipv6)

    async def texts(self, name: str) -> TextAnswer:
        """The TXT records of a name, in no order."""
        answer = await self._cache.ask(Question(name, TXT))
        if not isinstance(answer, Records):
            return answer
        return Texts(tuple(b"".join(record.strings) for record in answer.rdatas if isinstance(record, TxtRecord)))

    async def close(self) -> None:
        """Gives up the questions under way."""
        await self._cache.close()

    async def _implicit_mx(self, domain: str) -> MxAnswer:
        addresses = await self.addresses(domain)
        return Hosts((MxTarget(domain, 0),), implicit=True) if isinstance(addresses, Addresses) else addresses


def _read_mx(answer: Records) -> Hosts | NullMx:
    records = [record for record in answer.rdatas if isinstance(record, MxRecord)]
    # RFC 7505 §3: a null MX stands alone; beside real hosts it is a mistake, and the real ones count.
    hosts = tuple(_target(record) for record in records if record.exchange != dns.name.root)
    return Hosts(hosts) if hosts else NullMx()


def _target(record: MxRecord) -> MxTarget:
    return MxTarget(record.exchange.to_text(omit_final_dot=True).lower(), record.preference)


def _rdatas(answer: Answer) -> tuple[dns.rdata.Rdata, ...]:
    return answer.rdatas if isinstance(answer, Records) else ()


def _worse(first: Answer, second: Answer) -> NoSuchDomain | NoData | Unavailable:
    """What two answers without an address come to: trouble with either leaves it open, NXDOMAIN takes both."""
    for answer in (first, second):
        if isinstance(answer, Unavailable):
            return answer
    if isinstance(first, NoSuchDomain) and isinstance(second, NoSuchDomain):
        return first
    return NoData()
