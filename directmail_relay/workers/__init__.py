"""The processes of one node: a parent that opens the sockets and keeps its workers alive, or one process alone."""

from __future__ import annotations

from directmail_relay.workers.node import serve
from directmail_relay.workers.sockets import StartError

__all__ = ["StartError", "serve"]
