"""What only diagnosis asks the DNS: the names of an address, and whether the resolver checks signatures (DNSSEC)."""

from __future__ import annotations

from collections.abc import Sequence

import dns.exception
import dns.flags
import dns.rdatatype
import dns.reversename

from directmail_relay.mail.mx import NoData, NoSuchDomain, Unavailable
from directmail_relay.resolver.query import Asker, Limits, Question, Records, _stub

SIGNED_NAME = "org"  # signed since 2009, as is the root above it


class Diagnosis:
    """`servers` as for `Resolver`. Keeps nothing, so needs no closing."""

    def __init__(self, servers: Sequence[str] = (), *, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._asker = Asker(servers, self._limits)
        self._servers = servers

    async def names_of(self, address: str) -> tuple[str, ...] | NoSuchDomain | NoData | Unavailable:
        """The PTR records of an IP address (RFC 1035 §3.5), in lower case, without the final dot."""
        name = dns.reversename.from_address(address).to_text(omit_final_dot=True)
        answer = (await self._asker.ask(Question(name, dns.rdatatype.PTR))).value
        if isinstance(answer, Records):
            return tuple(sorted(rdata.to_text().rstrip(".").lower() for rdata in answer.rdatas))
        return answer

    async def validates(self) -> bool | None:
        """Whether the resolver has checked a signed answer, as it says (AD, RFC 4035 §3.2.3); None: no answer."""
        stub = _stub(self._servers)
        stub.timeout, stub.lifetime = self._limits.attempt, self._limits.question
        stub.set_flags(dns.flags.RD | dns.flags.AD)  # RFC 6840 §5.7: AD in the question asks for AD in the answer
        try:
            answer = await stub.resolve(SIGNED_NAME, dns.rdatatype.SOA, raise_on_no_answer=False, search=False)
        except (dns.exception.DNSException, OSError, EOFError):
            return None
        return bool(answer.response.flags & dns.flags.AD)
