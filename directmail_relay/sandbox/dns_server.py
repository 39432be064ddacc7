"""A DNS server on loopback, UDP and TCP on one port, that answers from a `Zone`. It never asks anybody else."""

from __future__ import annotations

import asyncio
import struct
from typing import Self

from directmail_relay.sandbox.zone import Zone

TCP_SECONDS = 10.0
TRIES = 20


class DnsServer:
    """`async with DnsServer(zone) as server`: then `server.address` is `127.0.0.1:port`."""

    def __init__(self, zone: Zone) -> None:
        self._zone = zone
        self.address = ""

    async def __aenter__(self) -> Self:
        for _ in range(TRIES):
            self._tcp = await asyncio.start_server(self._serve_tcp, "127.0.0.1", 0)
            ip, port = self._tcp.sockets[0].getsockname()
            try:
                self._udp, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                    lambda: _Udp(self._zone), local_addr=(ip, port)
                )
            except OSError:  # somebody has this port by UDP: another one, then
                self._tcp.close()
                continue
            self.address = f"{ip}:{port}"
            return self
        raise OSError("no port is free for both UDP and TCP")

    async def __aexit__(self, *_: object) -> None:
        self._udp.close()
        self._tcp.close()

    async def _serve_tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(TCP_SECONDS):
                while True:
                    (length,) = struct.unpack("!H", await reader.readexactly(2))
                    reply = self._zone.answer(await reader.readexactly(length), tcp=True)
                    if reply is None:
                        return
                    writer.write(struct.pack("!H", len(reply)) + reply)
                    await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, TimeoutError):
            return  # the peer has heard all that it wanted
        finally:
            writer.close()


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, zone: Zone) -> None:
        self._zone = zone

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]  # as typeshed's example
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        reply = self._zone.answer(data, tcp=False)
        if reply is not None:
            self._transport.sendto(reply, addr)
