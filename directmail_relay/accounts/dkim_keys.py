"""The DKIM keys of registered domains: made, rotated, read. The private half is stored encrypted, and never logged.

A key's life: made → its record is seen in the DNS, it signs (`active_since`) → the next one's record is seen, it signs
no more (`retired_at`) → the last mail that it signed has left, its record may go.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import structlog
from sqlalchemy import Connection, Row, delete, select, update

from directmail_relay.accounts.changes import Change, RefusedError
from directmail_relay.accounts.secret_key import Cipher, DecryptError
from directmail_relay.accounts.turns import take_turn
from directmail_relay.content.signing_keys import (
    PrivateKey,
    SigningKey,
    generate_private_key,
    load_private_key,
    public_record,
    render_private_key,
)
from directmail_relay.database.accounts_schema import dkim_keys, domains
from directmail_relay.database.clock import from_ms, iso, to_ms
from directmail_relay.policy.domain_records import Record, dkim_record

log = structlog.get_logger()

# Receivers look at a record somewhat after a mail came, and DNS caches live for about a day.
MARGIN_SECONDS = 86_400.0
_KEYS_IN_MEMORY = 10_000

KeyRow = Row[Any]


def make_private_key(cipher: Cipher) -> str:
    """A new RSA-2048 key, encrypted for the table. Takes a tenth of a second or more: never within a transaction."""
    return cipher.encrypt(render_private_key(generate_private_key()))


def add_key(connection: Connection, change: Change, domain: str, private_key: str, selector: str) -> str:
    """Stores a key that does not sign yet. `selector` is a prefix; returns the whole: `s20261123`, then `s20261123b` …

    Records nothing: it is a part of its caller's change.
    """
    taken = {row.selector for row in list_keys(connection, domain)}
    first = f"{selector}{datetime.fromtimestamp(change.now, UTC):%Y%m%d}"
    names = (first, *(f"{first}{letter}" for letter in "bcdefghijklmnopqrstuvwxyz"))
    free = next((name for name in names if name not in taken), None)
    if free is None:
        raise RefusedError("too_many", f"{domain} got {len(names)} keys today: rotate again tomorrow")
    connection.execute(
        dkim_keys.insert().values(domain=domain, selector=free, private_key=private_key, created_at=change.at)
    )
    return free


def rotate_key(
    connection: Connection, change: Change, domain: str, private_key: str, selector: str, lifetime: float
) -> str:
    """Adds a key that takes over once its record is seen; returns its selector. Forgets keys whose records may go.

    RefusedError `pending` while an earlier one still waits for its record. `lifetime` as for `key_records`.
    """
    take_turn(connection)
    row = connection.execute(select(domains).where(domains.c.name == domain)).one_or_none()
    if row is None:
        raise RefusedError("domain_not_found", f"there is no domain {domain}: see domain list")
    waiting = [key.selector for key in list_keys(connection, domain) if key.active_since is None]
    if waiting:
        record = f"{waiting[0]}._domainkey.{domain}"
        raise RefusedError("pending", f"the last new key still waits for its record: publish {record}, then verify")
    gone = dkim_keys.c.retired_at < to_ms(change.now - lifetime - MARGIN_SECONDS)
    connection.execute(delete(dkim_keys).where(dkim_keys.c.domain == domain, gone))
    name = add_key(connection, change, domain, private_key, selector)
    change.record(connection, "domain.rotate_dkim", domain, row.account, selector=name)
    return name


def activate_key(connection: Connection, change: Change, domain: str, selector: str) -> bool:
    """The record of this key was seen: it signs from now on and the others no more. False when it does already."""
    keys = dkim_keys.c
    this = (keys.domain == domain) & (keys.selector == selector)
    fresh = update(dkim_keys).where(this, keys.active_since.is_(None), keys.retired_at.is_(None))
    if connection.execute(fresh.values(active_since=change.at)).rowcount == 0:
        return False
    others = update(dkim_keys).where(
        keys.domain == domain, keys.selector != selector, keys.active_since.is_not(None), keys.retired_at.is_(None)
    )
    connection.execute(others.values(retired_at=change.at))
    return True


def list_keys(connection: Connection, domain: str) -> Sequence[KeyRow]:
    """The rows of a domain's keys, the oldest first."""
    return connection.execute(select(dkim_keys).where(dkim_keys.c.domain == domain).order_by(dkim_keys.c.id)).all()


def show_keys(connection: Connection, domain: str) -> list[dict[str, Any]]:
    """Each key without its secret: `selector`, `state` (waiting, active, retired), and its times."""
    return [_show(row) for row in list_keys(connection, domain)]


def show_all_keys(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    """The same for all domains that have keys, by domain."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in connection.execute(select(dkim_keys).order_by(dkim_keys.c.id)):
        found.setdefault(row.domain, []).append(_show(row))
    return found


def keep_until(row: KeyRow, lifetime: float) -> float | None:
    """Until when (POSIX seconds) the record of a retired key must stay; None for one that is not retired.

    The last mail that it signed may be tried for `lifetime` seconds more (`delivery.retry.lifetime`).
    """
    return None if row.retired_at is None else from_ms(row.retired_at) + lifetime + MARGIN_SECONDS


def key_records(rows: Sequence[KeyRow], cipher: Cipher, now: float, lifetime: float) -> list[Record]:
    """What to publish for each key, the newest first: what signs next, what signs now, what signed until lately.

    Raises DecryptError when a key was encrypted under another secret key.
    """
    return [
        dkim_record(
            row.domain,
            row.selector,
            public_record(_load(cipher, row.private_key)),
            _note_on(row, now, lifetime),
            may_go=_may_go(row, now, lifetime),
        )
        for row in reversed(rows)
    ]


def active_keys(connection: Connection, cipher: Cipher) -> dict[str, tuple[SigningKey, ...]]:
    """Domain → the keys that sign for it now. A key that cannot be read is left out, and the log says so."""
    wanted = select(dkim_keys).where(dkim_keys.c.active_since.is_not(None), dkim_keys.c.retired_at.is_(None))
    found: dict[str, tuple[SigningKey, ...]] = {}
    for row in connection.execute(wanted.order_by(dkim_keys.c.id)):
        try:
            key = SigningKey(row.domain, row.selector, _load(cipher, row.private_key))
        except DecryptError:
            log.error("dkim_key_unreadable", domain=row.domain, selector=row.selector)
            continue
        found[row.domain] = (*found.get(row.domain, ()), key)
    return found


def _show(row: KeyRow) -> dict[str, Any]:
    return {
        "selector": row.selector,
        "state": "waiting" if row.active_since is None else "retired" if row.retired_at else "active",
        "created_at": iso(row.created_at),
        "active_since": iso(row.active_since),
        "retired_at": iso(row.retired_at),
    }


def _may_go(row: KeyRow, now: float, lifetime: float) -> bool:
    until = keep_until(row, lifetime)
    return until is not None and until <= now


def _note_on(row: KeyRow, now: float, lifetime: float) -> str | None:
    until = keep_until(row, lifetime)
    if until is None:
        return "signs once it is seen" if row.active_since is None else None
    if until <= now:
        return "may be removed"
    return f"keep until {datetime.fromtimestamp(until, UTC):%Y-%m-%d %H:%M}Z"


@functools.lru_cache(maxsize=_KEYS_IN_MEMORY)
def _load(cipher: Cipher, private_key: str) -> PrivateKey:
    # Remembered: OpenSSL checks a key for milliseconds each time it reads it. A cipher is told by its identity.
    return load_private_key(cipher.decrypt(private_key))
