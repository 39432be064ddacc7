"""What the way out can be told: the knobs of `delivery:` in the configuration, beside the code that turns on them."""

from __future__ import annotations

from dataclasses import dataclass, field

from directmail_relay.delivery.timeouts import Timeouts
from directmail_relay.delivery.tls import TlsContexts, make_tls_contexts
from directmail_relay.policy.route import MAX_HOSTS


@dataclass(frozen=True, slots=True)
class DeliverySettings:
    """`helo` is our own host name. `port` is that of MX hosts; routes bring their own.

    `own_addresses` are (address, port) of our listeners, wildcards spelled out: mail that would go there is a loop.
    """

    helo: str
    port: int = 25
    allow_private_mx: bool = False
    max_hosts: int = MAX_HOSTS
    own_addresses: frozenset[tuple[str, int]] = frozenset()
    timeouts: Timeouts = field(default_factory=Timeouts)
    tls: TlsContexts = field(default_factory=make_tls_contexts)
