"""Reading replies as people, logs and bounce mails write them, and reducing them to the words that rules look for.

Takes any text and never raises. Addresses and IP addresses are left out: they name the parties, not the reason.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from directmail_relay.mail.reply import Reply
from directmail_relay.policy.phrases import fold, squash, words

LONGEST = 2048  # characters of a reply that are looked at; real ones are shorter

_CODE = re.compile(r"\s*(?:smtp;\s*)?([1-9]\d\d)(?:[ -]|$)\s*")
_ENHANCED = re.compile(r"#?([245]\.\d{1,3}\.\d{1,3})(?![\d.])[ :-]*")
_EMBEDDED = re.compile(r"(?<![\w.])([45]\d\d)[ -]['\"(]?#?([45]\.\d{1,3}\.\d{1,3})(?![\d.])")
_SAID = re.compile(r"(?:said|responded|replied|response|error)(?: with)?: ?([45]\d\d)(?![\w.])", re.IGNORECASE)
_INNER = re.compile(r"(?<![\d.])([245]\.[0-9]{1,3}\.[0-9]{1,3})(?![\d.])")
_DOTTED = re.compile(r"\d{1,3}(?:\.\d{1,3}){2,3}")
_IPV4 = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_MAILBOX = re.compile(r"[^<>()\[\]:;,\"'=]{0,64}@[^<>()\[\]:;,\"'=]*")
_IPV6 = re.compile(r"[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}")


class Reading(NamedTuple):
    """What a rule may ask of a reply.

    `kind` is the first digit of the reply code, else of the enhanced code, else 0. `enhanced` has the enhanced
    code twice, `5.1.1` and `5.1.*`, or only `none`. `words` are the words without the parties,
    `text` is these squashed, `folded` is the whole.
    """

    code: int
    kind: int
    enhanced: frozenset[str]
    words: frozenset[str]
    text: str
    folded: str

    @property
    def has_ip(self) -> bool:
        """Whether an IP address, of either kind, stands in the reply."""
        if _IPV4.search(self.folded):
            return True
        return any(_IPV6.search(token) for token in self.folded.split() if token.count(":") > 2)


def parse_reply_text(text: str) -> Reply:
    """The lines `550-5.1.1 No such`, `550 5.1.1 user` → a Reply of 550, 5.1.1, `No such user`.

    A text without a code at its beginning may quote one (`host x said: 550 5.1.1 …`); without any the code is 0.
    """
    lines = text[:LONGEST].splitlines() or [""]
    match = _CODE.match(lines[0])
    code = int(match[1]) if match else _quoted_code(text[:LONGEST])
    stripped = [_strip(line, code) for line in lines]
    enhanced = next((found for found, _ in stripped if found), None)
    return Reply(code=code, text=" ".join(rest for _, rest in stripped if rest), enhanced=enhanced)


def _quoted_code(text: str) -> int:
    match = _EMBEDDED.search(text) or _SAID.search(text)
    return int(match[1]) if match else 0


def _strip(line: str, code: int) -> tuple[str | None, str]:
    """Takes the repeated code and enhanced code from the beginning of a line."""
    match = _CODE.match(line)
    if match and int(match[1]) == code:
        line = line[match.end() :]
    found = _ENHANCED.match(line)
    return (found[1], line[found.end() :].strip()) if found else (None, line.strip())


def read(reply: Reply) -> Reading:
    """Reduces a reply to what rules look at."""
    text = fold(reply.text[:LONGEST])
    enhanced = reply.enhanced if reply.enhanced and _INNER.fullmatch(reply.enhanced) else None
    if enhanced is None or enhanced.endswith(".0.0"):
        inner = _INNER.search(text)
        enhanced = inner[1] if inner else enhanced
    kind = reply.code // 100 or (int(enhanced[0]) if enhanced else 0)
    found = words(_without_parties(text))
    return Reading(reply.code, kind, _with_subject(enhanced), frozenset(found), squash(found), text)


def _with_subject(enhanced: str | None) -> frozenset[str]:
    return frozenset({enhanced, f"{enhanced.rpartition('.')[0]}.*"} if enhanced else {"none"})


def _without_parties(text: str) -> str:
    if "@" in text or text.count(":") > 1:
        text = " ".join([_bare(token) for token in text.split()])
    return _DOTTED.sub(" ", text)


def _bare(token: str) -> str:
    if "@" in token:
        token = _MAILBOX.sub(" ", token)
    return _IPV6.sub(" ", token) if token.count(":") > 1 else token
