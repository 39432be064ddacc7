"""What every courier of a process shares: DNS, the routes, the settings, the clock and chance.

Built once by the composition root; a reload of the configuration builds a new one for the couriers to come.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from directmail_relay.delivery.settings import DeliverySettings
from directmail_relay.policy.route import Rand, Route
from directmail_relay.resolver import Resolver


@dataclass(frozen=True, slots=True)
class Way:
    """`routes` in their order, first match wins. `now` gives POSIX seconds."""

    resolver: Resolver
    settings: DeliverySettings
    routes: tuple[Route, ...] = ()
    now: Callable[[], float] = time.time
    rand: Rand = random.random
