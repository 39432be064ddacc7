"""What the state of a domain's DNS records comes to: its status, what is missing, whether it may send.

Decided from the row and the time alone; nothing here asks the DNS or changes anything.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from typing import Any

from directmail_relay.database.clock import to_ms
from directmail_relay.policy.domain_records import OPTIONAL, REQUIRED, Purpose

# The guide's words (域名配置), for people; programs read the status itself.
_WORDS = {"unverified": "待验证", "verified": "验证通过", "failed": "验证失败"}


class DomainStatus(StrEnum):
    """`usable` is the guide's 可使用-XXX: all required records, not all optional ones; `failed` had them once."""

    UNVERIFIED = "unverified"
    USABLE = "usable"
    VERIFIED = "verified"
    FAILED = "failed"


def parse_found(found: str) -> frozenset[Purpose]:
    """The column `found`: purposes whose records were right at the last check."""
    return frozenset(Purpose(word) for word in found.split(",") if word)


def status_of(row: Any) -> DomainStatus:
    """The status of a row of `domains`. A trusted one is verified, whatever the DNS says."""
    if row.trusted:
        return DomainStatus.VERIFIED
    if row.verified_at is None:
        return DomainStatus.UNVERIFIED
    if row.broken_since is not None:
        return DomainStatus.FAILED
    return DomainStatus.USABLE if missing_of(row) else DomainStatus.VERIFIED


def missing_of(row: Any) -> list[Purpose]:
    """What was not found at the last check, required purposes first; nothing for a trusted domain."""
    if row.trusted:
        return []
    found = parse_found(row.found)
    return [purpose for purpose in (*REQUIRED, *OPTIONAL) if purpose not in found]


def is_usable(row: Any, now: float, grace: float) -> bool:
    """Whether the domain may send now (POSIX seconds); `grace` is for how long, in seconds, it may after it broke.

    A declared domain that was never verified may: who writes the configuration vouches for it.
    """
    if row.trusted:
        return True
    if row.verified_at is None:
        return bool(row.declared)
    return row.broken_since is None or to_ms(now - grace) < row.broken_since


def describe(status: DomainStatus, missing: Collection[Purpose]) -> str:
    """The guide's word for it: 待验证, 验证通过, 可使用-缺CNAME,DKIM, 验证失败-缺SPF."""
    if status is DomainStatus.USABLE:
        return f"可使用-缺{_list(missing)}"
    return _WORDS[status] + (f"-缺{_list(missing)}" if status is DomainStatus.FAILED else "")


def _list(missing: Collection[Purpose]) -> str:
    return ",".join(purpose.upper() for purpose in missing)
