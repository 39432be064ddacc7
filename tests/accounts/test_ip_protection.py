from __future__ import annotations

import pytest

from directmail_relay.accounts.accounts import add_account, show_account
from directmail_relay.accounts.changes import list_audit, read_version
from directmail_relay.accounts.ip_protection import add_entry, list_entries, remove_entry, turn_off, turn_on
from directmail_relay.database.engine import Database
from tests.accounts.registering import refused, write

HOME = "198.51.100.7"


@pytest.fixture
def shop(database: Database) -> Database:
    write(database, add_account, "shop")
    return database


def listed(database: Database) -> list[str]:
    return [one["entry"] for one in database.read_now(list_entries, "shop")]


def is_on(database: Database) -> bool:
    return bool(database.read_now(show_account, "shop")["ip_protection"])


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("220.181.12.241", "220.181.12.241"),
        ("220.181.12.241-220.181.12.255", "220.181.12.241-220.181.12.255"),
        ("220.181.12.9/24", "220.181.12.0/24"),
        ("220.181.12.0-220.181.12.255", "220.181.12.0/24"),
        (" 2001:DB8::1 ", "2001:db8::1"),
        ("::ffff:198.51.100.7", HOME),
    ],
)
def test_an_entry_is_one_address_a_range_or_a_block_and_is_listed_in_its_shortest_form(
    shop: Database, text: str, entry: str
) -> None:
    assert write(shop, add_entry, "shop", text)["entry"] == entry
    with refused("entry_exists"):
        write(shop, add_entry, "shop", entry)
    write(shop, remove_entry, "shop", text)
    assert listed(shop) == []


@pytest.mark.parametrize(
    "text", ["", "shop", "192.0.2.1,192.0.2.2", "192.0.2.9-192.0.2.1", "192.0.2.0/33", "192.0.2.0/x"]
)
def test_what_is_no_entry_is_refused(shop: Database, text: str) -> None:
    with refused("bad_entry"):
        write(shop, add_entry, "shop", text)
    with refused("bad_entry"):
        write(shop, remove_entry, "shop", text)


@pytest.mark.parametrize(
    "text", ["192.168.0.0-192.168.255.255", "10.1.2.3", "172.16.0.0/12", "0.0.0.0/0", "127.0.0.1", "::1"]
)
def test_private_addresses_are_refused_unless_the_configuration_allows_them(shop: Database, text: str) -> None:
    with refused("private_range"):
        write(shop, add_entry, "shop", text)
    write(shop, add_entry, "shop", text, allow_private=True)
    assert len(listed(shop)) == 1


def test_the_list_takes_ten(shop: Database) -> None:
    for number in range(10):
        write(shop, add_entry, "shop", f"198.51.100.{number}")
    with refused("too_many_entries"):
        write(shop, add_entry, "shop", "198.51.100.10")
    write(shop, remove_entry, "shop", "198.51.100.0")
    write(shop, add_entry, "shop", "198.51.100.10")
    assert listed(shop)[-1] == "198.51.100.10"


def test_an_empty_list_is_not_turned_on_and_one_that_is_on_is_not_emptied(shop: Database) -> None:
    with refused("empty_list"):
        write(shop, turn_on, "shop")
    write(shop, add_entry, "shop", HOME)
    write(shop, turn_on, "shop")
    with refused("empty_list") as caught:
        write(shop, remove_entry, "shop", HOME)
    assert "ip off" in str(caught.value)
    assert is_on(shop)
    write(shop, turn_off, "shop")
    write(shop, remove_entry, "shop", HOME)
    assert not is_on(shop)


def test_a_change_that_would_lock_out_where_it_comes_from_says_so_and_can_be_forced(shop: Database) -> None:
    write(shop, add_entry, "shop", HOME)
    write(shop, add_entry, "shop", "203.0.113.0/24")
    with refused("would_lock_out") as caught:
        write(shop, turn_on, "shop", from_ip="192.0.2.1")
    assert "192.0.2.1" in str(caught.value)
    assert not is_on(shop)
    write(shop, turn_on, "shop", from_ip=HOME)
    with refused("would_lock_out"):
        write(shop, remove_entry, "shop", HOME, from_ip=HOME)
    write(shop, remove_entry, "shop", HOME, from_ip="203.0.113.5")
    write(shop, add_entry, "shop", HOME)
    write(shop, remove_entry, "shop", "203.0.113.0/24", from_ip="203.0.113.5", force=True)
    assert listed(shop) == [HOME]


def test_while_it_is_off_nothing_locks_anybody_out(shop: Database) -> None:
    write(shop, add_entry, "shop", HOME)
    write(shop, remove_entry, "shop", HOME, from_ip=HOME)


def test_each_account_has_its_own_list(shop: Database) -> None:
    write(shop, add_account, "blog")
    write(shop, add_entry, "shop", HOME)
    with refused("entry_not_found"):
        write(shop, remove_entry, "blog", HOME)
    assert shop.read_now(list_entries, "blog") == []
    with refused("account_not_found"):
        shop.read_now(list_entries, "nobody")


def test_turning_on_what_is_on_is_no_change(shop: Database) -> None:
    write(shop, add_entry, "shop", HOME)
    write(shop, turn_on, "shop")
    version = shop.read_now(read_version)
    write(shop, turn_on, "shop")
    assert shop.read_now(read_version) == version
    write(shop, turn_off, "shop")
    assert [one["what"] for one in shop.read_now(list_audit)][:3] == ["ip.off", "ip.on", "ip.add"]
