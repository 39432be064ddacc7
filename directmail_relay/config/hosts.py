"""A host to connect to: a name or an IP address. A single label (`mx`, `localhost`) is fine here, unlike in mail."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

from directmail_relay.config.units import parse_ip

_LABEL = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?", re.IGNORECASE | re.ASCII)
_NUMERIC = re.compile(r"[0-9.]+|.*:.*")


def parse_host(text: str) -> str:
    """`mx.example.com`, `localhost`, `192.0.2.1` or `2001:db8::1` → its lower-case or canonical text."""
    if _NUMERIC.fullmatch(text):
        try:
            return parse_ip(text)
        except ValueError as error:
            raise ValueError("is not an IP address: write it without brackets, a port has a key of its own") from error
    if not _NAME.fullmatch(text) or len(text) > 253:
        raise ValueError("is neither a host name nor an IP address")
    return text.lower().rstrip(".")


Host = Annotated[str, AfterValidator(parse_host)]
