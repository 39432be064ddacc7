"""What a name says now: TXT, MX and CNAME without a cache of ours, for the checks of sending domains.

Each answer is a tuple of texts (empty when there is no such record or name) or `Unavailable`; nothing raises.
"""

from __future__ import annotations

from collections.abc import Sequence

import dns.rdata
import dns.rdatatype
from dns.rdtypes.ANY.TXT import TXT as TxtRecord  # noqa: N811  # a class, its name is the type's

from directmail_relay.mail.mx import Unavailable
from directmail_relay.resolver.query import Asker, Limits, Question, Records

Found = tuple[str, ...] | Unavailable


class Lookup:
    """`servers` are `address` or `address:port`; none means those of the system. Keeps nothing, so needs no closing.

    Without `follow` aliases are not followed: what a primary, which knows its own zones alone, has at the name itself.
    """

    def __init__(self, servers: Sequence[str] = (), *, limits: Limits | None = None, follow: bool = True) -> None:
        self._asker = Asker(servers, limits or Limits())
        self._follow = follow

    async def find(self, name: str, rdtype: str) -> Found:
        """The records of a name, sorted: TXT in one piece, `10 mx.example.com` and CNAME targets without final dot."""
        answer = (await self._asker.ask(Question(name, dns.rdatatype.from_text(rdtype), self._follow))).value
        if isinstance(answer, Records):
            return tuple(sorted(_render(rdata) for rdata in answer.rdatas))
        return answer if isinstance(answer, Unavailable) else ()


def _render(rdata: dns.rdata.Rdata) -> str:
    if isinstance(rdata, TxtRecord):
        return b"".join(rdata.strings).decode("utf-8", "backslashreplace")
    text = rdata.to_text()
    return text if text.endswith(" .") else text.removesuffix(".")  # `0 .` is the null MX (RFC 7505)
