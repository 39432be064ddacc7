"""What an operator can set about the SMTP sessions of one listener. Values alone; nothing here reads a file."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass, field
from enum import StrEnum

MiB = 1024 * 1024


class TlsMode(StrEnum):
    """`starttls` offers it, `implicit` begins with the handshake (port 465)."""

    NONE = "none"
    STARTTLS = "starttls"
    IMPLICIT = "implicit"


class AuthWithoutTls(StrEnum):
    """Where a password may cross in clear; `loopback`: only from a client on this machine."""

    NEVER = "never"
    LOOPBACK = "loopback"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True)
class Timeouts:
    """All in seconds. After each the client gets 421 where it can, and the connection is cut.

    `command` is for a whole line, from our last reply to its line end (RFC 5321 §4.5.3.2.7 asks for 5 minutes),
    however slowly it drips in. `data_block` is between two arrivals of content, `data` for all of it. `write`: how
    long a client may leave our replies unread. `linger`: how long a last reply is given to arrive.
    """

    command: float = 300.0
    data_block: float = 180.0
    data: float = 3600.0
    handshake: float = 30.0
    write: float = 60.0
    linger: float = 2.0


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """The settings of one listener's sessions; sizes in bytes. Raises ValueError where they contradict each other."""

    hostname: str
    max_rcpt: int = 30
    rcpt_overflow: int = 556
    max_message_size: int = 15 * MiB
    max_errors: int = 20
    max_auth_failures: int = 5
    auth_without_tls: AuthWithoutTls = AuthWithoutTls.LOOPBACK
    tls_mode: TlsMode = TlsMode.NONE
    tls_context: ssl.SSLContext | None = None
    timeouts: Timeouts = field(default_factory=Timeouts)

    def __post_init__(self) -> None:
        if self.rcpt_overflow not in {556, 452}:
            raise ValueError("rcpt_overflow is 556 or 452")
        if self.tls_mode is not TlsMode.NONE and self.tls_context is None:
            raise ValueError(f"tls: {self.tls_mode} needs a certificate")

    def may_auth(self, *, tls: bool, client_ip: str) -> bool:
        """Whether a password may be sent now, on this connection."""
        if tls or self.auth_without_tls is AuthWithoutTls.ALWAYS:
            return True
        return self.auth_without_tls is AuthWithoutTls.LOOPBACK and ipaddress.ip_address(client_ip).is_loopback

    def capabilities(self, *, tls: bool, client_ip: str) -> list[str]:
        """The lines of the EHLO reply, the guide's first, in its order (docs/design.md, "EHLO lines").

        AUTH is left out where it would be answered 538, so that clients look for STARTTLS instead of failing.
        """
        auth = self.may_auth(tls=tls, client_ip=client_ip)
        lines = [
            (True, self.hostname),
            (True, "8BITMIME"),
            (auth, "AUTH=PLAIN LOGIN"),
            (auth, "AUTH PLAIN LOGIN"),
            (True, "PIPELINING"),
            (True, f"SIZE {self.max_message_size}"),
            (self.offers_starttls(tls=tls), "STARTTLS"),
            (True, "SMTPUTF8"),
            (True, "DSN"),
        ]
        return [line for offered, line in lines if offered]

    def offers_starttls(self, *, tls: bool) -> bool:
        return self.tls_mode is TlsMode.STARTTLS and not tls
