"""Who may send as whom: the checks at MAIL, at RCPT and of the header From, after the login was right.

Facts in, verdict out. Never looks anything up; each check stands alone, so every door (SMTP, API) asks the
same questions in the same order. The labels of `directmail_refused_total{reason}` that arise here:

    account_unavailable   the account is not `normal`, or the address is frozen or was removed       551
    domain_unavailable    the sending domain is not verified, or not any more                        553
    ip_not_allowed        IP protection is on and the client is not in its list                      554
    sender_mismatch       the envelope sender is not the login's to use                              553
    header_from_mismatch  the From field names somebody else, nobody, or several                     553
    invalid_rcpt          delivery found the recipient to be an invalid address of this account      559
    suppressed            the recipient is in the account's do-not-send list                         559
"""

from __future__ import annotations

import string
from dataclasses import dataclass
from enum import StrEnum

from directmail_relay.mail import replies
from directmail_relay.mail.address import MAX_MAILBOX_OCTETS, Address, parse_domain, unquote_local
from directmail_relay.mail.message import Status
from directmail_relay.policy.allowlist import Allowlist
from directmail_relay.policy.verdict import Accept, Refuse, Verdict

# RFC 5321 §4.5.3.1.5: a reply line has 512 octets; two names of this length and our words fit into it.
_MAX_SHOWN = 190
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


class HeaderFromMode(StrEnum):
    """`smtp.header_from`: what the From field must be to the envelope sender."""

    MATCH = "match"
    DOMAIN = "domain"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class SenderFacts:
    """What is known now about whoever logged in. `login` is normalised; it is a domain when `is_domain`.

    `frozen`: the address may not send; `domain_usable`: its domain is verified, or vouched for.
    """

    login: str
    is_domain: bool
    status: Status
    allowlist: Allowlist
    frozen: bool = False
    domain_usable: bool = True


def normalize_login(text: str) -> str:
    """The one form of a login: its domain in lower-case A-labels, its local part in lower case when it is ASCII.

    Other letters stay as they are, lest the Kelvin sign pass for a K. Any text is taken, for a client may
    send any; a longer one than an address can be is cut just above that length, so it can equal no real login.
    """
    local, at, domain = text[: MAX_MAILBOX_OCTETS + 1].rpartition("@")
    local = unquote_local(local)
    try:
        domain = parse_domain(domain)
    except ValueError:
        domain = domain.translate(_LOWER)
    return (local.lower() if local.isascii() else local) + at + domain


def check_client_ip(allowlist: Allowlist, client_ip: str) -> Verdict:
    """IP protection alone; to be asked only after the right password, so that no stranger learns of it."""
    if allowlist.allows(client_ip):
        return Accept()
    return Refuse(replies.fill(replies.IP_NOT_ALLOWED, client_ip=_printable(client_ip)), "ip_not_allowed")


def check_mail_from(facts: SenderFacts | None, mail_from: Address | None, client_ip: str) -> Verdict:
    """Whether this login may begin a message from `mail_from` now. `facts` None: the login no longer exists.

    The state of the account comes first, since nothing the client could change would help it. A submitter
    is never the null reverse-path: that is for the notices of mail servers (RFC 5321 §4.5.5).
    """
    account = _check_account(facts)
    if facts is None or isinstance(account, Refuse):
        return account
    protection = check_client_ip(facts.allowlist, client_ip)
    if isinstance(protection, Refuse):
        return protection
    if not facts.domain_usable:
        return _unverified(facts.login.rpartition("@")[2])
    if mail_from is None or not _is_own(facts, mail_from):
        return _mismatch(facts.login, mail_from)
    return Accept()


def check_header_from(author: Address | None, mail_from: Address, mode: HeaderFromMode) -> Verdict:
    """Whether the From field agrees with the envelope. `author` None: it does not name exactly one address."""
    if mode is HeaderFromMode.ANY:
        return Accept()
    if author is not None and _agrees(author, mail_from, mode):
        return Accept()
    return Refuse(replies.HEADER_FROM_MISMATCH, "header_from_mismatch")


def check_rcpt_to(facts: SenderFacts | None) -> Verdict:
    """Whether the sender may name recipients: an account that was frozen since MAIL gets no further."""
    return _check_account(facts)


def refuse_listed(why: str) -> Refuse:
    """The refusal of a recipient that the account lists: `invalid_rcpt` or `suppressed`."""
    return Refuse(replies.INVALID_RCPT, why)


def _check_account(facts: SenderFacts | None) -> Verdict:
    if facts is not None and facts.status is Status.NORMAL and not facts.frozen:
        return Accept()
    return Refuse(replies.ACCOUNT_UNAVAILABLE, "account_unavailable")


def _is_own(facts: SenderFacts, mail_from: Address) -> bool:
    if facts.is_domain:
        return mail_from.domain == facts.login
    return normalize_login(str(mail_from)) == facts.login


def _agrees(author: Address, mail_from: Address, mode: HeaderFromMode) -> bool:
    if mode is HeaderFromMode.DOMAIN:
        return author.domain == mail_from.domain
    return author.same_mailbox(mail_from)


def _unverified(domain: str) -> Refuse:
    return Refuse(replies.fill(replies.DOMAIN_UNAVAILABLE, domain=_printable(domain)), "domain_unavailable")


def _mismatch(login: str, mail_from: Address | None) -> Refuse:
    shown = "<>" if mail_from is None else str(mail_from)
    reply = replies.fill(replies.SENDER_MISMATCH, login=_printable(login), mail_from=_printable(shown))
    return Refuse(reply, "sender_mismatch")


def _printable(text: str) -> str:
    """Printable ASCII alone, and short: it goes into a reply line that any client must be able to read."""
    plain = text.encode("unicode_escape").decode("ascii")
    return plain if len(plain) <= _MAX_SHOWN else plain[: _MAX_SHOWN - 3] + "..."
