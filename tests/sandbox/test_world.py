"""The sandbox as the relay sees it: through its own resolver, over real sockets."""

from __future__ import annotations

import asyncio
from pathlib import Path

from directmail_relay.mail.mx import Addresses, Hosts, MxTarget, NoSuchDomain, Texts
from directmail_relay.resolver import Resolver
from directmail_relay.sandbox import World

LONG = "v=DKIM1; k=rsa; p=" + "A" * 3000


async def test_the_relays_resolver_finds_the_hosts_the_texts_and_nothing_else(tmp_path: Path) -> None:
    async with World(tmp_path, {"s1._domainkey.test.com": LONG}) as world:
        resolver = Resolver([world.dns_server])
        try:
            found = await resolver.mx("sandbox.test")
            assert isinstance(found, Hosts)
            assert set(found.hosts) == {MxTarget("mx1.sandbox.test", 10), MxTarget("mx2.sandbox.test", 20)}
            assert await resolver.addresses("mx2.sandbox.test") == Addresses(("127.0.0.1",))
            assert await resolver.texts("s1._domainkey.test.com") == Texts((LONG.encode(),))
            assert await resolver.mx("example.com") == NoSuchDomain()
        finally:
            await resolver.close()


async def test_the_second_host_listens_and_greets_by_its_name(tmp_path: Path) -> None:
    async with World(tmp_path, {}) as world:
        reader, writer = await asyncio.open_connection("127.0.0.1", world.mx_port)
        assert await reader.readline() == b"220 mx2.sandbox.test ESMTP Postfix\r\n"
        writer.close()
        await writer.wait_closed()


async def test_the_key_of_the_certificate_is_for_its_owner_alone(tmp_path: Path) -> None:
    async with World(tmp_path, {}):
        assert (tmp_path / "mx.pem").stat().st_mode & 0o077 == 0
