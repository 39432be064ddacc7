"""The SMTP side of one worker, put together: listeners, credentials, rules, and the way into the queue."""

from __future__ import annotations

import os
import ssl

from directmail_relay.accounts.directory import DirectoryHolder
from directmail_relay.app import knobs
from directmail_relay.app.observer import SessionMetrics
from directmail_relay.app.place import Place
from directmail_relay.config import Config
from directmail_relay.config import Listener as DeclaredListener
from directmail_relay.submission.accept import Acceptance
from directmail_relay.submission.credentials import Credentials, Look
from directmail_relay.submission.door import Parts
from directmail_relay.submission.limits import AuthLimits
from directmail_relay.submission.listener import Listener, stop_listeners
from directmail_relay.submission.registry import Registry
from directmail_relay.submission.sender_rules import DirectoryRules
from directmail_relay.submission.tls import make_tls_context


class Doors:
    """`place.smtp` holds one bound socket for each listener of the configuration, in their order.

    `look` brings the directory up to date before a login is verified.
    """

    def __init__(
        self,
        config: Config,
        directory: DirectoryHolder,
        acceptance: Acceptance,
        place: Place,
        look: Look,
        rules: DirectoryRules,
    ) -> None:
        smtp = config.smtp
        self._acceptance = acceptance
        self._credentials = Credentials(
            directory,
            AuthLimits(knobs.share(smtp.auth_failures_per_minute, place.workers)),
            verified=place.memory.verified_logins(),
            threads=max(1, (os.cpu_count() or 1) // place.workers),
            look=look,
        )
        self._parts = Parts(self._credentials, rules, acceptance, SessionMetrics())
        counts = place.memory.connection_counts(place.worker)
        self._registry = Registry(smtp.max_connections, smtp.max_connections_per_ip, counts)
        self._declared = smtp.listeners
        self._tls = _tls_context(config)
        self._listeners = [
            Listener(sock, knobs.session_settings(config, listener, self._tls), self._parts, self._registry)
            for sock, listener in zip(place.smtp, smtp.listeners, strict=True)
        ]

    async def start(self) -> None:
        for listener in self._listeners:
            await listener.start()

    def reload(self, config: Config) -> None:
        """New sessions go by the new settings and certificates; open ones keep theirs, but for who may send."""
        # Without a certificate in the new file the old one stays, for the listeners that need one until a restart.
        self._tls = _tls_context(config) or self._tls
        for listener, declared in zip(self._listeners, self._declared, strict=True):
            listener.settings = knobs.session_settings(config, _as_it_stands(declared, config), self._tls)
        self._registry.max_connections = config.smtp.max_connections
        self._registry.max_per_ip = config.smtp.max_connections_per_ip
        self._acceptance.rules = knobs.accept_rules(config)

    async def stop(self, grace: float) -> None:
        """Takes no more connections; transactions under way get so many seconds."""
        await stop_listeners(self._listeners, self._registry, grace)
        self._credentials.close()


def _as_it_stands(opened: DeclaredListener, config: Config) -> DeclaredListener:
    """What the new file says of an open socket, wherever in its list; how it does TLS changes with a restart alone."""
    new = next((one for one in config.smtp.listeners if one.endpoint == opened.endpoint), opened)
    return new.model_copy(update={"tls": opened.tls})


def _tls_context(config: Config) -> ssl.SSLContext | None:
    tls = config.smtp.tls
    return None if tls is None else make_tls_context(tls.certificate, tls.key)
