"""The Received field that we put on top of a message (RFC 5321 §4.4): where it came from, who took it, as what.

The greeting name is hostile text and is never written as it came; a second recipient is never named, lest
one learns of another.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from directmail_relay.mail.address import Address

_WIDTH = 78  # RFC 5322 §2.1.1
_LONGEST_NAME = 255
_NOT_OF_A_NAME = re.compile(r"[^A-Za-z0-9.:_\[\]-]")
_PLAIN_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+")


@dataclass(frozen=True, slots=True)
class Hop:
    """One hand-over of a message.

    `helo` is what the client called itself and `client_ip` where it stood; `hostname` is ours. `keyword` is
    that of `protocol_keyword`, or another registered one, `rcpt_to` the recipient when there is one only,
    `date` from `format_date`.
    """

    helo: str
    client_ip: str
    hostname: str
    keyword: str
    env_id: str
    date: str
    rcpt_to: Address | None = None


def protocol_keyword(*, esmtp: bool, tls: bool, authenticated: bool, smtputf8: bool = False) -> str:
    """The `with` word of RFC 3848 and RFC 6531 §4.3: SMTP, ESMTP, ESMTPSA, UTF8SMTPS …

    STARTTLS and AUTH are extensions, so their use makes a session extended even after HELO.
    """
    suffix = "S" * tls + "A" * authenticated
    if smtputf8:
        return "UTF8SMTP" + suffix
    return "ESMTP" + suffix if esmtp or suffix else "SMTP"


def render_received(hop: Hop) -> bytes:
    """The whole field with its CRLF, folded so that lines stay within 78 characters where words allow it."""
    words = [
        "from",
        sanitise_helo(hop.helo),
        f"({_literal(hop.client_ip)})",
        "by",
        hop.hostname,
        "with",
        hop.keyword,
        "id",
        hop.env_id,
        *_for_clause(hop.rcpt_to),
    ]
    words[-1] += ";"
    return _fold("Received:", [*words, hop.date])


def sanitise_helo(helo: str) -> str:
    """What a client called itself, fit for a header or a log: other characters than those of names become `?`."""
    return _NOT_OF_A_NAME.sub("?", helo[:_LONGEST_NAME]) or "unknown"


def _literal(client_ip: str) -> str:
    """RFC 5321 §4.1.3; the zone of a link-local IPv6 address means nothing to others."""
    address = sanitise_helo(client_ip.partition("%")[0])
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


def _for_clause(rcpt_to: Address | None) -> list[str]:
    # A quoted or international local part would bring spaces, brackets or octets beyond ASCII: left out.
    if rcpt_to is None or _PLAIN_LOCAL.fullmatch(rcpt_to.local) is None:
        return []
    return ["for", f"<{rcpt_to}>"]


def _fold(name: str, words: list[str]) -> bytes:
    lines = [name]
    for word in words:
        if len(lines[-1]) + 1 + len(word) > _WIDTH:
            lines.append("\t" + word)
        else:
            lines[-1] += " " + word
    return ("\r\n".join(lines) + "\r\n").encode("ascii")
