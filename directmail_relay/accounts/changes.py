"""What every change of what is registered has in common: who made it, the audit log, the version, the refusal.

A change, its audit row and the new version are one transaction, so the log is complete and the workers, who poll the
version, never miss one. No secret may get into the log: callers give details that they chose, never a whole row.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select, update

from directmail_relay.database.accounts_schema import audit, registry_version
from directmail_relay.database.clock import iso, to_ms


class RefusedError(ValueError):
    """A change that the rules refuse. `code` is snake_case, for programs; the text is one sentence: why, what to do."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Change:
    """Who changes something, and when (POSIX seconds). `who` is `cli:root`, `config`, `api:KEY` or `relay`."""

    who: str
    now: float

    @property
    def at(self) -> int:
        """The time as the tables keep it."""
        return to_ms(self.now)

    def record(
        self, connection: Connection, what: str, name: str, account: str | None = None, **detail: object
    ) -> None:
        """Writes the change into the audit log and raises the version: `what` is `address.freeze`, `name` which one."""
        connection.execute(
            audit.insert().values(
                at=self.at,
                who=self.who,
                what=what,
                object=name,
                account=account,
                detail=json.dumps(detail, ensure_ascii=False, default=str),
            )
        )
        connection.execute(
            update(registry_version).where(registry_version.c.id == 1).values(version=registry_version.c.version + 1)
        )


_version = select(registry_version.c.version).where(registry_version.c.id == 1)


def read_version(connection: Connection) -> int:
    """The number of the last change."""
    version: int = connection.execute(_version).scalar_one()
    return version


def list_audit(connection: Connection, account: str | None = None, limit: int = 100) -> list[dict[str, Any]]:
    """The latest changes, the newest first: `at`, `who`, `what`, `object`, `account`, `detail`."""
    wanted = select(audit).order_by(audit.c.id.desc()).limit(limit)
    if account is not None:
        wanted = wanted.where(audit.c.account == account)
    return [
        {
            "at": iso(row.at),
            "who": row.who,
            "what": row.what,
            "object": row.object,
            "account": row.account,
            "detail": json.loads(row.detail),
        }
        for row in connection.execute(wanted)
    ]
