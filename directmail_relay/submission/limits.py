"""How many wrong passwords a client address and a login may have a minute, before they are asked to wait.

Only wrong passwords count. Whoever was verified before is looked for elsewhere (`verified`) and never asks here.
Knows no password and no directory: unknown logins are limited just as known ones, so nothing can be told from it.
Its memory is bounded; one event loop uses it.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from ipaddress import IPv6Address, IPv6Network

from directmail_relay.policy.allowlist import parse_ip

# Keys remembered of each sort. Verifying that many passwords takes a guesser a quarter of an hour, by which
# time the bucket that he might want to push out has long filled up by itself.
_MAX_KEYS = 65_536
# Beyond its own bucket a login has a small one for addresses without a failure in this time (seconds).
_CLEAN_AFTER = 3600.0
_NEWCOMERS_SHARE = 4
_IPV6_CLIENT_PREFIX = 64


class TokenBuckets:
    """A bucket a key: `per_minute` tokens at once, and as many again in each minute.

    Of each bucket one number is kept, the time at which it will be full again; a key that is not known is full.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float], max_keys: int = _MAX_KEYS) -> None:
        if per_minute < 1:
            raise ValueError("a bucket needs at least one token a minute")
        self._interval = 60.0 / per_minute
        # A bucket that needs longer than this to be full has less than one token left.
        self._longest = 60.0 - self._interval + 1e-6
        self._clock = clock
        self._max_keys = max_keys
        self._full_at: OrderedDict[Hashable, float] = OrderedDict()

    def has_token(self, key: Hashable) -> bool:
        return self._full_at.get(key, 0.0) - self._clock() <= self._longest

    def take(self, key: Hashable) -> bool:
        """Takes one token; False when there was none."""
        if not self.has_token(key):
            return False
        now = self._clock()
        self._full_at[key] = max(self._full_at.get(key, now), now) + self._interval
        self._full_at.move_to_end(key)
        if len(self._full_at) > self._max_keys:
            self._full_at.popitem(last=False)
        return True

    def was_full_for(self, key: Hashable, seconds: float) -> bool:
        """Whether nothing was missing from the bucket in the last so many seconds, as far as is remembered."""
        return key not in self._full_at or self._clock() - self._full_at[key] >= seconds


class AuthLimits:
    """The buckets of client addresses and of logins together (docs/design.md, "wrong passwords").

    When a login's bucket is empty because strangers guess, its owner is still let through: from an address
    where this login was right before, and, a few times a minute, from an address that has not failed at all.
    What a swarm of addresses can guess at one login stays bounded: `per_minute` and a quarter of it.
    """

    def __init__(self, per_minute: int = 20, clock: Callable[[], float] = time.monotonic) -> None:
        self._clients = TokenBuckets(per_minute, clock)
        self._logins = TokenBuckets(per_minute, clock)
        self._newcomers = TokenBuckets(max(1, per_minute // _NEWCOMERS_SHARE), clock)
        self._trusted: OrderedDict[tuple[str, str], None] = OrderedDict()

    def allows(self, client: str, login: str) -> bool:
        """Whether a password may be verified now. `client` is a `client_group`, `login` is normalised."""
        if not self._clients.has_token(client):
            return False
        if self._logins.has_token(login) or (client, login) in self._trusted:
            return True
        return self._clients.was_full_for(client, _CLEAN_AFTER) and self._newcomers.has_token(login)

    def count_wrong(self, client: str, login: str) -> None:
        """A password was wrong."""
        self._clients.take(client)
        if not self._logins.take(login) and (client, login) not in self._trusted:
            self._newcomers.take(login)

    def count_right(self, client: str, login: str) -> None:
        """A password was right: from now on strangers cannot keep this login out at this address."""
        self._trusted[client, login] = None
        self._trusted.move_to_end((client, login))
        if len(self._trusted) > _MAX_KEYS:
            self._trusted.popitem(last=False)


def client_group(ip: str) -> str:
    """What counts as one client: an IPv4 address, or the /64 that an IPv6 site has at least (RFC 6177)."""
    address = parse_ip(ip)
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, _IPV6_CLIENT_PREFIX), strict=False))
    return ip if address is None else str(address)
