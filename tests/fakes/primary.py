"""A name server on loopback that takes dynamic updates signed with TSIG (RFC 2136, RFC 8945), as much as we use of it.

It checks each signature with dnspython, obeys prerequisites, and refuses as told. Real servers have their say in the
long form (tests/soak).
"""

from __future__ import annotations

import struct
from typing import Any

import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.tsig
import dns.tsigkeyring
import dns.update

from tests.fakes.zone import Zone

KEY_NAME = "relay-key"
SECRET = "cmVsYXktc2VjcmV0LW9mLTMyLW9jdGV0cy1vci1zby4u"
SOA = "{zone}. 60 SOA ns.{zone}. hostmaster.{zone}. 1 3600 600 86400 60"


class Primary(Zone):
    """`async with Primary("example.test", "more records") as primary`; `updates` are the names that were added."""

    def __init__(self, zone: str, text: str = "") -> None:
        super().__init__(SOA.format(zone=zone) + "\n" + text)
        self.apex = dns.name.from_text(zone)
        self.keyring = dns.tsigkeyring.from_text({KEY_NAME: ("hmac-sha256", SECRET)})
        self.updates: list[str] = []
        self.refuse: dns.rcode.Rcode | None = None
        self.signs = True
        self.drops_silently = False

    async def _answer(self, wire: bytes, *, tcp: bool) -> bytes | None:
        if dns.opcode.from_flags(struct.unpack("!H", wire[2:4])[0]) is not dns.opcode.UPDATE:
            return await super()._answer(wire, tcp=tcp)
        try:
            message = dns.message.from_wire(wire, keyring=self.keyring)
        except dns.message.UnknownTSIGKey:
            return self._reject(wire, dns.rcode.BADKEY)
        except dns.tsig.BadSignature:
            return self._reject(wire, dns.rcode.BADSIG)
        assert isinstance(message, dns.update.UpdateMessage)
        assert message.had_tsig
        reply = dns.message.make_response(message)
        if not self.signs:
            reply.tsig = None
            reply.keyring = None
        reply.set_rcode(self.refuse if self.refuse is not None else self._apply(message))
        return reply.to_wire()

    def _reject(self, wire: bytes, error: dns.rcode.Rcode) -> bytes:
        """NOTAUTH with the reason in the TSIG; the client's key name is read from nowhere: it is the only one here."""
        reply = dns.message.Message(id=struct.unpack("!H", wire[:2])[0])
        reply.flags = 0x8000 | dns.opcode.to_flags(dns.opcode.UPDATE)
        reply.set_rcode(dns.rcode.NOTAUTH)
        name = self._key_name_in(wire)
        keyring = dns.tsigkeyring.from_text({name.to_text(): ("hmac-sha256", SECRET)})
        reply.use_tsig(keyring, name, tsig_error=int(error))
        return reply.to_wire()

    @staticmethod
    def _key_name_in(wire: bytes) -> dns.name.Name:
        seen: list[dns.name.Name] = []

        def note(_: dns.message.Message, name: dns.name.Name) -> Any:
            seen.append(name)
            raise dns.message.UnknownTSIGKey

        try:
            dns.message.from_wire(wire, keyring=note)
        except dns.message.UnknownTSIGKey:
            return seen[0]
        raise AssertionError("the update was not signed")

    def _apply(self, message: dns.update.UpdateMessage) -> dns.rcode.Rcode:
        if message.zone[0].name != self.apex:
            return dns.rcode.NOTAUTH
        for condition in message.prerequisite:
            names = {name for name, rdtype in self._records if condition.rdtype in {dns.rdatatype.ANY, rdtype}}
            assert condition.deleting == dns.rdataclass.NONE  # we only ever ask that something is absent
            if condition.name in names:
                anything = condition.rdtype == dns.rdatatype.ANY
                return dns.rcode.YXDOMAIN if anything else dns.rcode.YXRRSET
        for rrset in message.update:
            assert rrset.deleting is None  # nothing is ever deleted
            if not self.drops_silently:
                self.add(f"{rrset.name} {rrset.ttl} {dns.rdatatype.to_text(rrset.rdtype)} {rrset[0].to_text()}")
            self.updates.append(f"{rrset.name.to_text(omit_final_dot=True)} {dns.rdatatype.to_text(rrset.rdtype)}")
        return dns.rcode.NOERROR
