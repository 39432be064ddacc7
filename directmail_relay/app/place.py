"""Where a worker stands: its number, the sockets that were opened for it, and the memory that it shares."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from directmail_relay.submission.node import NodeMemory


@dataclass(frozen=True, slots=True)
class Place:
    """Worker `worker` of `workers`; one socket a listener, in order, and HTTP's."""

    worker: int
    workers: int
    smtp: tuple[socket.socket, ...]
    http: socket.socket
    memory: NodeMemory
