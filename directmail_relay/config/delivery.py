"""The `delivery:` section: how mail leaves, how often it is tried again, and how much is under way at once."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from directmail_relay.config.fields import (
    Count,
    DnsServer,
    Items,
    Octets,
    Port,
    RouteDomain,
    Seconds,
    Section,
    T,
    one_of,
)
from directmail_relay.config.hosts import Host
from directmail_relay.policy import route as policy_route
from directmail_relay.policy.route import TlsPolicy

MINUTE = 60.0
HOUR = 3600.0
DAY = 86400.0


def _not_empty(values: tuple[T, ...]) -> tuple[T, ...]:
    if not values:
        raise ValueError("must have one entry at least")
    return values


class Dns(Section):
    """Whom to ask; no servers means those of the system. `timeout` is for one question, its repetitions included."""

    servers: Items[DnsServer] = ()
    timeout: Seconds = 15.0


class Route(Section):
    """Where mail for `domain` goes instead of its MX: `*` is every domain, `*.example.com` those below example.com."""

    domain: RouteDomain
    host: Host
    port: Port = 25
    tls: Annotated[TlsPolicy, one_of(TlsPolicy)] = TlsPolicy.MAY

    def as_policy(self) -> policy_route.Route:
        """The value that `policy.route.find_route` looks through."""
        return policy_route.Route(self.domain, self.host, self.port, self.tls)


class Retry(Section):
    """Seconds between attempts; the last step repeats until the message is `lifetime` old."""

    schedule: Annotated[Items[Seconds], AfterValidator(_not_empty)] = (
        MINUTE,
        5 * MINUTE,
        15 * MINUTE,
        30 * MINUTE,
        HOUR,
        2 * HOUR,
        4 * HOUR,
    )
    lifetime: Seconds = 3 * DAY


class DeliveryTimeouts(Section):
    """Seconds that we wait for the other side, as RFC 5321 §4.5.3.2 has them."""

    connect: Seconds = 30.0
    greeting: Seconds = 5 * MINUTE
    mail: Seconds = 5 * MINUTE
    rcpt: Seconds = 5 * MINUTE
    data: Seconds = 2 * MINUTE
    data_block: Seconds = 3 * MINUTE
    data_done: Seconds = 10 * MINUTE


class InFlight(Section):
    """What one worker delivers straight from memory; beyond that a message waits in the database alone."""

    recipients: Count = 10_000
    recipients_per_destination: Count = 1_000
    size: Octets = 256 << 20


class Delivery(Section):
    """All about the way out. Session limits are for the whole node."""

    port: Port = 25
    dns: Dns = Dns()
    allow_private_mx: bool = False
    routes: Items[Route] = ()
    retry: Retry = Retry()
    max_sessions: Count = 1_000
    sessions_per_destination: Count = 20
    timeouts: DeliveryTimeouts = DeliveryTimeouts()
    in_flight: InFlight = InFlight()
