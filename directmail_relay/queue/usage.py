"""What each account has used of its quotas: recipients by day, by month and in all.

Reserved in the transaction that stores the mail, so the limits hold exactly however many send at once. Rows are
locked in the order of the account names, and of each account its total first: whoever has that has the account,
whatever days and months it counts in. So two groups never wait for each other in a circle.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, Select, bindparam, select
from sqlalchemy.dialects import postgresql, sqlite

from directmail_relay.database.schema import usage
from directmail_relay.policy.quota import Periods, Used

TOTAL = "total"

_read = (
    select(usage.c.period, usage.c.used)
    .where(usage.c.account == bindparam("of_account"), usage.c.period.in_(bindparam("of_periods", expanding=True)))
    .order_by(usage.c.period.desc())
)
_read_locked = _read.with_for_update()
_add = (
    usage.update()
    .where(usage.c.account == bindparam("of_account"), usage.c.period == bindparam("of_period"))
    .values(used=usage.c.used + bindparam("more"))
)


def lock_used(connection: Connection, accounts: Iterable[str], periods: Periods) -> dict[str, Used]:
    """What each account has used; from here to the end of the transaction nobody else can add to it."""
    return {name: _lock_one(connection, name, periods) for name in sorted(set(accounts))}


def read_used(connection: Connection, account: str, periods: Periods) -> Used:
    """What the account has used so far, for showing; nothing is locked."""
    return _as_used(_fetch(connection, _read, account, periods), periods)


def add_used(connection: Connection, added: dict[str, int], periods: Periods) -> None:
    """Counts so many recipients more for each account, in all three periods. Call `lock_used` first."""
    rows = [
        {"of_account": name, "of_period": period, "more": more}
        for name, more in sorted(added.items())
        if more
        for period in _periods(periods)
    ]
    if rows:
        connection.execute(_add, rows)


def _periods(periods: Periods) -> tuple[str, str, str]:
    return TOTAL, periods.day, periods.month  # descending, as _read locks them


def _lock_one(connection: Connection, account: str, periods: Periods) -> Used:
    found = _fetch(connection, _read_locked, account, periods)
    if len(found) < len(_periods(periods)):  # the first mail of a day: a row that is not there cannot be locked
        _make_missing(connection, account, periods)
        found = _fetch(connection, _read_locked, account, periods)
    return _as_used(found, periods)


def _make_missing(connection: Connection, account: str, periods: Periods) -> None:
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    rows = [{"account": account, "period": period, "used": 0} for period in _periods(periods)]
    connection.execute(insert(usage).on_conflict_do_nothing(), rows)


def _fetch(
    connection: Connection, statement: Select[tuple[str, int]], account: str, periods: Periods
) -> dict[str, int]:
    rows = connection.execute(statement, {"of_account": account, "of_periods": list(_periods(periods))})
    return {row.period: row.used for row in rows}


def _as_used(found: dict[str, int], periods: Periods) -> Used:
    return Used(daily=found.get(periods.day, 0), monthly=found.get(periods.month, 0), total=found.get(TOTAL, 0))
