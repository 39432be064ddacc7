"""The AUTH exchange (RFC 4954; PLAIN: RFC 4616; LOGIN: the guide's session), sans-IO.

A mechanism is a generator: it yields what we say, is sent the client's line, and returns the credentials. It
decides nothing about them, and keeps nothing of them.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Generator
from dataclasses import dataclass, field

from directmail_relay.mail import replies
from directmail_relay.mail.reply import Reply
from directmail_relay.policy.verdict import Refuse


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the client claims. The password stays out of every repr."""

    login: str
    password: str = field(repr=False)


class ExchangeError(Exception):
    """The exchange ended without credentials; `refuse` says what to tell the client."""

    def __init__(self, refuse: Refuse) -> None:
        super().__init__(refuse.why)
        self.refuse = refuse


Exchange = Generator[Reply, bytes, Credentials]

_ABORTED = Refuse(replies.AUTH_ABORTED, "auth_aborted")
_BAD_BASE64 = Refuse(replies.BAD_BASE64, "auth_syntax")
_BAD_PLAIN = Refuse(
    replies.fill(replies.BAD_PARAMETERS, syntax="AUTH PLAIN is base64 of [login] NUL login NUL password"),
    "auth_syntax",
)
_FAILED = Refuse(replies.AUTH_FAILED, "auth_failed")


def plain(initial: bytes | None) -> Exchange:
    """AUTH PLAIN. The authorization identity is empty or the login itself: nobody acts for another here."""
    message = _decode((yield replies.AUTH_CONTINUE) if initial is None else initial)
    fields = message.split(b"\x00")
    if len(fields) != 3:
        raise ExchangeError(_BAD_PLAIN)
    authzid, login, password = map(_text, fields)
    if authzid and authzid.casefold() != login.casefold():
        raise ExchangeError(_FAILED)
    return Credentials(login, password)


def login(initial: bytes | None) -> Exchange:
    """AUTH LOGIN, which no RFC describes; the prompts are the guide's."""
    name = _decode((yield replies.ASK_USERNAME) if initial is None else initial)
    password = _decode((yield replies.ASK_PASSWORD))
    return Credentials(_text(name), _text(password))


MECHANISMS: dict[str, Callable[[bytes | None], Exchange]] = {"PLAIN": plain, "LOGIN": login}


def start_exchange(argument: str) -> Exchange:
    """What follows `AUTH`: the mechanism in any case, and maybe an initial response; `=` is an empty one.

    Raises ExchangeError for an unknown mechanism and for too many or no words.
    """
    words = argument.split()
    if not 1 <= len(words) <= 2:
        syntax = "AUTH <mechanism> [<initial response>]"
        raise ExchangeError(Refuse(replies.fill(replies.BAD_PARAMETERS, syntax=syntax), "auth_syntax"))
    mechanism = MECHANISMS.get(words[0].upper())
    if mechanism is None:
        raise ExchangeError(Refuse(replies.MECHANISM_UNKNOWN, "auth_mechanism"))
    if len(words) == 1:
        return mechanism(None)
    return mechanism(b"" if words[1] == "=" else words[1].encode("utf-8", "surrogateescape"))


def _decode(line: bytes) -> bytes:
    line = line.strip(b" \t")
    if line == b"*":
        raise ExchangeError(_ABORTED)
    try:
        return base64.b64decode(line, validate=True)
    except binascii.Error as error:
        raise ExchangeError(_BAD_BASE64) from error


def _text(octets: bytes) -> str:
    """UTF-8 without NUL (RFC 4616 §2). Anything else is no login or password of ours, so it is just a wrong one."""
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ExchangeError(_FAILED) from error
    if "\x00" in text:
        raise ExchangeError(_FAILED)
    return text
