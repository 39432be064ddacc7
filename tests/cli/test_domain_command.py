"""`domain …` and `dns` as people and scripts use them, with a real name server behind the configuration."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self, TypeVar

import pytest
from sqlalchemy import select, update

from directmail_relay.accounts.accounts import add_account
from directmail_relay.accounts.changes import Change, list_audit
from directmail_relay.accounts.passwords import Passwords
from directmail_relay.cli.dns import dns
from directmail_relay.cli.domain import domain_app
from directmail_relay.database.accounts_schema import dkim_keys, domains
from directmail_relay.database.engine import Database
from tests.cli.registering import Commands
from tests.cli.single_command import as_app
from tests.conftest import START
from tests.fakes.primary import KEY_NAME, SECRET, Primary
from tests.fakes.zone import Fault, Zone

NAME = "notice.shop.test"
T = TypeVar("T")
dns_app = as_app(dns)


class Served:
    """A zone served from a thread of its own, for commands that run a loop themselves."""

    def __init__(self, zone: Zone) -> None:
        self.zone = zone
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def do(self, act: Callable[[], T]) -> T:
        """Something with the zone, in its thread."""

        async def call() -> T:
            return act()

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result()

    def add(self, text: str) -> None:
        self.do(lambda: self.zone.add(text))

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.zone.__aenter__(), self._loop).result()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self.zone.__aexit__(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@pytest.fixture
def served() -> Iterator[Served]:
    with Served(Primary("shop.test")) as served:
        yield served


@pytest.fixture
def commands(tmp_path: Path, database: Database, served: Served) -> Commands:
    """Beside a database with the accounts shop and other."""
    for account in ("shop", "other"):
        database.write_now(add_account, Change("test", START), account)
    return make_commands(tmp_path, database, served)


def make_commands(folder: Path, database: Database, served: Served, **settings: Any) -> Commands:
    url = database.url.render_as_string(hide_password=False)
    delivery = {"dns": {"servers": [served.zone.server], "timeout": "20s"}}
    key = str(folder / "secret.key")
    return Commands(folder, url, delivery=delivery, secret_key_file=key, **settings)


def automatic(served: Served, *zones: str) -> dict[str, Any]:
    settings = {"server": served.zone.server, "zones": zones, "key_name": KEY_NAME, "key_secret": SECRET}
    return {"domains": {"automatic_dns": settings}}


def publish(commands: Commands, served: Served, *but: str) -> None:
    """Puts the lines of `dns --zone` into the zone, but for those that hold one of the words."""
    for line in commands.said(dns_app, NAME, "--zone").splitlines():
        if not any(word in line for word in but):
            name, ttl, _, rdtype, data = line.split(maxsplit=4)
            served.add(f"{name} {ttl} {rdtype} {data}")


def test_from_add_to_verified(commands: Commands, served: Served) -> None:
    added = commands.asked(domain_app, "add", "Notice.Shop.test", "--account", "shop")
    assert (added["name"], added["account"], added["status"], added["warnings"]) == (NAME, "shop", "unverified", [])
    publish(commands, served)
    verified = commands.asked(domain_app, "verify", NAME)
    expected = {"name": NAME, "account": "shop", "status": "verified", "missing": [], "unknown": []}
    assert expected.items() <= verified.items()
    assert [key["state"] for key in verified["dkim"]] == ["active"]
    assert commands.asked(domain_app, "show", NAME)["status"] == "verified"


def test_people_read_the_words_of_the_guide(commands: Commands, served: Served) -> None:
    commands.said(domain_app, "add", NAME, "--account", "shop")
    unverified = commands.run(domain_app, "verify", NAME)
    assert unverified.exit_code == 1
    assert "unverified 待验证" in unverified.stdout
    publish(commands, served, "dmtrace")
    assert "usable 可使用-缺CNAME" in commands.said(domain_app, "verify", NAME)
    assert "可使用-缺CNAME" in commands.said(domain_app, "list")
    publish(commands, served)
    assert "verified 验证通过" in commands.said(domain_app, "verify", NAME)
    assert "验证通过" in commands.said(domain_app, "show", NAME)


def test_dns_shows_what_is_expected_and_what_is_found(commands: Commands, served: Served) -> None:
    commands.asked(domain_app, "add", NAME, "--account", "shop")
    served.add(f"{NAME}. 60 MX 10 mail.company.test.")
    found = {one["purpose"]: one for one in commands.asked(dns_app, NAME)}
    assert list(found) == ["ownership", "spf", "mx", "cname", "dkim", "dmarc"]
    assert set(found["mx"]) == {"purpose", "type", "name", "expected", "found", "ok", "required", "note"}
    assert (found["mx"]["expected"], found["mx"]["found"], found["mx"]["ok"]) == (
        "10 mail.example.com",
        ["10 mail.company.test"],
        False,
    )
    table = commands.said(dns_app, NAME).splitlines()
    assert table[0].split() == ["purpose", "type", "name", "expected", "found", "verdict", "note"]
    assert [line.split()[-1] for line in table if line.startswith("mx")] == ["wrong"]
    assert [line.split()[-1] for line in table if line.startswith("ownership")] == ["missing"]


def test_dns_trouble_is_told_and_changes_nothing(commands: Commands, served: Served) -> None:
    commands.asked(domain_app, "add", NAME, "--account", "shop")
    publish(commands, served)
    before = commands.asked(domain_app, "verify", NAME)["checked_at"]
    served.do(lambda: served.zone.fail(NAME, "MX", Fault.SERVFAIL))
    result = commands.run(domain_app, "verify", NAME)
    assert result.exit_code == 1
    assert "verified 验证通过" in result.stdout
    assert result.stderr == "the DNS gave no answer about mx: what was known of it stays\n"
    result = commands.run(domain_app, "verify", NAME, "--json")
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert (document["unknown"], document["status"], document["checked_at"]) == (["mx"], "verified", before)


def test_trouble_about_an_optional_record_is_told_and_stored(commands: Commands, served: Served) -> None:
    commands.asked(domain_app, "add", NAME, "--account", "shop")
    publish(commands, served)
    served.do(lambda: served.zone.fail(f"dmtrace.{NAME}", "CNAME", Fault.SERVFAIL))
    document = commands.asked(domain_app, "verify", NAME)
    assert (document["unknown"], document["status"]) == (["cname"], "usable")
    assert document["checked_at"] is not None


def test_long_values_are_whole_for_programs_and_short_for_people(commands: Commands) -> None:
    commands.asked(domain_app, "add", NAME, "--account", "shop")
    (dkim,) = [one["expected"] for one in commands.asked(dns_app, NAME) if one["purpose"] == "dkim"]
    assert len(dkim) > 300
    short = f"{dkim[:23]}… ({len(dkim)} characters)"
    assert short.startswith("v=DKIM1; k=rsa; p=MIIBI…")
    tables = commands.said(dns_app, NAME), commands.run(domain_app, "verify", NAME).stdout
    assert all(short in table and dkim not in table for table in tables)
    assert dkim[-20:] in commands.said(dns_app, NAME, "--zone")


def test_looking_makes_no_secret_key(commands: Commands, database: Database, tmp_path: Path) -> None:
    commands.asked(domain_app, "add", NAME, "--account", "shop")
    (tmp_path / "secret.key").unlink()
    commands.asked(domain_app, "show", NAME)
    assert commands.refused(dns_app, NAME)[0] == "secret_key"
    assert commands.run(dns_app, NAME, "--zone").exit_code == 1
    database.write_now(lambda connection: connection.execute(dkim_keys.delete()))
    assert "dkim" not in {one["purpose"] for one in commands.asked(dns_app, NAME)}
    assert not (tmp_path / "secret.key").exists()


def test_a_domain_with_mailboxes_elsewhere_is_added_with_a_warning(commands: Commands, served: Served) -> None:
    served.add("shop.test. 60 MX 10 mail.company.test.")
    result = commands.run(domain_app, "add", "shop.test", "--account", "shop")
    assert result.exit_code == 0
    assert result.stderr == (
        "warning: shop.test receives mail at 10 mail.company.test: "
        "send from a subdomain such as notice.shop.test instead\n"
    )
    served.add("sub.shop.test. 60 MX 10 mail.example.com.")
    assert commands.asked(domain_app, "add", "sub.shop.test", "--account", "shop")["warnings"] == []


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["add", "shop.test", "--account", "nobody"], "account_not_found"),
        (["add", "co.uk", "--account", "shop"], "bad_name"),
        (["add", NAME, "--account", "shop"], "domain_exists"),
        (["add", "shop.test", "--account", "other"], "domain_conflict"),
        (["add", "x.shop.test", "--account", "shop", "--automatic"], "no_server"),
        (["publish", NAME], "no_server"),
        (["rotate-dkim", NAME], "pending"),
        *(([word, "gone.test"], "domain_not_found") for word in ("show", "verify", "rotate-dkim", "delete")),
    ],
)
def test_refusals_are_one_sentence_and_a_code(commands: Commands, words: list[str], code: str) -> None:
    commands.asked(domain_app, "add", NAME, "--account", "shop")
    assert commands.refused(domain_app, *words)[0] == code
    assert [one["name"] for one in commands.asked(domain_app, "list")] == [NAME]


def test_a_rotation_shows_the_old_record_until_it_may_go(commands: Commands, served: Served) -> None:
    commands.asked(domain_app, "add", NAME, "--account", "shop")
    publish(commands, served)
    commands.asked(domain_app, "verify", NAME)
    selector = commands.asked(domain_app, "rotate-dkim", NAME)["selector"]
    new, old = [one for one in commands.asked(dns_app, NAME) if one["purpose"] == "dkim"]
    assert (new["name"], new["ok"], new["note"]) == (f"{selector}._domainkey.{NAME}", False, "signs once it is seen")
    assert (old["ok"], old["note"]) == (True, None)
    publish(commands, served)
    commands.asked(domain_app, "verify", NAME)
    new, old = [one for one in commands.asked(dns_app, NAME) if one["purpose"] == "dkim"]
    assert new["note"] is None
    assert old["note"].startswith("keep until 20")
    assert len([line for line in commands.said(dns_app, NAME, "--zone").splitlines() if "_domainkey" in line]) == 2


def test_zone_lines_ask_nobody(commands: Commands, served: Served) -> None:
    commands.asked(domain_app, "add", NAME, "--account", "shop")
    before = served.do(lambda: sum(served.zone.asked.values()))
    assert len(commands.said(dns_app, NAME, "--zone").splitlines()) == 6
    assert served.do(lambda: sum(served.zone.asked.values())) == before


def test_a_domain_password_is_read_from_stdin_and_stored_hashed(commands: Commands, database: Database) -> None:
    commands.asked(domain_app, "add", NAME, "--account", "shop")
    commands.asked(domain_app, "password", NAME, "--password-stdin", stdin="ABcd1234ef\n")
    stored = database.read_now(lambda connection: connection.execute(select(domains.c.password_hash)).scalar_one())
    assert Passwords().verify(stored, b"ABcd1234ef")
    assert commands.run(domain_app, "password", NAME, "--password-stdin", stdin="short\n").exit_code == 1
    assert "ABcd" not in json.dumps(database.read_now(list_audit))


def test_a_trusted_domain_is_not_asked_about(commands: Commands, database: Database, served: Served) -> None:
    commands.asked(domain_app, "add", NAME, "--account", "shop")
    trust = update(domains).values(trusted=True, declared=True)
    database.write_now(lambda connection: connection.execute(trust))
    before = served.do(lambda: sum(served.zone.asked.values()))
    assert commands.asked(domain_app, "verify", NAME)["status"] == "verified"
    assert served.do(lambda: sum(served.zone.asked.values())) == before
    assert commands.refused(domain_app, "delete", NAME)[0] == "declared"


def test_another_secret_key_is_told_and_not_taken_for_a_missing_record(commands: Commands, tmp_path: Path) -> None:
    commands.asked(domain_app, "add", NAME, "--account", "shop")
    (tmp_path / "secret.key").unlink()
    assert commands.refused(domain_app, "verify", NAME)[0] == "secret_key"


def test_domains_in_the_zones_of_the_configuration_get_their_records_at_once(
    commands: Commands, tmp_path: Path, database: Database, served: Served
) -> None:
    commands = make_commands(tmp_path, database, served, **automatic(served, "shop.test"))
    added = commands.asked(domain_app, "add", NAME, "--account", "shop")
    assert [one["outcome"] for one in added["automatic"]] == ["added"] * 6
    assert commands.asked(domain_app, "verify", NAME)["status"] == "verified"
    assert "automatic" not in commands.asked(domain_app, "add", "other.test", "--account", "shop")
    assert "automatic" not in commands.asked(domain_app, "add", "x.shop.test", "--account", "shop", "--no-automatic")


def test_publish_ends_with_1_while_something_is_left_to_do_by_hand(
    commands: Commands, tmp_path: Path, database: Database, served: Served
) -> None:
    served.add(f'{NAME}. 60 TXT "v=spf1 -all"')
    commands.asked(domain_app, "add", NAME, "--account", "shop")
    commands = make_commands(tmp_path, database, served, **automatic(served))
    result = commands.run(domain_app, "publish", NAME)
    assert result.exit_code == 1
    assert "put include:spf.mail.example.com into it" in result.stdout


def test_the_audit_log_says_who(commands: Commands, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "anna")
    commands.asked(domain_app, "add", NAME, "--account", "shop")
    commands.asked(domain_app, "delete", NAME)
    log = database.read_now(list_audit)
    assert [(one["who"], one["what"]) for one in log[:2]] == [("cli:anna", "domain.delete"), ("cli:anna", "domain.add")]
