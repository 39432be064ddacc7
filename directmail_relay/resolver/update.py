"""Adds one DNS record by dynamic update (RFC 2136), signed with TSIG (RFC 8945). Never deletes or replaces anything.

What a server answers, or that it does not, becomes a value; nothing that it sends raises.
"""

from __future__ import annotations

import asyncio
import binascii
from dataclasses import dataclass, field
from enum import Enum, auto

import dns.asyncquery
import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.tsig
import dns.tsigkeyring
import dns.update

from directmail_relay.resolver.query import parse_server

UPDATE_SECONDS = 10.0
ALGORITHMS = ("hmac-sha256", "hmac-sha384", "hmac-sha512", "hmac-sha224", "hmac-sha1")

UNSIGNED = "UNSIGNED"
NO_ANSWER = "NO ANSWER"
# The server says in the TSIG itself what is wrong with ours (RFC 8945 §5.2).
_TSIG_ERRORS: dict[type[dns.exception.DNSException], str] = {
    dns.tsig.PeerBadKey: "BADKEY",
    dns.tsig.PeerBadSignature: "BADSIG",
    dns.tsig.PeerBadTime: "BADTIME",
}


@dataclass(frozen=True, slots=True)
class TsigKey:
    """`secret` is Base64, as key generators print it. ValueError when it is not."""

    name: str
    secret: str = field(repr=False)
    algorithm: str = ALGORITHMS[0]

    def __post_init__(self) -> None:
        try:
            dns.tsigkeyring.from_text({self.name: (self.algorithm, self.secret)})
        except (dns.exception.DNSException, binascii.Error, ValueError):
            # Neither the cause nor the text may hold the secret.
            raise ValueError(f"the secret of the key {self.name} is not Base64, or its name is none") from None


@dataclass(frozen=True, slots=True)
class Refused:
    """The update was not made. `rcode` is the server's word for it, or UNSIGNED, or NO_ANSWER; `detail` for the log."""

    rcode: str
    detail: str = ""


class Only(Enum):
    """On which condition the server is to add a record (RFC 2136 §2.4); otherwise it says YXRRSET or YXDOMAIN."""

    FIRST_OF_TYPE = auto()
    NEW_NAME = auto()


class Updater:
    """Sends updates to one server, `address:port`, by TCP: a DKIM record does not fit into a datagram."""

    def __init__(self, server: str, key: TsigKey, *, seconds: float = UPDATE_SECONDS) -> None:
        self._address, self._port = parse_server(server)
        self._keyring = dns.tsigkeyring.from_text({key.name: (key.algorithm, key.secret)})
        self._seconds = seconds

    async def find_zone(self, name: str) -> str | Refused:
        """The zone of the server that the name lies in: the nearest one above with a SOA of its own."""
        labels = name.split(".")
        for start in range(len(labels)):
            zone = dns.name.from_text(".".join(labels[start:]))
            answer = await self._ask(dns.message.make_query(zone, dns.rdatatype.SOA))
            if isinstance(answer, Refused):
                return answer
            if any(rrset.name == zone and rrset.rdtype == dns.rdatatype.SOA for rrset in answer.answer):
                return zone.to_text(omit_final_dot=True)
        return Refused("NOTAUTH")

    async def add(
        self, zone: str, name: str, rdtype: str, data: str, *, ttl: int, only: Only | None = None
    ) -> Refused | None:
        """Adds a record, `data` as in a zone file; None when the server has done it."""
        change = dns.update.UpdateMessage(zone, keyring=self._keyring)
        owner = dns.name.from_text(name)
        if only is not None:
            change.absent(owner, *((rdtype,) if only is Only.FIRST_OF_TYPE else ()))
        change.add(owner, ttl, rdtype, data)
        answer = await self._ask(change)
        if isinstance(answer, Refused):
            return answer
        if answer.rcode() != dns.rcode.NOERROR:
            return Refused(dns.rcode.to_text(answer.rcode()))
        # Without its TSIG anybody on the way could have said that (RFC 8945 §5.3).
        return None if answer.had_tsig else Refused(UNSIGNED)

    async def _ask(self, message: dns.message.Message) -> dns.message.Message | Refused:
        try:
            return await dns.asyncquery.tcp(message, self._address, self._seconds, self._port)
        except tuple(_TSIG_ERRORS) as error:
            return Refused(_TSIG_ERRORS[type(error)])
        except (dns.exception.DNSException, OSError, EOFError, asyncio.IncompleteReadError) as error:
            # A reply without the TSIG that it should have is a FormError like any other that cannot be read.
            return Refused(UNSIGNED if "TSIG" in str(error) else NO_ANSWER, f"{type(error).__name__}: {error}")
