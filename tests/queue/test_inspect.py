"""What `queue list|show|stats` print, in exactly the promised shapes."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import update

from directmail_relay.database import schema
from directmail_relay.database.clock import iso
from directmail_relay.database.engine import Database
from directmail_relay.mail.message import Kind, State
from directmail_relay.policy.verdict import Delivered, GiveUp, RetryAt
from directmail_relay.queue.claim import Claim, beat, begin_life
from directmail_relay.queue.env_id import first_env_id
from directmail_relay.queue.inspect import (
    count_states,
    list_destinations,
    list_recipients,
    oldest_open,
    show_message,
)
from directmail_relay.queue.put import put
from directmail_relay.queue.selection import Selection
from directmail_relay.queue.settle import settle
from tests.queue.mail import NOW, new_mail, settled

OLD = first_env_id(NOW - 60)
NEW = first_env_id(NOW - 5)


def hold(database: Database, env_id: int) -> None:
    r = schema.recipients
    database.write_now(
        lambda connection: connection.execute(update(r).where(r.c.env_id == env_id).values(state="held"))
    )


def test_the_list_shows_what_is_open_the_oldest_first(database: Database) -> None:
    database.write_now(put, [new_mail(NEW, "b@y.test", "c@x.test", claimed={1}, account="other", recv_time=NOW - 5)])
    database.write_now(put, [new_mail(OLD, "a@x.test", recv_time=NOW - 60)])
    database.write_now(put, [new_mail(7, claimed={0})])
    database.write_now(settle, [settled(7, Delivered())])
    first = {
        "env_id": str(OLD),
        "rcpt": "a@x.test",
        "destination": "x.test",
        "account": "shop",
        "state": "queued",
        "attempts": 0,
        "due_at": "2026-11-18T11:06:40.000Z",
        "age_seconds": 60.0,
    }
    second = {
        **first,
        "env_id": str(NEW),
        "rcpt": "b@y.test",
        "destination": "y.test",
        "account": "other",
        "age_seconds": 5.0,
    }
    third = {**second, "rcpt": "c@x.test", "destination": "x.test", "state": "delivering"}
    assert database.read_now(list_recipients, Selection(), NOW, 50) == [first, second, third]
    assert database.read_now(list_recipients, Selection(), NOW, 1) == [first]
    assert database.read_now(list_recipients, Selection(state=State.DELIVERING), NOW, 50) == [third]
    assert database.read_now(list_recipients, Selection(account="nobody"), NOW, 50) == []


def test_an_age_is_never_negative(database: Database) -> None:
    database.write_now(put, [new_mail(NEW)])
    (shown,) = database.read_now(list_recipients, Selection(), NOW - 1000, 50)
    assert shown["age_seconds"] == 0.0


def test_a_message_is_shown_with_every_recipient_and_attempt(database: Database) -> None:
    database.write_now(put, [new_mail(OLD, "a@x.test", "b@y.test", claimed={0, 1}, tag="spring")])
    retried = settled(OLD, RetryAt(NOW + 60), index=1)
    assert retried.attempt
    nowhere = replace(retried, attempt=replace(retried.attempt, mx_host=None, mx_ip=None, tls=None))
    database.write_now(settle, [settled(OLD, GiveUp(2)), nowhere])
    attempt = {
        "at": "2026-11-18T11:06:40.000Z",
        "seconds": 0.25,
        "mx_host": "mx.example.net",
        "mx_ip": "192.0.2.1",
        "stage": "DATA",
        "code": 450,
        "enhanced": "2.0.0",
        "text": "said the host",
        "category": "ok",
        "rule": "r1",
        "tls": "TLSv1.3",
    }
    assert database.read_now(show_message, OLD) == {
        "env_id": str(OLD),
        "account": "shop",
        "mail_from": "notice@example.com",
        "message_id": "<1@example.com>",
        "size": 11,
        "recv_time": "2026-11-18T11:06:40.000Z",
        "tag": "spring",
        "recipients": [
            {
                "rcpt": "a@x.test",
                "destination": "x.test",
                "state": "failed",
                "status": 2,
                "due_at": None,
                "ended_at": "2026-11-18T11:06:40.250Z",
                "attempts": [attempt],
            },
            {
                "rcpt": "b@y.test",
                "destination": "y.test",
                "state": "queued",
                "status": None,
                "due_at": "2026-11-18T11:07:40.000Z",
                "ended_at": None,
                "attempts": [{**attempt, "mx_host": None, "mx_ip": None, "tls": None}],
            },
        ],
    }


def test_a_number_that_no_message_has_shows_nothing(database: Database) -> None:
    assert database.read_now(show_message, 404) is None


def test_every_open_state_is_counted_and_named(database: Database) -> None:
    assert database.read_now(count_states) == {"queued": 0, "delivering": 0, "held": 0}
    database.write_now(
        put, [new_mail(1, "a@x.test", "b@x.test", "c@x.test", claimed={0}), new_mail(2), new_mail(3, claimed={0})]
    )
    hold(database, 2)
    database.write_now(settle, [settled(3, Delivered())])
    assert database.read_now(count_states) == {"queued": 2, "delivering": 1, "held": 1}


def test_destinations_are_shown_the_fullest_first(database: Database) -> None:
    for owner, sessions in ((32, {"x.test": 2}), (33, {"x.test": 1, "idle.test": 1})):
        claim, _ = database.write_now(begin_life, owner)
        assert isinstance(claim, Claim)
        database.write_now(beat, claim, sessions)
    database.write_now(put, [new_mail(OLD, "a@x.test", "b@y.test", "c@x.test", kind=Kind.BATCH)])
    database.write_now(put, [new_mail(NEW, "d@y.test", "e@x.test", "f@z.test", claimed={0})])
    rest = {"held": 0, "paused_until": None}
    x = {"destination": "x.test", "queued": 3, "delivering": 0, "oldest_seconds": 60.0, "sessions": 3, **rest}
    y = {"destination": "y.test", "queued": 1, "delivering": 1, "oldest_seconds": 60.0, "sessions": 0, **rest}
    z = {"destination": "z.test", "queued": 1, "delivering": 0, "oldest_seconds": 5.0, "sessions": 0, **rest}
    assert database.read_now(list_destinations, NOW, 50) == [x, y, z]
    assert database.read_now(list_destinations, NOW, 1) == [x]


def test_the_oldest_that_waits_is_known_by_its_number(database: Database) -> None:
    assert database.read_now(oldest_open, NOW) == 0.0
    database.write_now(put, [new_mail(first_env_id(NOW - 600), claimed={0}), new_mail(OLD), new_mail(NEW)])
    assert database.read_now(oldest_open, NOW) == 60.0
    assert database.read_now(oldest_open, NOW - 3600) == 0.0


def test_times_are_read_by_people_and_json() -> None:
    assert iso(1_795_000_000_007) == "2026-11-18T11:06:40.007Z"
    assert iso(0) == "1970-01-01T00:00:00.000Z"
    assert iso(None) is None
