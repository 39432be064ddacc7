"""The world outside, on loopback: a DNS server, and mail hosts that answer as real ones do, for the demo and trials.

It knows nothing of the relay and shares no code with what it is there to try out. Nothing leaves this machine.
"""

from __future__ import annotations

from directmail_relay.sandbox.certificate import make_certificate
from directmail_relay.sandbox.mailboxes import DOMAIN, MAILBOXES, Mailbox
from directmail_relay.sandbox.mx_host import TakenMessage
from directmail_relay.sandbox.world import World

__all__ = ["DOMAIN", "MAILBOXES", "Mailbox", "TakenMessage", "World", "make_certificate"]
