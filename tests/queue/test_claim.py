"""A worker's lives: what it holds is its own until it dies, and then somebody else's alone."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from directmail_relay.database import schema
from directmail_relay.database.engine import Database
from directmail_relay.mail.message import Kind
from directmail_relay.policy.verdict import Delivered
from directmail_relay.queue.claim import (
    Claim,
    ClaimLostError,
    beat,
    begin_life,
    bury,
    end_life,
    give_back,
    read_beats,
    read_wanted,
)
from directmail_relay.queue.due import claim_due
from directmail_relay.queue.put import put
from directmail_relay.queue.settle import settle
from tests.queue.mail import NOW, new_mail, row, settled


@pytest.fixture
def me(database: Database) -> Claim:
    claim, _ = database.write_now(begin_life, 32)
    return claim


@pytest.fixture
def other(database: Database) -> Claim:
    claim, _ = database.write_now(begin_life, 33)
    return claim


def want(database: Database, wish: str | None, env_id: int, index: int = 0) -> None:
    r = schema.recipients
    change = update(r).where(r.c.env_id == env_id, r.c.idx == index).values(wanted=wish)
    database.write_now(lambda connection: connection.execute(change))


def sessions(database: Database) -> dict[tuple[int, str], int]:
    s = schema.sessions
    rows = database.read_now(lambda connection: connection.execute(select(s)).all())
    return {(one.owner, one.destination): one.open for one in rows}


def test_each_life_has_a_higher_epoch(database: Database) -> None:
    assert database.write_now(begin_life, 32) == (Claim(32, 1), 0)
    assert database.write_now(begin_life, 32) == (Claim(32, 2), 0)
    assert database.write_now(begin_life, 33) == (Claim(33, 1), 0)


def test_a_new_life_frees_what_the_old_one_held_and_nobody_elses(database: Database, me: Claim, other: Claim) -> None:
    database.write_now(put, [new_mail(1, "a@x.test", "b@x.test", claimed={0, 1}, claim=me)])
    database.write_now(put, [new_mail(2, claimed={0}, claim=other)])
    again, freed = database.write_now(begin_life, me.owner)
    assert (again.epoch, freed) == (me.epoch + 1, 2)
    for index in (0, 1):
        stands = database.read_now(row, 1, index)
        assert (stands["state"], stands["owner"], stands["epoch"]) == ("queued", None, None)
    assert database.read_now(row, 2)["owner"] == other.owner


def test_a_wish_to_hold_is_fulfilled_when_the_row_is_freed_and_a_wish_to_drop_stays_for_the_next(
    database: Database, me: Claim
) -> None:
    database.write_now(put, [new_mail(1, "a@x.test", "b@x.test", "c@x.test", claimed={0, 1, 2}, claim=me)])
    want(database, "hold", 1, 0)
    want(database, "drop", 1, 1)
    database.write_now(begin_life, me.owner)
    stand = [database.read_now(row, 1, index) for index in range(3)]
    assert [(one["state"], one["wanted"]) for one in stand] == [("held", None), ("queued", "drop"), ("queued", None)]
    claimed = database.write_now(claim_due, Claim(40, 1), Kind.TRIGGER, {"x.test": 9}, NOW)
    assert [(due.recipient.index, due.wanted) for due in claimed] == [(1, "drop"), (2, None)]


def test_a_beat_moves_and_tells_the_sessions(database: Database, me: Claim, other: Claim) -> None:
    database.write_now(beat, other, {"x.test": 9})
    database.write_now(beat, me, {"x.test": 1, "y.test": 2})
    database.write_now(beat, me, {"y.test": 3})
    assert database.read_now(read_beats) == {me.owner: (me.epoch, 2), other.owner: (other.epoch, 1)}
    assert sessions(database) == {(me.owner, "y.test"): 3, (other.owner, "x.test"): 9}
    database.write_now(beat, me)
    assert len(sessions(database)) == 2


def test_who_is_buried_hears_it_at_the_next_beat(database: Database, me: Claim) -> None:
    database.write_now(put, [new_mail(1, claimed={0}, claim=me)])
    database.write_now(beat, me, {"x.test": 1})
    assert database.write_now(bury, me.owner, me.epoch, 1) == 1
    assert sessions(database) == {}
    with pytest.raises(ClaimLostError):
        database.write_now(beat, me, {"x.test": 1})
    assert sessions(database) == {}
    assert database.read_now(row, 1)["state"] == "queued"


def test_who_moves_after_all_is_not_buried(database: Database, me: Claim) -> None:
    database.write_now(put, [new_mail(1, claimed={0}, claim=me)])
    database.write_now(beat, me)
    assert database.write_now(bury, me.owner, me.epoch, 0) is None
    assert database.write_now(bury, me.owner, me.epoch - 1, 1) is None
    database.write_now(beat, me)
    assert database.read_now(row, 1)["owner"] == me.owner


def test_the_buried_settle_nothing_even_where_the_row_is_claimed_again(
    database: Database, me: Claim, other: Claim
) -> None:
    database.write_now(put, [new_mail(1, claimed={0}, claim=me)])
    database.write_now(bury, me.owner, me.epoch, 0)
    assert database.write_now(settle, [settled(1, Delivered(), claim=me)]) == [False]
    assert len(database.write_now(claim_due, other, Kind.TRIGGER, {"example.net": 1}, NOW)) == 1
    assert database.write_now(settle, [settled(1, Delivered(), claim=me)]) == [False]
    assert database.write_now(settle, [settled(1, Delivered(), claim=other)]) == [True]


def test_what_a_dead_life_stored_late_is_freed_by_the_next_one(database: Database, me: Claim) -> None:
    """It was asleep through its own funeral, and accepted a message before its beat told it."""
    database.write_now(bury, me.owner, me.epoch, 0)
    database.write_now(put, [new_mail(1, claimed={0}, claim=me)])
    _, freed = database.write_now(begin_life, me.owner)
    assert freed == 1


def test_an_orderly_end_gives_all_back(database: Database, me: Claim, other: Claim) -> None:
    database.write_now(put, [new_mail(1, "a@x.test", "b@y.test", claimed={0, 1}, claim=me)])
    database.write_now(put, [new_mail(2, claimed={0}, claim=other)])
    database.write_now(beat, me, {"x.test": 1})
    database.write_now(beat, other, {"x.test": 1})
    assert database.write_now(end_life, me) == 2
    assert database.read_now(row, 1, 1)["state"] == "queued"
    assert database.read_now(row, 2)["state"] == "delivering"
    assert sessions(database) == {(other.owner, "x.test"): 1}


def test_giving_back_goes_as_far_as_the_claim(database: Database, me: Claim, other: Claim) -> None:
    database.write_now(put, [new_mail(1, "a@x.test", "b@x.test", claimed={0, 1}, claim=me)])
    database.write_now(put, [new_mail(2, claimed={0}, claim=other)])
    database.write_now(give_back, me, [(2, 0), (1, 1), (9, 9)])
    database.write_now(give_back, me, [])
    assert [database.read_now(row, *key)["state"] for key in ((1, 0), (1, 1), (2, 0))] == [
        "delivering",
        "queued",
        "delivering",
    ]


def test_a_worker_reads_what_is_wanted_of_its_rows(database: Database, me: Claim, other: Claim) -> None:
    database.write_now(put, [new_mail(1, "a@x.test", "b@x.test", claimed={0, 1}, claim=me)])
    database.write_now(put, [new_mail(2, claimed={0}, claim=other)])
    want(database, "hold", 1, 1)
    want(database, "drop", 2, 0)
    assert database.read_now(read_wanted, me) == {(1, 1): "hold"}
    assert database.read_now(read_wanted, other) == {(2, 0): "drop"}
