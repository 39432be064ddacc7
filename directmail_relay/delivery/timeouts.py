"""How long the other side may take for each step: RFC 5321 §4.5.3.2, and our own where it is silent.

Seconds. Each is the time for the whole reply, so a host that trickles octets gains nothing.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timeouts:
    """The comments name the paragraph of RFC 5321."""

    connect: float = 30
    greeting: float = 300  # §4.5.3.2.1
    ehlo: float = 300
    starttls: float = 60  # the reply to the command, and again the handshake
    mail: float = 300  # §4.5.3.2.2
    rcpt: float = 300  # §4.5.3.2.3
    data: float = 120  # §4.5.3.2.4
    block: float = 180  # §4.5.3.2.5
    final_dot: float = 600  # §4.5.3.2.6: shorter ones make duplicates
    rset: float = 20
    quit: float = 5
