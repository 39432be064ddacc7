"""A duty has one holder, and goes on when its holder dies or stops."""

from __future__ import annotations

import threading

from directmail_relay.database.engine import Database
from directmail_relay.queue.claim import Claim, begin_life, bury
from directmail_relay.queue.lease import give_leases_back, take_lease


def born(database: Database, owner: int) -> Claim:
    return database.write_now(begin_life, owner)[0]


def test_one_alone_has_a_duty(database: Database) -> None:
    one, two = born(database, 1), born(database, 2)
    assert database.write_now(take_lease, "purge", one)
    assert not database.write_now(take_lease, "purge", two)
    assert database.write_now(take_lease, "purge", one)
    assert database.write_now(take_lease, "sample", two)


def test_a_duty_ends_with_the_life_of_its_holder(database: Database) -> None:
    one, two = born(database, 1), born(database, 2)
    database.write_now(take_lease, "purge", one)
    database.write_now(bury, one.owner, one.epoch, 0)
    assert database.write_now(take_lease, "purge", two)
    assert not database.write_now(take_lease, "purge", one)


def test_a_new_life_does_not_inherit_the_duty_but_takes_it(database: Database) -> None:
    one = born(database, 1)
    database.write_now(take_lease, "purge", one)
    again, two = born(database, 1), born(database, 2)
    assert database.write_now(take_lease, "purge", again)
    assert not database.write_now(take_lease, "purge", two)


def test_who_stops_gives_its_duties_back(database: Database) -> None:
    one, two = born(database, 1), born(database, 2)
    database.write_now(take_lease, "purge", one)
    database.write_now(take_lease, "sample", two)
    database.write_now(give_leases_back, one)
    assert database.write_now(take_lease, "purge", two)
    assert not database.write_now(take_lease, "sample", one)


def test_of_many_that_ask_at_once_one_gets_it(database: Database) -> None:
    claims = [born(database, owner) for owner in range(6)]
    got: list[int] = []

    def ask(claim: Claim) -> None:
        if database.write_now(take_lease, "purge", claim):
            got.append(claim.owner)

    threads = [threading.Thread(target=ask, args=(claim,)) for claim in claims]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 1
