"""The parameters of MAIL and RCPT: SIZE (RFC 1870), BODY (6152), SMTPUTF8 (6531), AUTH (4954), DSN (3461). Sans-IO.

One table says what each may hold; nothing here raises anything but ParameterError, and no value that it lets
through can break a header or a command.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from directmail_relay.mail import replies
from directmail_relay.mail.reply import Reply

# xtext whose decoded characters are all printable (RFC 3461 §4; ENVID and ORCPT come back in reports).
_XCHAR = r"(?:[!-*,-<>-~]|\+(?:[2-6][0-9A-F]|7[0-9A-E]))"
_ADDR_TYPE = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]++"
_FLAG = r"(?:SUCCESS|FAILURE|DELAY)"


class ParameterError(ValueError):
    """A parameter that cannot be taken; `reply` says which, and how it is written."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.text)
        self.reply = reply


@dataclass(frozen=True, slots=True)
class MailParameters:
    """Of MAIL. `size` is what the client announces, in bytes. AUTH= is checked and dropped: we trust no identity."""

    size: int | None = None
    body_8bit: bool = False
    smtputf8: bool = False
    ret: str | None = None
    envid: str | None = None


@dataclass(frozen=True, slots=True)
class RcptParameters:
    """Of RCPT, as `mail.message.RcptTo` holds them."""

    notify: str | None = None
    orcpt: str | None = None


@dataclass(frozen=True, slots=True)
class _Rule:
    """`value` matches all that may follow `=`; None: nothing may, not even `=`."""

    value: re.Pattern[str] | None
    syntax: str


def _rule(pattern: str, syntax: str) -> _Rule:
    return _Rule(re.compile(pattern, re.IGNORECASE), syntax)


# The lookaheads are the lengths of RFC 3461 §4.2 and §4.4; they count octets as sent.
_MAIL = {
    "SIZE": _rule(r"[0-9]{1,20}", "SIZE=<octets>"),
    "BODY": _rule(r"7BIT|8BITMIME", "BODY=7BIT or BODY=8BITMIME"),
    "SMTPUTF8": _Rule(None, "SMTPUTF8 takes no value"),
    "RET": _rule(r"FULL|HDRS", "RET=FULL or RET=HDRS"),
    "ENVID": _Rule(re.compile(rf"(?=.{{1,100}}\Z){_XCHAR}++"), "ENVID=<xtext>, at most 100 characters"),
    "AUTH": _Rule(re.compile(rf"(?=.{{1,500}}\Z)(?:<>|{_XCHAR}++)"), "AUTH=<> or AUTH=<xtext>"),
}
_RCPT = {
    "NOTIFY": _rule(rf"NEVER|{_FLAG}(?:,{_FLAG}){{0,9}}", "NOTIFY=NEVER or a list of SUCCESS,FAILURE,DELAY"),
    "ORCPT": _Rule(
        re.compile(rf"(?=.{{1,500}}\Z)(?:{_ADDR_TYPE};{_XCHAR}++|[Uu][Tt][Ff]-8;(?:{_XCHAR}|[^\x00-\x7f])++)"),
        "ORCPT=<type>;<xtext>, at most 500 characters",
    ),
}


def parse_mail_parameters(text: str) -> MailParameters:
    """What follows the path of MAIL. Keywords and fixed words in any case; each keyword once."""
    if not text:
        return _NO_MAIL_PARAMETERS
    found = _parse(text, _MAIL)
    size, ret = found.get("SIZE"), found.get("RET")
    return MailParameters(
        size=None if size is None else int(size),
        body_8bit=found.get("BODY", "").upper() == "8BITMIME",
        smtputf8="SMTPUTF8" in found,
        ret=None if ret is None else ret.upper(),
        envid=found.get("ENVID"),
    )


def parse_rcpt_parameters(text: str, *, smtputf8: bool = False) -> RcptParameters:
    """What follows the path of RCPT. ORCPT of type utf-8 may hold more than ASCII under SMTPUTF8 (RFC 6533 §3)."""
    if not text:
        return _NO_RCPT_PARAMETERS
    found = _parse(text, _RCPT)
    notify, orcpt = found.get("NOTIFY"), found.get("ORCPT")
    if orcpt is not None and not orcpt.isascii() and not (smtputf8 and orcpt.isprintable()):
        raise _bad(_RCPT["ORCPT"])
    return RcptParameters(None if notify is None else ",".join(dict.fromkeys(notify.upper().split(","))), orcpt)


_NO_MAIL_PARAMETERS = MailParameters()
_NO_RCPT_PARAMETERS = RcptParameters()


def _parse(text: str, table: dict[str, _Rule]) -> dict[str, str]:
    found: dict[str, str] = {}
    for word in filter(None, text.split(" ")):
        keyword, equals, value = word.partition("=")
        keyword = keyword.upper()
        rule = table.get(keyword)
        if rule is None:
            raise ParameterError(replies.PARAMETER_UNKNOWN)
        if keyword in found or not _fits(rule, equals, value):
            raise _bad(rule)
        found[keyword] = value
    return found


def _fits(rule: _Rule, equals: str, value: str) -> bool:
    if rule.value is None:
        return not equals
    return rule.value.fullmatch(value) is not None


def _bad(rule: _Rule) -> ParameterError:
    return ParameterError(replies.fill(replies.BAD_PARAMETERS, syntax=f"{rule.syntax}, once"))
