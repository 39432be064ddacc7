"""A mailbox, and the path that carries it in MAIL and RCPT (RFC 5321 §4.1.2, RFC 6531 §3.3).

Parsed once, at the door, strictly: what comes out can stand in a command or a header without further care.
The text may come from anybody; nothing here raises anything but ValueError, and no time grows faster than
the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import idna

MAX_LOCAL_OCTETS = 64
MAX_DOMAIN_OCTETS = 255
# RFC 5321 §4.5.3.1.3 allows 256 octets to the path, and two of them are the angle brackets.
MAX_MAILBOX_OCTETS = 254

# Possessive quantifiers throughout: no way back, so no text makes the match slow.
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]++"
_UTF8_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\x80-\U0010ffff-]++"
_LABEL = r"(?=[A-Za-z0-9-]{1,63}(?:\.|\Z))[A-Za-z0-9]++(?:-++[A-Za-z0-9]++)*+"
_DOMAIN = rf"(?:{_LABEL}\.)+(?![0-9]++\Z){_LABEL}"
_QUOTED = r'"(?:[ !#-\[\]-~\x80-\U0010ffff]|\\[ -~])*+"'

_ORDINARY = re.compile(rf"({_ATOM}(?:\.{_ATOM})*+)@({_DOMAIN})")
_LOCAL = re.compile(rf"{_UTF8_ATOM}(?:\.{_UTF8_ATOM})*+|{_QUOTED}")
_HOST_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*+")
_FULL_DOMAIN = re.compile(_DOMAIN)
_LITERAL = re.compile(r"\[[!-Z^-~]++\]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
_OTHER_DOTS = frozenset("\u3002\uff0e\uff61")  # that IDNA takes for dots (RFC 3490 §3.1)
_PATH = re.compile(rf"(?:{_QUOTED})?+[^<>\" ]*+")


class AddressLiteralError(ValueError):
    """The domain is an address literal, `user@[192.0.2.1]`: no domain can be registered or looked up for it."""


class LocalNameError(ValueError):
    """The address names a host of the local network or a bare user: `user@localhost`, `user@10.0.0.1`, `user`."""


@dataclass(frozen=True, slots=True)
class Address:
    """A mailbox. Make one with `parse_address`; the constructor checks nothing.

    `local` is verbatim, with its quotes when it has some; `domain` is in lower case and, where it was
    international, made of A-labels (`xn--…`). Two equal values are the same octets on the wire.
    """

    local: str
    domain: str

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}"

    @property
    def is_ascii(self) -> bool:
        return self.local.isascii()

    @property
    def needs_smtputf8(self) -> bool:
        """Only the local part can: the domain has an ASCII form that every server understands."""
        return not self.local.isascii()

    def same_mailbox(self, other: Address) -> bool:
        """Whether a login of one may send as the other: the case of ASCII letters in the local part is ignored.

        RFC 5321 §2.4 leaves the case to the receiving host, and here that is us. Other letters must be the
        same code points, lest the Kelvin sign pass for a K.
        """
        if self.domain != other.domain:
            return False
        return self.local == other.local or (
            self.is_ascii and other.is_ascii and self.local.lower() == other.local.lower()
        )


def parse_address(text: str, *, smtputf8: bool = False) -> Address:
    """`local@domain` without brackets, spaces or comments (RFC 5321 §4.1.2 `Mailbox`, dot-string or quoted-string).

    With `smtputf8` the local part may hold printable non-ASCII characters and the domain U-labels (RFC 6531
    §3.3). Host names follow the LDH rule: no underscores, no trailing dot. Raises AddressLiteralError or
    LocalNameError where the syntax is right but the domain cannot be mailed to, else a plain ValueError.
    """
    ordinary = _ORDINARY.fullmatch(text)
    # Nearly every address is ordinary: one match, 2 µs.
    address = Address(ordinary[1], ordinary[2].lower()) if ordinary else _parse_unusual(text, smtputf8=smtputf8)
    _check_lengths(address)
    return address


def parse_path(text: str, *, smtputf8: bool = False) -> tuple[Address | None, str]:
    """What follows `MAIL FROM:` or `RCPT TO:` → the address (None for `<>`) and the parameters, still as text.

    Spaces before the path are allowed, since the guide's own session has one; so is an address without
    brackets, since old clients send it. Source routes (`<@a,@b:c@d>`) are refused: RFC 5321 §3.3 only lets
    us ignore them, nobody sends them but to find open relays. The errors are those of `parse_address`.
    """
    if _CONTROL.search(text):
        raise ValueError("the path has control characters")
    text = text.strip(" ")
    bracketed = text.startswith("<")
    start = 1 if bracketed else 0
    match = _PATH.match(text, start)
    end = match.end() if match else start
    mailbox, rest = text[start:end], text[end:]
    if bracketed:
        if not rest.startswith(">"):
            raise ValueError("the path has no closing bracket")
        rest = rest[1:]
    if rest and not rest.startswith(" "):
        raise ValueError("something stands between the path and the parameters")
    if bracketed and not mailbox:
        return None, rest.lstrip(" ")
    if not bracketed and "@" not in mailbox:
        raise ValueError("the path is missing")
    return parse_address(mailbox, smtputf8=smtputf8), rest.lstrip(" ")


def parse_domain(text: str) -> str:
    """A host name of two labels or more → its lower-case A-label form; U-labels are mapped by UTS 46.

    Raises LocalNameError for a single label and for a numeric top label (an IP address), else ValueError.
    """
    name = (text if text.isascii() else _encode_idna(text)).lower()
    if _HOST_NAME.fullmatch(name) is None:
        raise ValueError("the domain is not a host name")
    if _FULL_DOMAIN.fullmatch(name) is None:
        raise LocalNameError("the domain is a local name or a bare IP address")
    if len(name) > MAX_DOMAIN_OCTETS:
        raise ValueError(f"the domain is longer than {MAX_DOMAIN_OCTETS} octets")
    return name


def _parse_unusual(text: str, *, smtputf8: bool) -> Address:
    if not smtputf8 and not text.isascii():
        raise ValueError("the address has non-ASCII characters and SMTPUTF8 was not asked for")
    match = _LOCAL.match(text)
    if match is None:
        raise ValueError("the local part is neither a dot-string nor a quoted-string")
    local, domain = match[0], text[match.end() :]
    # Invisible characters, line separators, lone surrogates (octets that were not UTF-8) and other spaces.
    if not local.isprintable():
        raise ValueError("the local part has characters that cannot be printed")
    if not domain:
        raise LocalNameError("the address has no domain")
    if not domain.startswith("@"):
        raise ValueError("the local part is neither a dot-string nor a quoted-string")
    if _LITERAL.fullmatch(domain, 1):
        raise AddressLiteralError("the domain is an address literal")
    return Address(local, parse_domain(domain[1:]))


def _encode_idna(text: str) -> str:
    # Checked before the library sees it: some of its steps take long over a long text.
    if len(text) > MAX_DOMAIN_OCTETS:
        raise ValueError(f"the domain is longer than {MAX_DOMAIN_OCTETS} octets")
    try:
        return idna.encode(text, uts46=True).decode("ascii")
    except (ValueError, IndexError) as error:
        raise ValueError("the domain is not a valid international name") from error


def _check_lengths(address: Address) -> None:
    local = len(address.local if address.local.isascii() else address.local.encode())
    if local > MAX_LOCAL_OCTETS:
        raise ValueError(f"the local part is longer than {MAX_LOCAL_OCTETS} octets")
    if local + 1 + len(address.domain) > MAX_MAILBOX_OCTETS:
        raise ValueError(f"the address is longer than {MAX_MAILBOX_OCTETS} octets")


def is_plain_domain(text: str) -> bool:
    """Whether an international domain is written in its one proper form: nothing that a mapping would change or drop.

    `te\u00adst.com` and full-width letters become `test.com` by the mapping of UTS #46; who does not map sees another.
    """
    if text.isascii():
        return True
    if not _OTHER_DOTS.isdisjoint(text):
        return False
    try:
        idna.encode(text.lower(), uts46=False)
    except idna.IDNAError:
        return False
    return True


def unquote_local(local: str) -> str:
    r"""A local part without quotes that it does not need: `"ceo"` and `"c\eo"` name the same mailbox as `ceo`."""
    if not (len(local) > 1 and local[0] == local[-1] == '"'):
        return local
    plain = _QUOTED_PAIR.sub(r"\1", local[1:-1])
    return plain if _LOCAL.fullmatch(plain) and not plain.startswith('"') else local
