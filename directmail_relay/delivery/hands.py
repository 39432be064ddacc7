"""What the dispatcher works with and knows nothing more about: couriers, contents, signatures, the time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from directmail_relay.delivery.outgoing import Outgoing
from directmail_relay.delivery.parcel import Read, Sign
from directmail_relay.mail.attempt import DeliveryAttempt


class Sends(Protocol):
    """A courier: keeps at most one session, to one destination."""

    async def deliver(self, outgoing: Outgoing, may_begin_data: Callable[[], bool]) -> tuple[DeliveryAttempt, ...]: ...
    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Hands:
    """What the dispatcher works with; `new_courier` takes a destination."""

    new_courier: Callable[[str], Sends]
    read: Read
    sign: Sign
    clock: Callable[[], float]
