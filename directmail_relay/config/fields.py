"""The kinds of value that the configuration is made of, as annotated types that pydantic checks.

Strict throughout: YAML already has numbers, texts and booleans, so nothing is guessed from one to another.
Every complaint is a ValueError whose text tells what to write.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo

from directmail_relay.config.units import (
    MAX_PORT,
    Endpoint,
    parse_duration,
    parse_endpoint,
    parse_ip,
    parse_network,
    parse_size,
)
from directmail_relay.mail.address import parse_domain

E = TypeVar("E", bound=StrEnum)
T = TypeVar("T")

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_SELECTOR = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.IGNORECASE)
_SELECTOR_PREFIX = re.compile(r"[a-z](?:[a-z0-9-]{0,30})")
_URL = re.compile(r"https?://[^\s/?#@]+(?:/[^\s?#]*)?")
DNS_PORT = 53


class Section(BaseModel):
    """A mapping of the file: frozen, and an unknown key is an error."""

    # hide_input_in_errors: a wrong password must not be quoted in a traceback.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class CrossProblemsError(ValueError):
    """What is wrong between keys: (where it is below the model or list that found it, a sentence) for each."""

    def __init__(self, problems: list[tuple[tuple[str | int, ...], str]]) -> None:
        super().__init__("; ".join(message for _, message in problems))
        self.problems = problems


def one_of(enum: type[E], *, without: tuple[E, ...] = ()) -> BeforeValidator:
    """The validator of a text that names a member of `enum`."""
    allowed = {member.value: member for member in enum if member not in without}

    def parse(value: object) -> object:
        if isinstance(value, enum):
            return value
        if not isinstance(value, str) or value not in allowed:
            raise ValueError(f"must be one of: {', '.join(allowed)}")
        return allowed[value]

    return BeforeValidator(parse)


def _as_tuple(value: object) -> object:
    # Strict validation takes a tuple for a tuple only; YAML has lists.
    if not isinstance(value, list | tuple):
        raise ValueError("must be a list")  # noqa: TRY004 - pydantic reports ValueError and lets TypeError escape
    return tuple(value)


def _resolve(value: object, info: ValidationInfo) -> Path:
    """Relative paths are relative to the configuration file, whose folder the loader hands over as context."""
    if not isinstance(value, str | Path) or not str(value) or "\0" in str(value):
        raise ValueError("must be the path of a file, as text")
    folder: Path = (info.context or {}).get("folder", Path())
    return folder / value


def _check_zone(value: str) -> str:
    try:
        datetime.now(ZoneInfo(value))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("is not a time zone: give an IANA name such as Asia/Shanghai or UTC") from error
    return value


def _text(parse: Callable[[str], T], advice: str) -> BeforeValidator:
    """A validator that runs `parse` on a text and adds `advice` to what it says."""

    def validate(value: object) -> T:
        if not isinstance(value, str):
            raise ValueError(f"must be text: {advice}")  # noqa: TRY004 - see _as_tuple
        try:
            return parse(value)
        except ValueError as error:
            raise ValueError(f"{error}: {advice}") from error

    return BeforeValidator(validate)


def _matching(pattern: re.Pattern[str], sentence: str) -> AfterValidator:
    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise ValueError(sentence)
        return value

    return AfterValidator(check)


def _parse_route_domain(text: str) -> str:
    if text == "*":
        return text
    return f"*.{parse_domain(text[2:])}" if text.startswith("*.") else parse_domain(text)


def _parse_workers(value: object) -> object:
    """None stands for `auto`: one worker a core, counted when they are started."""
    if value is None or value == "auto":
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 32:
        raise ValueError("must be auto or a number from 1 to 32")
    return value


def _positive(value: float) -> float:
    if value <= 0:
        raise ValueError("must be longer than nothing: give at least 1s")
    return value


def _sizeable(value: int) -> int:
    if value < 1024:
        raise ValueError("is too small to work with: give at least 1KiB")
    return value


Items = Annotated[tuple[T, ...], BeforeValidator(_as_tuple)]
Seconds = Annotated[float, BeforeValidator(parse_duration), AfterValidator(_positive)]
Octets = Annotated[int, BeforeValidator(parse_size), AfterValidator(_sizeable)]
Count = Annotated[int, Field(ge=1, le=10_000_000)]
Quota = Annotated[int, Field(ge=0)] | None
Port = Annotated[int, Field(ge=1, le=MAX_PORT)]
# 0 lets the system choose; of use to tests and trials only.
ListenPort = Annotated[int, Field(ge=0, le=MAX_PORT)]
IpText = Annotated[str, BeforeValidator(parse_ip)]
Network = Annotated[str, BeforeValidator(parse_network)]
FilePath = Annotated[Path, BeforeValidator(_resolve)]
TimeZone = Annotated[str, AfterValidator(_check_zone)]
Domain = Annotated[str, _text(parse_domain, "give a name such as mail.example.com")]
RouteDomain = Annotated[str, _text(_parse_route_domain, 'give example.com, "*.example.com" or "*"')]
Selector = Annotated[str, _matching(_SELECTOR, "is not a DKIM selector: use letters, digits and hyphens, such as s1")]
SelectorPrefix = Annotated[
    str, _matching(_SELECTOR_PREFIX, "must begin with a letter and go on with small letters, digits and hyphens")
]
Url = Annotated[str, _matching(_URL, "must start with http:// or https:// and have no query")]
Workers = Annotated[int | None, BeforeValidator(_parse_workers)]
ListenEndpoint = Annotated[Endpoint, BeforeValidator(parse_endpoint)]
DnsServer = Annotated[Endpoint, BeforeValidator(lambda value: parse_endpoint(value, default_port=DNS_PORT))]
