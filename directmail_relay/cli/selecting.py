"""What an operator typed → which recipients are meant. Raises RefusedError, with a sentence, for what means nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from directmail_relay.cli.opening import RefusedError
from directmail_relay.mail.address import parse_address, parse_domain
from directmail_relay.mail.message import State
from directmail_relay.queue.selection import OPEN_STATES, Selection

_MAX_ENV_ID = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Words:
    """The arguments and options of a command, as typed."""

    what: str | None = None
    env_id: str | None = None
    rcpt: str | None = None
    destination: str | None = None
    account: str | None = None
    state: str | None = None
    limit: str | None = None
    everything: bool = False


def parse_selection(words: Words) -> Selection:
    """The recipients that the words mean; all of them where nothing narrows."""
    words = _place_argument(words)
    return Selection(
        env_id=None if words.env_id is None else parse_env_id(words.env_id),
        rcpt=None if words.rcpt is None else _parse_rcpt(words.rcpt),
        destination=None if words.destination is None else _parse_destination(words.destination),
        account=words.account,
        state=None if words.state is None else _parse_state(words.state),
    )


def parse_limit(words: Words, default: int | None) -> int | None:
    if words.limit is None:
        return default
    if not (words.limit.isascii() and words.limit.isdecimal()) or not 0 < int(words.limit[:19]) <= _MAX_ENV_ID:
        raise RefusedError(f"--limit takes a whole number above zero, not {words.limit}")
    return int(words.limit[:19])


def parse_env_id(text: str | None) -> int:
    if text is None or not (text.isascii() and text.isdecimal()) or len(text) > 19 or int(text) > _MAX_ENV_ID:
        raise RefusedError(f"an env_id is a number of up to 19 digits, not {text}")
    return int(text)


def _place_argument(words: Words) -> Words:
    """The argument without an option says by its form which one it stands for."""
    if words.what is None:
        return words
    form = "env_id" if words.what.isdecimal() else "rcpt" if "@" in words.what else "destination"
    if getattr(words, form) is not None:
        raise RefusedError(f"{words.what} and --{form.replace('_', '-')} say the same thing twice: keep one of the two")
    changes: dict[str, Any] = {"what": None, form: words.what}
    return replace(words, **changes)


def _parse_rcpt(text: str) -> str:
    try:
        return str(parse_address(text, smtputf8=True))
    except ValueError as error:
        raise RefusedError(f"{text} is no address: {error}") from None


def _parse_destination(text: str) -> str:
    try:
        return parse_domain(text)
    except ValueError as error:
        raise RefusedError(f"{text} is no domain: {error}") from None


def _parse_state(text: str) -> State:
    known = [state.value for state in OPEN_STATES]
    if text not in known:
        raise RefusedError(f"--state is one of {', '.join(known)}, not {text}; how a recipient ended is told by show")
    return State(text)
