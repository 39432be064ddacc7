"""The delivery side of one worker, put together: life, settler, dispatcher, claimer, and the way to the hosts."""

from __future__ import annotations

import random
import socket
import time

from directmail_relay.app import knobs
from directmail_relay.config import Config
from directmail_relay.database.engine import Database
from directmail_relay.delivery.claimer import Claimer
from directmail_relay.delivery.courier import Courier
from directmail_relay.delivery.dispatcher import Dispatcher
from directmail_relay.delivery.hands import Hands
from directmail_relay.delivery.life import Life
from directmail_relay.delivery.parcel import Sign
from directmail_relay.delivery.settler import Settler
from directmail_relay.delivery.tls import make_tls_contexts
from directmail_relay.delivery.way import Way
from directmail_relay.queue.due import read_content
from directmail_relay.resolver import Limits, Resolver

RNG = random.SystemRandom()


class WayOut:
    """`own` are the sockets that we listen on ourselves: mail is never sent there."""

    def __init__(
        self, config: Config, workers: int, database: Database, owner: int, sign: Sign, own: tuple[socket.socket, ...]
    ) -> None:
        self._own = frozenset(address for sock in own for address in listening_addresses(sock))
        self._tls = make_tls_contexts()
        self._dns = config.delivery.dns
        self._resolver = _resolver(config)
        self._retired: list[Resolver] = []
        self._way = self._make_way(config)
        self.life = Life(database, owner, awake_and_asleep, self._open_sessions)
        self.settler = Settler(database, knobs.retry_policy(config), time.time, RNG.random)
        hands = Hands(
            new_courier=lambda destination: Courier(destination, self._way),
            read=lambda env_id: database.read(read_content, env_id),
            sign=sign,
            clock=time.time,
        )
        self.dispatcher = Dispatcher(self.life, self.settler, hands, knobs.ceilings(config, workers))
        self.claimer = Claimer(database, self.life, self.dispatcher, self.settler, time.time)

    def reload(self, config: Config, workers: int) -> None:
        """New couriers go the new way; those under way finish on the old one."""
        if config.delivery.dns != self._dns:
            # Questions under way belong to couriers: the old one is closed in the end, with them.
            self._retired.append(self._resolver)
            self._resolver, self._dns = _resolver(config), config.delivery.dns
        self._way = self._make_way(config)
        self.settler.policy = knobs.retry_policy(config)
        self.dispatcher.lanes.ceilings = knobs.ceilings(config, workers)

    async def close(self) -> None:
        for resolver in (*self._retired, self._resolver):
            await resolver.close()

    def _open_sessions(self) -> dict[str, int]:
        return self.dispatcher.lanes.open_sessions()

    def _make_way(self, config: Config) -> Way:
        return Way(
            resolver=self._resolver,
            settings=knobs.delivery_settings(config, self._own, self._tls),
            routes=tuple(route.as_policy() for route in config.delivery.routes),
            now=time.time,
            rand=RNG.random,
        )


def _resolver(config: Config) -> Resolver:
    dns = config.delivery.dns
    return Resolver([str(server) for server in dns.servers], limits=Limits(question=dns.timeout))


def awake_and_asleep() -> float:
    """Seconds that no clock step moves and that go on while the machine sleeps: others may bury us meanwhile."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


def listening_addresses(sock: socket.socket) -> list[tuple[str, int]]:
    """(address, port) of a listening socket; a wildcard stands for every address of this machine."""
    address, port = sock.getsockname()[:2]
    if address not in {"0.0.0.0", "::"}:  # noqa: S104 - asked, not bound
        return [(address, port)]
    return [(one, port) for one in sorted({"127.0.0.1", "::1", *_addresses_of_this_machine()})]


def _addresses_of_this_machine() -> set[str]:
    try:
        found = socket.getaddrinfo(socket.gethostname(), None)
    except socket.gaierror:  # a name that nobody knows, as in many containers
        return set()
    return {str(info[4][0]).partition("%")[0] for info in found}
