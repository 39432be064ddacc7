"""A real DNS server on loopback, UDP and TCP on one port, that serves the lines it is given and fails as told.

It answers as a recursive server does: CNAMEs are followed, nothing found comes with a SOA. It counts the questions.
"""

from __future__ import annotations

import asyncio
import struct
from collections import Counter
from enum import Enum, auto
from typing import Self

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

Key = tuple[dns.name.Name, dns.rdatatype.RdataType]

NEGATIVE_TTL = 60
SOA = "ns.test. hostmaster.test. 1 3600 600 86400 {ttl}"


class Fault(Enum):
    """What the server does instead of answering."""

    SERVFAIL = auto()
    REFUSED = auto()
    SILENCE = auto()
    TRUNCATED = auto()  # by UDP only; TCP has the whole answer
    WRONG_ID = auto()
    GARBAGE = auto()
    BARE_CNAME = auto()  # the alias alone, as from a server that does not recurse


class Zone:
    """`async with Zone("example.test. 300 MX 10 mx.example.test.") as zone`: then `zone.server` is `127.0.0.1:port`."""

    def __init__(self, text: str = "") -> None:
        self.asked: Counter[tuple[str, str]] = Counter()
        self.asked_by_tcp: Counter[tuple[str, str]] = Counter()
        self.gate = asyncio.Event()  # while it is not set, questions wait
        self.gate.set()
        self.question = asyncio.Event()  # set by the first question that comes
        self.server = ""
        self._records: dict[Key, dns.rrset.RRset] = {}
        self._faults: dict[tuple[str, str], Fault] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.add(text)

    def add(self, text: str) -> None:
        """Lines of `name ttl type data`, all names absolute."""
        for line in filter(None, map(str.strip, text.splitlines())):
            owner, ttl, rdtype, data = line.split(maxsplit=3)
            found = dns.rrset.from_text(owner, int(ttl), "IN", rdtype, data)
            known = self._records.setdefault((found.name, found.rdtype), found)
            known.add(found[0], found.ttl)

    def clear(self) -> None:
        self._records.clear()

    def fail(self, name: str, rdtype: str, fault: Fault | None) -> None:
        """Fails every question for this name and type from now on; None ends it."""
        self._faults.pop((name, rdtype), None)
        if fault is not None:
            self._faults[name, rdtype] = fault

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        while not self.server:
            self._tcp = await asyncio.start_server(self._serve_tcp, "127.0.0.1", 0)
            address: tuple[str, int] = self._tcp.sockets[0].getsockname()
            try:
                self._udp, _ = await loop.create_datagram_endpoint(lambda: _Udp(self), local_addr=address)
            except OSError:  # somebody has this port by UDP: another one, then
                self._tcp.close()
                continue
            self.server = f"{address[0]}:{address[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._udp.close()
        self._tcp.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._tcp.wait_closed()

    def answer_udp(self, wire: bytes, transport: asyncio.DatagramTransport, peer: tuple[str, int]) -> None:
        async def answer() -> None:
            reply = await self._answer(wire, tcp=False)
            if reply is not None:
                transport.sendto(reply, peer)

        task = asyncio.get_running_loop().create_task(answer())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve_tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            (length,) = struct.unpack("!H", await reader.readexactly(2))
            reply = await self._answer(await reader.readexactly(length), tcp=True)
            if reply is not None:
                writer.write(struct.pack("!H", len(reply)) + reply)
                await writer.drain()
        finally:
            writer.close()

    async def _answer(self, wire: bytes, *, tcp: bool) -> bytes | None:
        query = dns.message.from_wire(wire)
        question = query.question[0]
        asked = (question.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(question.rdtype))
        (self.asked_by_tcp if tcp else self.asked)[asked] += 1
        self.question.set()
        await self.gate.wait()
        reply = dns.message.make_response(query, recursion_available=True)
        fault = self._faults.get(asked)
        if fault is Fault.SILENCE:
            return None
        if fault is Fault.GARBAGE:
            return wire[:2] + b"\xff" * 20
        self._fill(reply, question.name, question.rdtype, fault, tcp=tcp)
        return reply.to_wire()

    def _fill(
        self,
        reply: dns.message.Message,
        name: dns.name.Name,
        rdtype: dns.rdatatype.RdataType,
        fault: Fault | None,
        *,
        tcp: bool,
    ) -> None:
        if fault in {Fault.SERVFAIL, Fault.REFUSED}:
            reply.set_rcode(dns.rcode.SERVFAIL if fault is Fault.SERVFAIL else dns.rcode.REFUSED)
        elif fault is Fault.TRUNCATED and not tcp:
            reply.flags |= dns.flags.TC
        else:
            self._look_up(reply, name, rdtype, chase=fault is not Fault.BARE_CNAME)
        if fault is Fault.WRONG_ID:
            reply.id ^= 0x1234

    def _look_up(
        self, reply: dns.message.Message, name: dns.name.Name, rdtype: dns.rdatatype.RdataType, *, chase: bool
    ) -> None:
        found = self._records.get((name, rdtype))
        alias = self._records.get((name, dns.rdatatype.CNAME))
        if found is not None:
            reply.answer.append(found)
        elif alias is not None:
            reply.answer.append(alias)
            if chase and len(reply.answer) < 20:
                self._look_up(reply, alias[0].target, rdtype, chase=True)
        else:
            exists = any(owner.is_subdomain(name) for owner, _ in self._records)
            reply.set_rcode(dns.rcode.NOERROR if exists else dns.rcode.NXDOMAIN)
            soa = SOA.format(ttl=NEGATIVE_TTL)
            reply.authority.append(dns.rrset.from_text("test.", NEGATIVE_TTL, "IN", "SOA", soa))


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, zone: Zone) -> None:
        self._zone = zone

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]  # as typeshed's example
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._zone.answer_udp(data, self._transport, addr)
