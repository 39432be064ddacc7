"""Certificates and ports: of a relay that runs, and of one that does not yet."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme

from directmail_relay.cli.doctor.finding import Severity
from tests.fakes.doctor_place import (
    NOW,
    Examine,
    free_port,
    mail_host,
    only,
)


def write_certificate(folder: Path, name: str, days: float) -> dict[str, str]:
    ends = dt.datetime.fromtimestamp(NOW, dt.UTC) + dt.timedelta(days=days)
    issued = trustme.CA().issue_cert(name, not_after=ends)
    (folder / "cert.pem").write_bytes(issued.cert_chain_pems[0].bytes())
    (folder / "key.pem").write_bytes(issued.private_key_pem.bytes())
    return {"certificate": "cert.pem", "key": "key.pem"}


@pytest.mark.parametrize(
    ("days", "name", "severities"),
    [
        (90, "mail.shop.com", [Severity.OK, Severity.OK]),
        (90, "*.shop.com", [Severity.OK, Severity.OK]),
        (13, "mail.shop.com", [Severity.WARNING, Severity.OK]),
        (-1, "mail.shop.com", [Severity.FAIL, Severity.OK]),
        (90, "smtp.shop.com", [Severity.OK, Severity.WARNING]),
        (90, "*.mail.shop.com", [Severity.OK, Severity.WARNING]),
    ],
)
async def test_certificates_have_time_left_and_name_us(
    consult: Examine, tmp_path: Path, days: float, name: str, severities: list[Severity]
) -> None:
    tls = write_certificate(tmp_path, name, days)
    found = await consult("certificate", smtp={"listeners": [{"port": free_port()}], "tls": tls})
    assert [one.severity for one in found] == severities


@pytest.mark.parametrize(("address", "severity"), [("127.0.0.1", Severity.INFO), ("0.0.0.0", Severity.WARNING)])
async def test_without_a_certificate_others_cannot_log_in(consult: Examine, address: str, severity: Severity) -> None:
    found = await only(consult("certificate", smtp={"listeners": [{"address": address, "port": free_port()}]}))
    assert found.severity is severity


async def test_free_ports_wait_for_the_relay(consult: Examine) -> None:
    relay, *ports = await consult("ports")
    assert relay.severity is Severity.INFO
    assert [(one.severity, one.found) for one in ports] == [(Severity.OK, "free")] * 2


async def test_a_port_that_another_program_has_fails(consult: Examine) -> None:
    async with mail_host() as port:
        found = await consult("ports", smtp={"listeners": [{"address": "127.0.0.1", "port": port}]})
    assert [one.severity for one in found] == [Severity.INFO, Severity.FAIL, Severity.OK]
    assert "another program has the port" in found[1].advice


async def test_an_address_of_another_machine_fails(consult: Examine) -> None:
    found = await consult("ports", smtp={"listeners": [{"address": "192.0.2.1", "port": 2525}]})
    assert found[1].severity is Severity.FAIL


@asynccontextmanager
async def http_answering(body: bytes) -> AsyncIterator[int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"HTTP/1.0 200 OK\r\n\r\n" + body)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()


READY = b'{"ready": true, "checks": {"database": true}}'


async def test_a_running_relay_is_asked_whether_it_is_ready(consult: Examine) -> None:
    async with http_answering(READY) as http, mail_host() as smtp:
        more = {"http": {"listen": f"127.0.0.1:{http}"}, "smtp": {"listeners": [{"port": smtp}]}}
        found = await consult("ports", **more)
    assert [(one.check, one.severity) for one in found] == [("relay", Severity.OK), ("ports", Severity.OK)]


async def test_a_relay_that_is_not_ready_or_does_not_listen_fails(consult: Examine) -> None:
    async with http_answering(b'{"ready": false, "checks": {"database": false, "listeners": true}}') as http:
        found = await consult("ports", http={"listen": f"127.0.0.1:{http}"})
    assert [one.severity for one in found] == [Severity.FAIL, Severity.FAIL]
    assert found[0].found == "not ready: database"


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"ready": true}', b'{"ready": true, "checks": 5}'])
async def test_another_program_on_the_http_port_fails(consult: Examine, body: bytes) -> None:
    async with http_answering(body) as http:
        found = await consult("ports", http={"listen": f"127.0.0.1:{http}"})
    assert (found[0].severity, found[0].found) == (Severity.FAIL, "another program answers there")
