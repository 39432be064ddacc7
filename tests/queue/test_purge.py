"""What is old is forgotten whole; what is open never."""

from __future__ import annotations

import pytest

from directmail_relay.database.engine import Database
from directmail_relay.database.schema import metadata, usage
from directmail_relay.policy.verdict import Delivered
from directmail_relay.queue.env_id import first_env_id
from directmail_relay.queue.inspect import show_message
from directmail_relay.queue.purge import purge_messages, purge_usage
from directmail_relay.queue.put import put
from directmail_relay.queue.settle import settle
from tests.queue.mail import NOW, count, new_mail, settled

DAY = 86_400.0


def test_an_old_message_goes_with_all_that_belongs_to_it(database: Database) -> None:
    old, young = first_env_id(NOW - 31 * DAY), first_env_id(NOW - 29 * DAY)
    database.write_now(put, [new_mail(old, claimed={0}), new_mail(young, claimed={0})])
    database.write_now(settle, [settled(old, Delivered()), settled(young, Delivered())])
    assert database.write_now(purge_messages, NOW - 30 * DAY, 100) == 1
    tables = ("messages", "recipients", "attempts")
    assert database.read_now(lambda connection: [count(connection, name) for name in tables]) == [1, 1, 1]
    assert database.read_now(show_message, old) is None
    assert database.read_now(show_message, young)


def test_an_old_message_with_an_open_recipient_stays(database: Database) -> None:
    first = first_env_id(NOW - 31 * DAY)
    database.write_now(put, [new_mail(first, "a@x.test", "b@x.test", claimed={0}), new_mail(first + 1, claimed={0})])
    database.write_now(settle, [settled(first, Delivered())])
    assert database.write_now(purge_messages, NOW - 30 * DAY, 100) == 0
    assert database.read_now(count, "messages") == 2


def test_a_bite_is_no_larger_than_asked_and_the_oldest_go_first(database: Database) -> None:
    first = first_env_id(NOW - 31 * DAY)
    numbers = range(first, first + 5)
    database.write_now(put, [new_mail(n, claimed={0}) for n in numbers])
    database.write_now(settle, [settled(n, Delivered()) for n in numbers])
    assert database.write_now(purge_messages, NOW, 3) == 3
    assert [bool(database.read_now(show_message, n)) for n in numbers] == [False] * 3 + [True] * 2
    assert database.write_now(purge_messages, NOW, 3) == 2
    assert database.write_now(purge_messages, NOW, 3) == 0


@pytest.mark.parametrize(
    ("months", "left"),
    [
        (0, {"total", "2026-01", "2026-01-01", "2026-01-15"}),
        (1, {"total", "2026-01", "2026-01-01", "2026-01-15", "2025-12", "2025-12-31"}),
        (13, {"total", "2026-01", "2026-01-01", "2026-01-15", "2025-12", "2025-12-31", "2024-12"}),
    ],
)
def test_old_counts_go_and_the_total_stays(database: Database, months: int, left: set[str]) -> None:
    periods = [
        "total",
        "2026-01",
        "2026-01-01",
        "2026-01-15",
        "2025-12",
        "2025-12-31",
        "2024-12",
        "2024-11",
        "2024-11-30",
    ]
    rows = [{"account": "shop", "period": period, "used": 1} for period in periods]
    database.write_now(lambda connection: connection.execute(usage.insert(), rows))
    assert database.write_now(purge_usage, months, "2026-01-15") == len(periods) - len(left)
    assert usage is metadata.tables["usage"]
    found = database.read_now(lambda connection: {row.period for row in connection.execute(usage.select())})
    assert found == left
