"""The records of the sending domains, as the doctor finds them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from sqlalchemy import insert

from directmail_relay.accounts.secret_key import load_or_make_cipher
from directmail_relay.cli.doctor.finding import Severity
from directmail_relay.content.signing_keys import public_record, render_private_key
from directmail_relay.database.accounts_schema import accounts, dkim_keys, domains
from directmail_relay.database.engine import Database
from tests.fakes.doctor_place import (
    Examine,
    only,
)
from tests.fakes.zone import Fault, Zone


@pytest.fixture
def shop_domain(sqlite_url: str) -> None:
    database = Database(sqlite_url)

    def register(connection: Any) -> None:
        connection.execute(
            insert(accounts).values(name="shop", status="normal", ip_protection=False, declared=False, created_at=0)
        )
        connection.execute(
            insert(domains).values(
                name="shop.com",
                main_domain="shop.com",
                account="shop",
                token="abc123",
                trusted=False,
                found="",
                declared=False,
                created_at=0,
            )
        )

    database.write_now(register)
    database.close()


RECORDS = """
aliyundm.shop.com. 300 TXT abc123
shop.com. 300 TXT "v=spf1 include:spf.mail.shop.com -all"
shop.com. 300 MX 10 mail.shop.com.
dmtrace.shop.com. 300 CNAME mail.shop.com.
_dmarc.shop.com. 300 TXT "v=DMARC1; p=none"
"""


@pytest.mark.usefixtures("shop_domain")
async def test_published_records_are_good(consult: Examine, zone: Zone) -> None:
    zone.add(RECORDS)
    found = await consult("dns")
    assert [one.severity for one in found] == [Severity.OK] * 5
    assert "aliyundm.shop.com TXT abc123" in {one.expected for one in found}


@pytest.mark.usefixtures("shop_domain")
async def test_a_missing_required_record_fails_and_others_warn(consult: Examine, zone: Zone, sqlite_url: str) -> None:
    zone.add("other.test. 300 A 127.0.0.1\n")
    change_domain(sqlite_url, verified_at=1)
    found = {one.expected.split()[0] + " " + one.expected.split()[1]: one for one in await consult("dns")}
    assert {name: one.severity for name, one in found.items()} == {
        "aliyundm.shop.com TXT": Severity.FAIL,
        "shop.com TXT": Severity.FAIL,
        "shop.com MX": Severity.FAIL,
        "dmtrace.shop.com CNAME": Severity.INFO,
        "_dmarc.shop.com TXT": Severity.WARNING,
    }
    assert "directmail-relay dns shop.com" in found["shop.com MX"].advice


@pytest.mark.usefixtures("shop_domain")
async def test_a_domain_that_was_never_verified_loses_no_mail(consult: Examine, zone: Zone) -> None:
    zone.add("other.test. 300 A 127.0.0.1\n")
    found = {one.expected.split()[0] + " " + one.expected.split()[1]: one for one in await consult("dns")}
    assert found["shop.com MX"].severity is Severity.WARNING
    assert Severity.FAIL not in {one.severity for one in found.values()}


@pytest.mark.usefixtures("shop_domain")
async def test_long_values_are_short_in_the_table_alone(consult: Examine, zone: Zone) -> None:
    long = "v=spf1 include:spf.mail.shop.com " + "ip4:192.0.2.1 " * 5 + "-all"
    zone.add(RECORDS.replace("v=spf1 include:spf.mail.shop.com -all", long))
    (spf,) = [one for one in await consult("dns") if "spf1" in one.found]
    assert spf.as_document()["found"] == long
    assert spf.as_row()[3] == f"{long[:23]}… ({len(long)} characters)"


@pytest.mark.usefixtures("shop_domain")
async def test_one_domain_may_be_named_and_must_exist(consult: Examine, zone: Zone) -> None:
    zone.add(RECORDS)
    assert len(await consult("dns", domain="Shop.com")) == 5
    unknown = await only(consult("dns", domain="other.com"))
    assert unknown.severity is Severity.FAIL
    assert "there is no domain other.com" in unknown.advice


async def test_without_domains_there_is_nothing_to_look_up(consult: Examine) -> None:
    assert (await only(consult("dns"))).severity is Severity.INFO


def change_domain(sqlite_url: str, **values: Any) -> None:
    database = Database(sqlite_url)
    database.write_now(lambda connection: connection.execute(domains.update().values(**values)))
    database.close()


@pytest.mark.usefixtures("shop_domain")
async def test_what_the_configuration_vouches_for_is_a_warning_only(
    consult: Examine, zone: Zone, sqlite_url: str
) -> None:
    zone.add("other.test. 300 A 127.0.0.1\n")
    change_domain(sqlite_url, trusted=True, declared=True)
    assert Severity.FAIL not in {one.severity for one in await consult("dns")}


@pytest.mark.usefixtures("shop_domain")
async def test_records_that_could_not_be_asked_for_are_not_missing(consult: Examine, zone: Zone) -> None:
    zone.add(RECORDS)
    zone.fail("shop.com", "MX", Fault.SERVFAIL)
    (unknown,) = [one for one in await consult("dns") if one.severity is not Severity.OK]
    assert unknown.severity is Severity.WARNING
    assert "no answer from the DNS" in unknown.found


@pytest.mark.usefixtures("shop_domain")
async def test_keys_under_a_lost_secret_key_fail(
    consult: Examine, zone: Zone, sqlite_url: str, tmp_path: Path, rsa_key: RSAPrivateKey
) -> None:
    zone.add(RECORDS)
    zone.add(f"s1._domainkey.shop.com. 300 TXT {quote(public_record(rsa_key))}\n")
    cipher = load_or_make_cipher(tmp_path / "secret.key")
    key = dkim_keys.insert().values(
        domain="shop.com",
        selector="s1",
        private_key=cipher.encrypt(render_private_key(rsa_key)),
        created_at=0,
        active_since=0,
    )
    database = Database(sqlite_url)
    database.write_now(lambda connection: connection.execute(key))
    database.close()
    assert [one.severity for one in await consult("dns")] == [Severity.OK] * 6
    (tmp_path / "secret.key").unlink()
    lost = await only(consult("dns"))
    assert lost.severity is Severity.FAIL
    assert "restore secret.key" in lost.found
    assert not (tmp_path / "secret.key").exists()


def quote(value: str) -> str:
    """A TXT record's text in strings of 255 octets at most."""
    return " ".join(f'"{value[start : start + 255]}"' for start in range(0, len(value), 255))
