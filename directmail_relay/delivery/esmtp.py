"""The words we say to a host: what it offers, what that demands of a message, and the commands that follow from it.

Pure: values in, values or octets out. The octets of the content are never changed here but for the dots.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from directmail_relay.delivery.outgoing import Outgoing
from directmail_relay.mail.address import Address
from directmail_relay.mail.message import Recipient

_PARAMETER = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class Extensions:
    """What EHLO was answered with: keywords in upper case. `max_size` in octets, 0 for none (RFC 1870 §4)."""

    keywords: frozenset[str] = frozenset()
    max_size: int = 0

    def offers(self, keyword: str) -> bool:
        return keyword in self.keywords


def parse_extensions(lines: Sequence[str]) -> Extensions:
    """From the lines of the reply to EHLO, of which the first is the greeting (RFC 5321 §4.1.1.1). Never raises."""
    words = [line.upper().split() for line in lines[1:]]
    offered = {parts[0]: parts[1:] for parts in words if parts}
    size = offered.get("SIZE") or ["0"]
    # 20 digits are what RFC 1870 §3 allows.
    is_number = size[0].isascii() and size[0].isdigit() and len(size[0]) <= 20
    return Extensions(frozenset(offered), int(size[0]) if is_number else 0)


def envelope_needs_smtputf8(outgoing: Outgoing) -> bool:
    """Whether nobody at all can get this message without SMTPUTF8: it is in the sender or in the header section.

    Clients ask for SMTPUTF8 by habit; a message that makes no use of it can go anywhere (RFC 6531 §3.4).
    """
    if not outgoing.smtputf8:
        return False
    if outgoing.mail_from is not None and outgoing.mail_from.needs_smtputf8:
        return True
    headers, _, _ = outgoing.content.partition(b"\r\n\r\n")
    return not headers.isascii()


def render_mail(outgoing: Outgoing, extensions: Extensions) -> bytes:
    """MAIL with the parameters that the host understands.

    8-bit content goes as it is to a host that does not offer 8BITMIME: the conversion that RFC 6152 §3 wants would
    break the DKIM signature, and hosts that cannot take 8 bits are hardly to be found any more.
    """
    words = [f"MAIL FROM:{_path(outgoing.mail_from)}"]
    if extensions.offers("SIZE"):
        words.append(f"SIZE={len(outgoing.content)}")
    if extensions.offers("8BITMIME") and (outgoing.body_8bit or not outgoing.content.isascii()):
        words.append("BODY=8BITMIME")
    if extensions.offers("SMTPUTF8") and _makes_use_of_smtputf8(outgoing):
        words.append("SMTPUTF8")
    if extensions.offers("DSN"):
        words += _parameters(RET=outgoing.ret, ENVID=outgoing.envid)
    return " ".join(words).encode()


def render_rcpt(recipient: Recipient, extensions: Extensions) -> bytes:
    words = [f"RCPT TO:{_path(recipient.rcpt)}"]
    if extensions.offers("DSN"):
        words += _parameters(NOTIFY=recipient.notify, ORCPT=recipient.orcpt)
    return " ".join(words).encode()


def stuff_dots(content: bytes) -> bytes:
    """The content as it goes over the wire, up to and with the line of the final dot (RFC 5321 §4.5.2)."""
    stuffed = content.replace(b"\r\n.", b"\r\n..")
    if stuffed.startswith(b"."):
        stuffed = b"." + stuffed
    return stuffed + (b".\r\n" if stuffed.endswith(b"\r\n") or not stuffed else b"\r\n.\r\n")


def _makes_use_of_smtputf8(outgoing: Outgoing) -> bool:
    return envelope_needs_smtputf8(outgoing) or any(to.rcpt.needs_smtputf8 for to in outgoing.recipients)


def _path(address: Address | None) -> str:
    return f"<{address}>" if address is not None else "<>"


def _parameters(**values: str | None) -> list[str]:
    """Those that were given; they are a client's words, so what would not be one word in a command is left out."""
    return [f"{name}={value}" for name, value in values.items() if value and _PARAMETER.fullmatch(value)]
