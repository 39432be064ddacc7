from __future__ import annotations

from collections.abc import AsyncIterator

import dns.rcode
import pytest

from directmail_relay.resolver.lookup import Lookup
from directmail_relay.resolver.update import Only, Refused, TsigKey, Updater
from tests.fakes.primary import KEY_NAME, SECRET, Primary

KEY = TsigKey(KEY_NAME, SECRET)


@pytest.fixture
async def primary() -> AsyncIterator[Primary]:
    async with Primary("example.test", "www.example.test. 60 A 192.0.2.1") as primary:
        yield primary


async def add(
    primary: Primary, name: str = "new.example.test", *, key: TsigKey = KEY, only: Only | None = None
) -> Refused | None:
    return await Updater(primary.server, key).add("example.test", name, "TXT", '"hello" " there"', ttl=60, only=only)


async def test_a_signed_update_adds_the_record(primary: Primary) -> None:
    assert await add(primary) is None
    assert await Lookup([primary.server]).find("new.example.test", "TXT") == ("hello there",)


async def test_the_zone_is_the_nearest_name_with_a_soa_of_its_own(primary: Primary) -> None:
    updater = Updater(primary.server, KEY)
    assert await updater.find_zone("a.b.example.test") == "example.test"
    assert await updater.find_zone("example.org") == Refused("NOTAUTH")


async def test_conditions_are_kept_by_the_server(primary: Primary) -> None:
    assert await add(primary, "www.example.test", only=Only.NEW_NAME) == Refused("YXDOMAIN")
    assert await add(primary, "www.example.test", only=Only.FIRST_OF_TYPE) is None
    assert await add(primary, "www.example.test", only=Only.FIRST_OF_TYPE) == Refused("YXRRSET")


@pytest.mark.parametrize(
    ("key", "why"),
    [(TsigKey("stranger", SECRET), "BADKEY"), (TsigKey(KEY_NAME, "b3RoZXI="), "BADSIG")],
)
async def test_a_wrong_key_is_refused_with_the_reason(primary: Primary, key: TsigKey, why: str) -> None:
    assert await add(primary, key=key) == Refused(why)
    assert primary.updates == []


async def test_what_the_server_says_no_to_is_told_in_its_word(primary: Primary) -> None:
    primary.refuse = dns.rcode.REFUSED
    assert await add(primary) == Refused("REFUSED")


async def test_a_yes_without_a_signature_is_none(primary: Primary) -> None:
    primary.signs = False
    refused = await add(primary)
    assert refused is not None
    assert refused.rcode == "UNSIGNED"


async def test_a_server_that_is_not_there_is_told_and_does_not_raise() -> None:
    refused = await Updater("127.0.0.1:1", KEY).add("example.test", "example.test", "TXT", '"x"', ttl=60)
    assert refused is not None
    assert refused.rcode == "NO ANSWER"


def test_a_secret_that_is_no_base64_is_refused_without_being_shown() -> None:
    with pytest.raises(ValueError, match="not Base64") as caught:
        TsigKey("relay", "se cret!")
    assert "se cret" not in str(caught.value)
    assert "cmVsYX" not in repr(KEY)
