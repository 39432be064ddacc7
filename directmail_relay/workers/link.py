"""What a parent and a worker say to each other, over a socket pair that only they hold.

Parent to worker: assignments (length, then a pickle: both ends are this program, and nobody else has the socket).
Worker to parent: single octets. The end of the stream means that the other one is gone.
"""

from __future__ import annotations

import pickle
import struct
from dataclasses import dataclass
from enum import Enum
from typing import BinaryIO

from directmail_relay.config import Config
from directmail_relay.submission.node import NodeMemory
from directmail_relay.telemetry.logs import LogFormat

_LENGTH = struct.Struct("!I")


class Word(Enum):
    """What a worker says: it takes mail now; its loop turns; it has taken an assignment over, or could not."""

    READY = b"R"
    BEAT = b"B"
    TAKEN = b"T"
    REFUSED = b"X"


@dataclass(frozen=True, slots=True)
class Assignment:
    """Configuration number `version` for worker `worker` of `workers`; the file descriptors are inherited."""

    version: int
    config: Config
    worker: int
    workers: int
    smtp_fds: tuple[int, ...]
    http_fd: int
    log_format: LogFormat
    memory: NodeMemory


def encode(assignment: Assignment) -> bytes:
    body = pickle.dumps(assignment)
    return _LENGTH.pack(len(body)) + body


def read_assignment(stream: BinaryIO) -> Assignment | None:
    """The next assignment; None at the end of the stream. Blocks."""
    header = stream.read(_LENGTH.size)
    if len(header) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(header)
    body = stream.read(length)
    if len(body) < length:  # the parent died while it was sending
        return None
    assignment = pickle.loads(body)  # noqa: S301 - from our parent, over a socket that nobody else holds
    return assignment if isinstance(assignment, Assignment) else None
