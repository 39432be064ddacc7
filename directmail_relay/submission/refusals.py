"""What the session refuses by itself, before anybody else is asked: order of commands, syntax, limits.

Each refusal pairs its reply of mail/replies.py with the reason that the metrics show.
"""

from __future__ import annotations

from directmail_relay.mail import replies
from directmail_relay.mail.reply import Reply
from directmail_relay.policy.verdict import Refuse
from directmail_relay.submission.data_reader import ContentReader
from directmail_relay.submission.settings import SessionSettings


def syntax(text: str) -> Refuse:
    """501, showing how it is written."""
    return Refuse(replies.fill(replies.BAD_PARAMETERS, syntax=text), "syntax")


def _sequence(reply: Reply) -> Refuse:
    return Refuse(reply, "sequence")


BAD_COMMAND = Refuse(replies.BAD_COMMAND, "bad_command")
NOT_IMPLEMENTED = Refuse(replies.NOT_IMPLEMENTED, "bad_command")
LINE_TOO_LONG = Refuse(replies.LINE_TOO_LONG, "line_too_long")
AUTH_LINE_TOO_LONG = Refuse(replies.AUTH_LINE_TOO_LONG, "auth_syntax")
EHLO_SYNTAX = syntax("EHLO <your host name>")
HELO_SYNTAX = syntax("HELO <your host name>")
MAIL_SYNTAX = syntax("MAIL FROM:<address> [parameters]")
RCPT_SYNTAX = syntax("RCPT TO:<address> [parameters]")
VRFY_SYNTAX = syntax("VRFY <address>")
NO_ARGUMENT = syntax("this command takes none")
HELO_FIRST = _sequence(replies.HELO_FIRST)
MAIL_FIRST = _sequence(replies.MAIL_FIRST)
RCPT_FIRST = _sequence(replies.RCPT_FIRST)
NESTED_MAIL = _sequence(replies.NESTED_MAIL)
ALREADY_TLS = _sequence(replies.ALREADY_TLS)
ALREADY_AUTHENTICATED = _sequence(replies.ALREADY_AUTHENTICATED)
AUTH_IN_TRANSACTION = _sequence(replies.AUTH_IN_TRANSACTION)
AUTH_REQUIRED = Refuse(replies.AUTH_REQUIRED, "auth_required")
STARTTLS_FIRST = Refuse(replies.STARTTLS_FIRST, "auth_required")
AUTH_NEEDS_TLS = Refuse(replies.AUTH_NEEDS_TLS, "auth_needs_tls")
TOO_LARGE = Refuse(replies.TOO_LARGE, "too_large")
BARE_LINE_END = Refuse(replies.BARE_LINE_END, "bare_line_end")


def check_starttls(argument: str, settings: SessionSettings, *, tls: bool) -> Refuse | None:
    """Whether the handshake may begin."""
    if argument:
        return NO_ARGUMENT
    if tls:
        return ALREADY_TLS
    return None if settings.offers_starttls(tls=tls) else NOT_IMPLEMENTED


def refuse_anonymous(settings: SessionSettings, *, tls: bool, client_ip: str) -> Refuse:
    """For MAIL before AUTH; where a password may not cross yet, what must come before it."""
    if settings.offers_starttls(tls=tls) and not settings.may_auth(tls=tls, client_ip=client_ip):
        return STARTTLS_FIRST
    return AUTH_REQUIRED


def check_content(reader: ContentReader) -> Refuse | None:
    """What can be said of a whole content without parsing it."""
    if reader.too_large:
        return TOO_LARGE
    return BARE_LINE_END if reader.has_bare_line_ends else None
