"""Automatic DNS against a real name server, Knot DNS on loopback: its TSIG, its update policy, its prerequisites.

The long form (`make soak`): the machine must have `knotd`.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from directmail_relay.accounts.accounts import add_account
from directmail_relay.accounts.changes import Change
from directmail_relay.cli.dns import dns
from directmail_relay.cli.domain import domain_app
from directmail_relay.database.engine import Database
from directmail_relay.resolver import Limits
from directmail_relay.resolver.lookup import Lookup
from tests.cli.single_command import as_app
from tests.conftest import START

pytestmark = pytest.mark.soak

SECRET = "cmVsYXktc2VjcmV0LW9mLTMyLW9jdGV0cy1vci1zby4u"
READY_SECONDS = 20.0
KNOT = """
server:
    rundir: {folder}
    listen: 127.0.0.1@{port}
log:
  - target: stderr
    any: warning
database:
    storage: {folder}
key:
  - id: relay-key
    algorithm: hmac-sha256
    secret: {secret}
  - id: reader-key
    algorithm: hmac-sha256
    secret: {secret}
acl:
  - id: relay
    key: relay-key
    action: update
template:
  - id: default
    storage: {folder}
    file: "%s.zone"
zone:
  - domain: shop.test
    acl: relay
"""
ZONE = """
$ORIGIN shop.test.
@ 60 SOA ns hostmaster 1 3600 600 86400 60
@ 60 NS ns
ns 60 A 127.0.0.1
company 60 MX 10 mail.company.test.
company 60 TXT "v=spf1 mx -all"
dmtrace.company 60 A 192.0.2.1
www 60 A 192.0.2.2
* 60 CNAME www.shop.test.
*.far 60 CNAME elsewhere.example.
"""


@dataclass(frozen=True, slots=True)
class Knot:
    server: str
    folder: Path


@pytest.fixture
def knot(tmp_path: Path) -> Iterator[Knot]:
    program = shutil.which("knotd")
    assert program is not None, "the long form needs knotd: apt-get install knot"
    folder = tmp_path / "knot"
    folder.mkdir()
    port = free_port()
    (folder / "knot.conf").write_text(KNOT.format(folder=folder, port=port, secret=SECRET))
    (folder / "shop.test.zone").write_text(ZONE)
    with subprocess.Popen([program, "-c", str(folder / "knot.conf")]) as process:
        try:
            wait_for(f"127.0.0.1:{port}", process)
            yield Knot(f"127.0.0.1:{port}", folder)
        finally:
            process.terminate()


def free_port() -> int:
    """Free by TCP now; knotd opens it by UDP too, a moment later."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


def wait_for(server: str, process: subprocess.Popen[bytes]) -> None:
    lookup = Lookup([server], limits=Limits(attempt=0.5, question=1.0))
    deadline = time.monotonic() + READY_SECONDS
    while asyncio.run(lookup.find("company.shop.test", "MX")) != ("10 mail.company.test",):
        assert process.poll() is None, "knotd has ended: what it says stands above"
        assert time.monotonic() < deadline, "knotd does not answer"
        time.sleep(0.1)  # another program starts: there is no event to wait for


class Relay:
    """The commands, with a configuration that asks knot and writes to it."""

    def __init__(
        self, folder: Path, url: str, server: str, *, key_name: str = "relay-key", secret: str = SECRET
    ) -> None:
        automatic = {"server": server, "zones": ["shop.test"], "key_name": key_name, "key_secret": secret}
        self.path = folder / "config.yaml"
        self.path.write_text(
            json.dumps(
                {
                    "hostname": "relay.test.example",
                    "database": {"url": url},
                    "delivery": {"dns": {"servers": [server]}},
                    "domains": {"automatic_dns": automatic},
                }
            )
        )
        database = Database(url)
        database.write_now(add_account, Change("test", START), "shop")
        database.close()

    def domain(self, *words: str, exit_code: int = 0) -> Any:
        return self._run(domain_app, *words, exit_code=exit_code)

    def dns(self, name: str) -> Any:
        return self._run(as_app(dns), name, exit_code=0)

    def _run(self, app: Any, *words: str, exit_code: int) -> Any:
        result = CliRunner().invoke(app, [*words, "-c", str(self.path), "--json"])
        assert result.exit_code == exit_code, result.output
        return json.loads(result.stdout)


def test_from_an_empty_name_to_a_verified_domain_and_a_rotated_key(knot: Knot, tmp_path: Path, sqlite_url: str) -> None:
    relay = Relay(tmp_path, sqlite_url, knot.server)
    added = relay.domain("add", "notice.shop.test", "--account", "shop")
    assert [one["outcome"] for one in added["automatic"]] == ["added"] * 6
    assert relay.domain("verify", "notice.shop.test")["status"] == "verified"
    assert all(one["ok"] for one in relay.dns("notice.shop.test"))
    rotated = relay.domain("rotate-dkim", "notice.shop.test")
    assert [one["outcome"] for one in rotated["automatic"]].count("added") == 1
    shown = relay.domain("verify", "notice.shop.test")
    assert [(key["selector"] == rotated["selector"], key["state"]) for key in shown["dkim"]] == [
        (False, "retired"),
        (True, "active"),
    ]


def test_what_the_company_has_is_left_as_it_is(knot: Knot, tmp_path: Path, sqlite_url: str) -> None:
    relay = Relay(tmp_path, sqlite_url, knot.server)
    added = relay.domain("add", "company.shop.test", "--account", "shop")
    outcomes = {one["purpose"]: one["outcome"] for one in added["automatic"]}
    assert outcomes == {
        "ownership": "added",
        "spf": "left",
        "mx": "left",
        "cname": "left",
        "dkim": "added",
        "dmarc": "added",
    }
    assert "mail.company.test" in added["warnings"][0]
    found = {one["purpose"]: one["found"] for one in relay.dns("company.shop.test")}
    assert (found["spf"], found["mx"], found["cname"]) == (["v=spf1 mx -all"], ["10 mail.company.test"], [])
    shown = relay.domain("verify", "company.shop.test", exit_code=1)  # it may not send yet
    assert shown["missing"] == ["spf", "mx", "cname"]


@pytest.mark.parametrize(
    ("key_name", "secret", "word"),
    [
        ("reader-key", SECRET, "BADKEY"),  # knot knows the key, but does not let it update this zone
        ("stranger-key", SECRET, "BADKEY"),
        ("relay-key", "b3RoZXI=", "BADSIG"),
    ],
)
def test_a_key_that_may_not_is_told_why(
    knot: Knot, tmp_path: Path, sqlite_url: str, key_name: str, secret: str, word: str
) -> None:
    relay = Relay(tmp_path, sqlite_url, knot.server, key_name=key_name, secret=secret)
    added = relay.domain("add", "notice.shop.test", "--account", "shop")
    assert {one["outcome"] for one in added["automatic"]} == {"failed"}
    assert {one["note"].partition(":")[0].partition(" (")[0] for one in added["automatic"]} == {word}
    assert all(one["outcome"] == "failed" for one in relay.domain("publish", "notice.shop.test", exit_code=1))


def test_the_zone_is_found_by_asking_when_the_configuration_names_none(
    knot: Knot, tmp_path: Path, sqlite_url: str
) -> None:
    relay = Relay(tmp_path, sqlite_url, knot.server)
    relay.path.write_text(relay.path.read_text().replace('["shop.test"]', "[]"))
    assert "automatic" not in relay.domain("add", "one.far.shop.test", "--account", "shop")
    written = relay.domain("publish", "one.far.shop.test")
    assert [one["outcome"] for one in written] == ["added"] * 6
