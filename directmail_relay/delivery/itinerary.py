"""The addresses to try for a destination, one after the other, looked up as they are needed (RFC 5321 §5.1).

It asks DNS and leaves the decisions to `policy.route`. What could not be used is kept as an outcome, so that a
destination that nobody was even connected to still has a reply that says why.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address

import structlog

from directmail_relay.delivery.outcome import Outcome
from directmail_relay.delivery.smtp_client import Target
from directmail_relay.delivery.way import Way
from directmail_relay.mail import replies
from directmail_relay.mail.attempt import Stage
from directmail_relay.mail.mx import Addresses, Hosts, MxTarget, NoData, NoSuchDomain, NullMx, Unavailable
from directmail_relay.mail.replies import LOOPS_BACK
from directmail_relay.mail.reply import Reply
from directmail_relay.policy.route import (
    TlsPolicy,
    find_route,
    hosts_before_us,
    is_refused_mx_address,
    order_hosts,
    pick_addresses,
)

log = structlog.get_logger(__name__)

# The guide has no code for a null MX; 526 is as final and as true: there is no mail host.
_NO_ANSWER: dict[type, Reply] = {
    NullMx: replies.NO_DATA,
    NoSuchDomain: replies.NO_SUCH_DOMAIN,
    NoData: replies.NO_DATA,
    Unavailable: replies.DNS_ERROR,
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why `host`, or with None the whole destination, offers no address."""

    outcome: Outcome
    host: str | None = None


class Itinerary:
    """`next_target` until it is None. `troubles` grows on the way."""

    def __init__(self, destination: str, way: Way) -> None:
        self.troubles: list[Trouble] = []
        self._destination = destination
        self._way = way
        self._route = find_route(way.routes, destination)
        self._hosts: deque[str] | None = None
        self._targets: deque[Target] = deque()

    async def next_target(self) -> Target | None:
        if self._hosts is None:
            self._hosts = deque(await self._find_hosts())
        while not self._targets and self._hosts:
            self._targets.extend(await self._find_targets(self._hosts.popleft()))
        return self._targets.popleft() if self._targets else None

    async def _find_hosts(self) -> tuple[str, ...]:
        if self._route is not None:
            return (self._route.host.lower(),)
        answer = await self._way.resolver.mx(self._destination)
        if not isinstance(answer, Hosts):
            self._note(_NO_ANSWER[type(answer)], None, why=answer)
            return ()
        hosts = self._without_us(answer.hosts)
        ordered = order_hosts(hosts, self._way.rand)[: self._way.settings.max_hosts]
        return tuple(host.name for host in ordered)

    def _without_us(self, hosts: tuple[MxTarget, ...]) -> tuple[MxTarget, ...]:
        better = hosts_before_us(hosts, self._way.settings.helo)
        if not better:
            self._note(LOOPS_BACK, None, why="we are the best MX")
        return better

    async def _find_targets(self, host: str) -> list[Target]:
        addresses = await self._find_addresses(host)
        targets = [self._target(host, ip) for ip in addresses]
        if any((target.ip, target.port) in self._way.settings.own_addresses for target in targets):
            # What comes after us in the order of preference would send the mail back to us.
            self._note(LOOPS_BACK, host, why="one of our listeners")
            self._hosts = deque()
            return []
        return targets

    async def _find_addresses(self, host: str) -> tuple[str, ...]:
        if self._route is not None and _is_ip(host):
            return (host,)
        answer = await self._way.resolver.addresses(host)
        if not isinstance(answer, Addresses):
            # A route's host is the operator's own: that it is not found now says nothing about the recipient.
            reply = _NO_ANSWER[type(answer)] if self._route is None else replies.DNS_ERROR
            self._note(reply, host, why=answer)
            return ()
        allowed = answer if self._route is not None else self._without_refused(host, answer)
        return pick_addresses(allowed, self._way.rand)

    def _without_refused(self, host: str, addresses: Addresses) -> Addresses:
        allowed = Addresses(self._allowed(addresses.ipv4), self._allowed(addresses.ipv6))
        if allowed == Addresses():
            # Retried: an outage of public DNS or a split horizon shows itself just so, and heals.
            self._note(replies.UNREACHABLE, host, why=f"no public address: {addresses}")
        return allowed

    def _allowed(self, addresses: Iterable[str]) -> tuple[str, ...]:
        allow = self._way.settings.allow_private_mx
        return tuple(ip for ip in addresses if not is_refused_mx_address(ip, allow_private=allow))

    def _target(self, host: str, ip: str) -> Target:
        if self._route is None:
            return Target(host, ip, self._way.settings.port, TlsPolicy.MAY)
        return Target(host, ip, self._route.port, self._route.tls)

    def _note(self, reply: Reply, host: str | None, *, why: object) -> None:
        log.info("delivery_no_target", destination=self._destination, mx_host=host, code=reply.code, why=str(why))
        self.troubles.append(Trouble(Outcome(Stage.RESOLVE, reply), host))


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
