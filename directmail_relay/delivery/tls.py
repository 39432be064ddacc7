"""The TLS contexts of the way out: one that takes any certificate, one that wants the right one.

A context takes some 40 ms to build, so both are built once and shared by all sessions.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from directmail_relay.policy.route import TlsPolicy


@dataclass(frozen=True, slots=True)
class TlsContexts:
    """`unverified` hides the mail from who only listens (RFC 7435); `verified` also from who sits in between."""

    unverified: ssl.SSLContext
    verified: ssl.SSLContext

    def context_for(self, policy: TlsPolicy) -> ssl.SSLContext:
        return self.verified if policy is TlsPolicy.VERIFY else self.unverified


def make_tls_contexts(trusted: Path | None = None) -> TlsContexts:
    """`trusted` is a PEM file of authorities, instead of the system's. Raises OSError when it cannot be used."""
    unverified = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    unverified.check_hostname = False
    unverified.verify_mode = ssl.CERT_NONE
    return TlsContexts(unverified, ssl.create_default_context(cafile=trusted))
