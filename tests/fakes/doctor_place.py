"""Where the doctor is tried: a DNS server, mail hosts and a machine of the test's making, all of it well."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from directmail_relay.cli.doctor.finding import Finding, Severity
from directmail_relay.cli.doctor.place import Machine
from tests.fakes.zone import Zone

NOW = 1_795_000_000.0
GIB = 1 << 30
OURS = "11.22.33.44"  # any public address
GOOD_ZONE = f"""
mail.shop.com. 300 A {OURS}
44.33.22.11.in-addr.arpa. 300 PTR mail.shop.com.
qq.com. 300 MX 10 mx.qq.com.
mx.qq.com. 300 A 127.0.0.1
"""
MACHINE = Machine(
    source_addresses=lambda: (OURS,),
    is_clock_synchronised=lambda: True,
    clock=lambda: NOW,
    disk_usage=lambda _: (100 * GIB, 50 * GIB, 50 * GIB),
)
Examine = Callable[..., Any]


@asynccontextmanager
async def mail_host(greeting: bytes = b"220 mx.qq.com ESMTP\r\n") -> AsyncIterator[int]:
    """A host that greets and hangs up; its port."""

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def config_document(folder: Path, **more: Any) -> dict[str, Any]:
    return {
        "hostname": "mail.shop.com",
        "database": {"url": f"sqlite:///{folder}/relay.db"},
        "smtp": {"listeners": [{"address": "127.0.0.1", "port": free_port()}]},
        "http": {"listen": f"127.0.0.1:{free_port()}"},
        **more,
    }


async def only(found: Any) -> Finding:
    (finding,) = await found
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.OK or finding.advice or finding.severity is Severity.INFO
    return finding


def write_config(folder: Path, zone: Zone) -> Path:
    path = folder / "config.yaml"
    path.write_text(json.dumps(config_document(folder, delivery={"dns": {"servers": [zone.server]}})))
    return path
