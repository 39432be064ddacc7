"""What the sandbox's DNS knows, and the answer to one question as octets. No sockets, no clock.

It is the whole world to whoever asks: a name that is not here does not exist (NXDOMAIN).
"""

from __future__ import annotations

from collections.abc import Iterable

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

TTL = 60
SOA = "ns.sandbox.test. hostmaster.sandbox.test. 1 3600 600 86400 60"
PLAIN_UDP = 512  # octets, without EDNS (RFC 1035 §4.2.1)
TXT_STRING = 255


class Zone:
    """`lines` are `name type data`, the names absolute: `sandbox.test. MX 10 mx1.sandbox.test.`"""

    def __init__(self, lines: Iterable[str]) -> None:
        self._records: dict[tuple[dns.name.Name, dns.rdatatype.RdataType], dns.rrset.RRset] = {}
        for line in lines:
            owner, kind, data = line.split(maxsplit=2)
            found = dns.rrset.from_text(owner, TTL, "IN", kind, data)
            self._records.setdefault((found.name, found.rdtype), found).add(found[0])

    def answer(self, wire: bytes, *, tcp: bool) -> bytes | None:
        """The reply to one question; None when `wire` is no question at all, which gets silence."""
        try:
            query = dns.message.from_wire(wire)
        except (dns.exception.DNSException, ValueError):
            return None
        if query.flags & dns.flags.QR:
            return None
        reply = dns.message.make_response(query, recursion_available=True)
        if query.opcode() != dns.opcode.QUERY or len(query.question) != 1:
            reply.set_rcode(dns.rcode.NOTIMP)
        else:
            self._look_up(reply, query.question[0])
        return _render(reply, 65535 if tcp else max(query.payload, PLAIN_UDP))

    def _look_up(self, reply: dns.message.Message, question: dns.rrset.RRset) -> None:
        found = self._records.get((question.name, question.rdtype))
        if found is not None and question.rdclass == dns.rdataclass.IN:
            reply.answer.append(found)
            return
        exists = any(owner.is_subdomain(question.name) for owner, _ in self._records)
        reply.set_rcode(dns.rcode.NOERROR if exists else dns.rcode.NXDOMAIN)
        reply.authority.append(dns.rrset.from_text(".", TTL, "IN", "SOA", SOA))


def txt_line(name: str, value: str) -> str:
    """A line for `Zone` with a text of any length, split into the strings of which a TXT record is made."""
    strings = (value[start : start + TXT_STRING] for start in range(0, len(value), TXT_STRING))
    return f"{name}. TXT " + " ".join(f'"{string}"' for string in strings)


def _render(reply: dns.message.Message, size: int) -> bytes:
    try:
        return reply.to_wire(max_size=size)
    except dns.exception.TooBig:
        reply.answer.clear()
        reply.authority.clear()
        reply.flags |= dns.flags.TC
        return reply.to_wire(max_size=size)
