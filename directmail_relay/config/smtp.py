"""The `smtp:` section: where clients connect, and how much each of them may ask for.

It decides nothing about a session; it only holds the numbers and checks that listeners can do what they promise.
"""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import model_validator

from directmail_relay.config.fields import (
    Count,
    CrossProblemsError,
    FilePath,
    IpText,
    Items,
    ListenPort,
    Octets,
    Seconds,
    Section,
)
from directmail_relay.config.secret_files import check_tls_pair, read_file
from directmail_relay.config.units import Endpoint

TlsMode = Literal["none", "starttls", "implicit"]
AuthWithoutTls = Literal["never", "loopback", "always"]
Problems = list[tuple[tuple[str | int, ...], str]]


class Listener(Section):
    """One address and port. Where `tls` is not given it becomes starttls when there is a certificate, else none."""

    address: IpText = "127.0.0.1"
    port: ListenPort = 2525
    tls: TlsMode = "none"
    auth_without_tls: AuthWithoutTls | None = None

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(self.address, self.port)


class Tls(Section):
    """The certificate chain and key of all listeners, PEM; both are checked to belong together."""

    certificate: FilePath
    key: FilePath

    @model_validator(mode="after")
    def _check_files(self) -> Self:
        problems: Problems = []
        for name, path in (("certificate", self.certificate), ("key", self.key)):
            try:
                read_file(path, limit=1 << 20)
            except ValueError as error:
                problems.append(((name,), str(error)))
        if problems:
            raise CrossProblemsError(problems)
        check_tls_pair(self.certificate, self.key)
        return self


class SmtpTimeouts(Section):
    """In seconds.

    `command` is for a whole line, from our last reply on (RFC 5321 §4.5.3.2.7 asks for five minutes), `data` between
    two pieces of the content, `data_total` for all of it.
    """

    command: Seconds = 300.0
    data: Seconds = 180.0
    data_total: Seconds = 3600.0
    tls_handshake: Seconds = 30.0


class Smtp(Section):
    """All that clients meet. Sizes are in octets, times in seconds."""

    listeners: Items[Listener] = (Listener(),)
    tls: Tls | None = None
    auth_without_tls: AuthWithoutTls = "loopback"
    header_from: Literal["match", "domain", "any"] = "match"
    max_rcpt: Count = 30
    rcpt_overflow: Literal[452, 556] = 556
    max_auth_failures: Count = 5
    auth_failures_per_minute: Count = 20
    max_errors: Count = 20
    max_message_size: Octets = 15 << 20
    max_connections: Count = 10_000
    max_connections_per_ip: Count = 200
    max_headers: Count = 1000
    max_received: Count = 50
    timeouts: SmtpTimeouts = SmtpTimeouts()

    @model_validator(mode="before")
    @classmethod
    def _settle_tls_mode(cls, data: Any) -> Any:
        """A listener that says nothing offers STARTTLS where there is a certificate."""
        if not isinstance(data, dict):
            return data
        mode = "starttls" if data.get("tls") else "none"
        listeners = data.get("listeners", [{}])
        if not isinstance(listeners, list | tuple):
            return data
        settled = [{"tls": mode, **one} if isinstance(one, dict) else one for one in listeners]
        return {**data, "listeners": settled}

    @model_validator(mode="after")
    def _check_listeners(self) -> Self:
        problems = [*_find_missing_certificates(self), *_find_doubled(self.listeners)]
        if problems:
            raise CrossProblemsError(problems)
        return self


def _find_missing_certificates(smtp: Smtp) -> Problems:
    if smtp.tls is not None:
        return []
    return [
        (("listeners", index, "tls"), f"{listener.tls} needs a certificate: set smtp.tls, or write tls: none here")
        for index, listener in enumerate(smtp.listeners)
        if listener.tls != "none"
    ]


def _find_doubled(listeners: tuple[Listener, ...]) -> Problems:
    problems: Problems = [] if listeners else [(("listeners",), "must have one listener at least")]
    seen: set[tuple[str, int]] = set()
    for index, listener in enumerate(listeners):
        place = (listener.address, listener.port)
        if place in seen and listener.port:
            message = f"{listener.address}:{listener.port} is listed twice: remove one of the two"
            problems.append((("listeners", index, "port"), message))
        seen.add(place)
    return problems
