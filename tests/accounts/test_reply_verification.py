"""Verifying a reply-to mailbox: tickets that work once, for ten minutes, for the mailbox that they were sent to."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy import Connection, select, text, update

from directmail_relay.accounts.changes import Change, RefusedError, list_audit
from directmail_relay.accounts.reply_verification import (
    MAIL_SECONDS,
    TICKET_SECONDS,
    Ticket,
    approve,
    begin_verification,
    find_pending,
)
from directmail_relay.database.accounts_schema import accounts, addresses, reply_verifications
from directmail_relay.database.engine import Database

NOW = 1_795_000_000.0
ADDRESS = "notice@example.com"
MAILBOX = "office@example.net"


def register(connection: Connection, address: str = ADDRESS, mailbox: str | None = MAILBOX) -> None:
    if not connection.execute(select(accounts.c.name)).first():
        connection.execute(
            accounts.insert().values(name="shop", status="normal", ip_protection=False, declared=False, created_at=0)
        )
    connection.execute(
        addresses.insert().values(
            address=address,
            account="shop",
            domain="example.com",
            kind="trigger",
            frozen=False,
            reply_to=mailbox,
            reply_to_verified=False,
            declared=False,
            created_at=0,
        )
    )


def cli(now: float = NOW) -> Change:
    return Change("cli:root", now)


def is_verified(connection: Connection, address: str = ADDRESS) -> bool:
    wanted = select(addresses.c.reply_to_verified).where(addresses.c.address == address)
    return bool(connection.execute(wanted).scalar_one())


def begin(database: Database, now: float = NOW, address: str = ADDRESS) -> Ticket:
    return database.write_now(begin_verification, cli(now), address)


def refusal(database: Database, fn: Any, *args: Any) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        database.write_now(fn, *args)
    return caught.value


@pytest.fixture
def registered(database: Database) -> Database:
    database.write_now(register)
    return database


def test_a_ticket_approves_its_mailbox(registered: Database) -> None:
    ticket = begin(registered)
    assert (ticket.address, ticket.account, ticket.mailbox) == (ADDRESS, "shop", MAILBOX)
    assert ticket.expires_at == NOW + 600
    assert not registered.read_now(is_verified)
    pending = registered.read_now(find_pending, NOW, ticket.text)
    assert pending is not None
    assert (pending.address, pending.mailbox) == (ADDRESS, MAILBOX)
    assert registered.write_now(approve, Change("relay", NOW + 1), ticket.text) == ADDRESS
    assert registered.read_now(is_verified)


def test_a_ticket_works_once(registered: Database) -> None:
    ticket = begin(registered)
    registered.write_now(approve, cli(), ticket.text)
    assert registered.read_now(find_pending, NOW, ticket.text) is None
    assert refusal(registered, approve, cli(), ticket.text).code == "no_ticket"


def test_a_used_ticket_does_not_verify_the_mailbox_when_it_is_set_again(registered: Database) -> None:
    ticket = begin(registered)
    registered.write_now(approve, cli(), ticket.text)
    again = update(addresses).values(reply_to_verified=False)
    registered.write_now(lambda connection: connection.execute(again))
    assert refusal(registered, approve, cli(), ticket.text).code == "no_ticket"


@pytest.mark.parametrize(("after", "valid"), [(0.0, True), (599.9, True), (600.0, False), (86_400.0, False)])
def test_a_ticket_lives_ten_minutes(registered: Database, after: float, valid: bool) -> None:  # noqa: FBT001 - a table
    ticket = begin(registered)
    assert (registered.read_now(find_pending, NOW + after, ticket.text) is not None) == valid
    if valid:
        assert registered.write_now(approve, cli(NOW + after), ticket.text) == ADDRESS
    else:
        assert refusal(registered, approve, cli(NOW + after), ticket.text).code == "no_ticket"
        assert not registered.read_now(is_verified)


@pytest.mark.parametrize("ticket", ["", "wrong", "x" * 43, "x" * 100_000, "\x00", "\udcff", "验证"])
def test_a_wrong_ticket_is_refused_in_the_same_words_as_an_old_one(registered: Database, ticket: str) -> None:
    old = begin(registered)
    words = str(refusal(registered, approve, cli(NOW + TICKET_SECONDS), old.text))
    assert str(refusal(registered, approve, cli(), ticket)) == words
    assert "have a new verification mail sent" in words


def test_only_the_hash_of_a_ticket_is_kept(registered: Database) -> None:
    ticket = begin(registered)
    rows = registered.read_now(lambda connection: connection.execute(select(reply_verifications)).all())
    assert len(rows) == 1
    assert ticket.text not in str(rows)
    assert len(rows[0].ticket_hash) == 64
    assert ticket.text not in repr(ticket)
    assert refusal(registered, approve, cli(), rows[0].ticket_hash).code == "no_ticket"


def test_the_next_mail_waits_ten_minutes_and_the_refusal_says_until_when(registered: Database) -> None:
    begin(registered)
    error = refusal(registered, begin_verification, cli(NOW + MAIL_SECONDS - 0.001), ADDRESS)
    assert error.code == "too_soon"
    assert "the next one can go at 2026-11-18T11:16:40.000Z" in str(error)
    assert begin(registered, NOW + MAIL_SECONDS).mailbox == MAILBOX


def test_another_mailbox_does_not_shorten_the_wait(registered: Database) -> None:
    begin(registered)
    registered.write_now(set_mailbox, "other@example.net")
    assert refusal(registered, begin_verification, cli(NOW + 60), ADDRESS).code == "too_soon"


def test_one_address_does_not_hold_up_another(registered: Database) -> None:
    registered.write_now(register, "second@example.com")
    first, second = begin(registered), begin(registered, address="second@example.com")
    assert registered.write_now(approve, cli(), second.text) == "second@example.com"
    assert registered.write_now(approve, cli(), first.text) == ADDRESS


def test_a_clock_that_was_set_back_holds_nobody_up(registered: Database) -> None:
    begin(registered)
    assert begin(registered, NOW - 3600).address == ADDRESS


def test_a_newer_ticket_makes_the_older_one_void(registered: Database) -> None:
    old, new = begin(registered), begin(registered, NOW + 600)
    # The clock goes back, so that the old one would still be in its time.
    assert refusal(registered, approve, cli(NOW + 10), old.text).code == "no_ticket"
    assert registered.write_now(approve, cli(NOW + 610), new.text) == ADDRESS


def set_mailbox(connection: Connection, mailbox: str | None) -> None:
    connection.execute(update(addresses).values(reply_to=mailbox, reply_to_verified=False))


def test_a_ticket_for_an_earlier_mailbox_verifies_nothing(registered: Database) -> None:
    ticket = begin(registered)
    registered.write_now(set_mailbox, "other@example.net")
    assert refusal(registered, approve, cli(), ticket.text).code == "no_ticket"
    assert not registered.read_now(is_verified)


def test_a_ticket_of_an_address_that_is_gone_verifies_nothing(registered: Database) -> None:
    ticket = begin(registered)
    registered.write_now(lambda connection: connection.execute(addresses.delete()))
    assert refusal(registered, approve, cli(), ticket.text).code == "no_ticket"


@pytest.mark.parametrize(("mailbox", "code"), [(None, "no_reply_to"), ("", "no_reply_to")])
def test_without_a_mailbox_there_is_nothing_to_verify(registered: Database, mailbox: str | None, code: str) -> None:
    registered.write_now(set_mailbox, mailbox)
    assert refusal(registered, begin_verification, cli(), ADDRESS).code == code


def test_what_is_verified_gets_no_second_mail(registered: Database) -> None:
    registered.write_now(approve, cli(), begin(registered).text)
    assert refusal(registered, begin_verification, cli(NOW + 3600), ADDRESS).code == "already_verified"


def test_an_unknown_address_is_not_found(registered: Database) -> None:
    assert refusal(registered, begin_verification, cli(), "nobody@example.com").code == "not_found"


def test_both_steps_are_in_the_audit_log_without_the_ticket(registered: Database) -> None:
    ticket = begin(registered)
    registered.write_now(approve, Change("relay", NOW + 1), ticket.text)
    found = registered.read_now(list_audit, "shop")
    assert [(one["who"], one["what"], one["object"]) for one in found] == [
        ("relay", "address.verify_reply_to", ADDRESS),
        ("cli:root", "address.ask_reply_to", ADDRESS),
    ]
    assert ticket.text not in str(found)


def test_of_two_who_use_a_ticket_at_once_one_succeeds(registered: Database) -> None:
    ticket = begin(registered)
    outcomes: list[str] = []
    barrier = threading.Barrier(4)

    def use() -> None:
        barrier.wait()
        try:
            outcomes.append(registered.write_now(approve, cli(), ticket.text))
        except RefusedError as error:
            outcomes.append(error.code)

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["no_ticket"] * 3 + [ADDRESS]


def test_of_two_who_ask_at_once_one_gets_a_mail(registered: Database) -> None:
    outcomes: list[str] = []
    barrier = threading.Barrier(4)

    def ask() -> None:
        barrier.wait()
        try:
            outcomes.append(begin(registered).mailbox)
        except RefusedError as error:
            outcomes.append(error.code)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [MAILBOX] + ["too_soon"] * 3


def test_old_rows_go_with_the_next_ticket(registered: Database) -> None:
    registered.write_now(register, "second@example.com")
    begin(registered)
    begin(registered, NOW + 2 * 86_400, "second@example.com")
    count = text("SELECT count(*) FROM reply_verifications")
    assert registered.read_now(lambda connection: connection.execute(count).scalar_one()) == 1
