"""One mail transaction: what MAIL and RCPT have said so far (RFC 5321 §3.3). No I/O.

Decides the order of the checks: syntax, then what this server can do, then what this sender may.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from directmail_relay.mail import replies
from directmail_relay.mail.address import Address, AddressLiteralError, LocalNameError, parse_path
from directmail_relay.mail.message import Envelope, RcptTo
from directmail_relay.mail.reply import Reply
from directmail_relay.policy.verdict import Refuse
from directmail_relay.submission import refusals
from directmail_relay.submission.door import Sender, SenderRules
from directmail_relay.submission.mail_parameters import (
    MailParameters,
    ParameterError,
    parse_mail_parameters,
    parse_rcpt_parameters,
)
from directmail_relay.submission.settings import SessionSettings

_OVERFLOW = {
    556: Refuse(replies.TOO_MANY_RCPTS, "too_many_rcpts"),
    452: Refuse(replies.RECIPIENTS_LATER, "too_many_rcpts"),
}
_RCPT_REPLIES: dict[type[ValueError], Reply] = {
    AddressLiteralError: replies.ADDRESS_LITERAL,
    LocalNameError: replies.LOCAL_NAME,
}


@dataclass(slots=True)
class Transaction:
    """Begins with an accepted MAIL, ends with DATA, RSET, EHLO or the session.

    `rcpt_count` counts accepted RCPT commands, as the guide's limit does; the same mailbox twice is stored once.
    """

    sender: Sender
    mail_from: Address | None
    parameters: MailParameters
    rcpt_to: dict[Address, RcptTo] = field(default_factory=dict)
    rcpt_count: int = 0

    def envelope(self, content: bytes) -> Envelope:
        """8-bit is what was announced or is so: many clients never announce it."""
        return Envelope(
            self.mail_from,
            tuple(self.rcpt_to.values()),
            body_8bit=self.parameters.body_8bit or not content.isascii(),
            smtputf8=self.parameters.smtputf8,
            ret=self.parameters.ret,
            envid=self.parameters.envid,
        )


def begin(
    argument: str, sender: Sender, rules: SenderRules, settings: SessionSettings, client_ip: str
) -> Transaction | Refuse:
    """`argument` is what follows MAIL."""
    text = _after_keyword("FROM:", argument)
    if text is None:
        return refusals.MAIL_SYNTAX
    try:
        mail_from, rest = parse_path(text, smtputf8=True)
        parameters = parse_mail_parameters(rest)
    except ParameterError as error:
        return Refuse(error.reply, "parameters")
    except ValueError:
        return _address(replies.BAD_ADDRESS)
    if _is_international(text, rest) and not parameters.smtputf8:
        return _address(replies.NEEDS_SMTPUTF8)
    if (parameters.size or 0) > settings.max_message_size:
        return refusals.TOO_LARGE
    verdict = rules.check_mail_from(sender, mail_from, client_ip)
    return verdict if isinstance(verdict, Refuse) else Transaction(sender, mail_from, parameters)


async def add_recipient(
    transaction: Transaction, argument: str, rules: SenderRules, settings: SessionSettings
) -> Refuse | None:
    """`argument` is what follows RCPT; None: taken. The same mailbox again is taken, and stored once."""
    rcpt = _parse_rcpt(argument, smtputf8=transaction.parameters.smtputf8)
    if isinstance(rcpt, Refuse):
        return rcpt
    if transaction.rcpt_count >= settings.max_rcpt:
        return _OVERFLOW[settings.rcpt_overflow]
    verdict = await rules.check_rcpt_to(transaction.sender, rcpt.address)
    if isinstance(verdict, Refuse):
        return verdict
    transaction.rcpt_count += 1
    transaction.rcpt_to.setdefault(rcpt.address, rcpt)
    return None


def check_data(argument: str, transaction: Transaction | None) -> Refuse | None:
    """Whether DATA may come now. Recipients that were refused do not stand in the way of the others."""
    if argument:
        return refusals.NO_ARGUMENT
    if transaction is None:
        return refusals.MAIL_FIRST
    return None if transaction.rcpt_to else refusals.RCPT_FIRST


def is_error(refuse: Refuse) -> bool:
    """Whether the refusal of a recipient counts as an error of the client.

    It may send its whole list and be told where it ends, and which addresses on it nobody should write to.
    """
    return refuse not in _OVERFLOW.values() and refuse.reply != replies.INVALID_RCPT


def _parse_rcpt(argument: str, *, smtputf8: bool) -> RcptTo | Refuse:
    text = _after_keyword("TO:", argument)
    if text is None:
        return refusals.RCPT_SYNTAX
    try:
        address, rest = parse_path(text, smtputf8=True)
        parameters = parse_rcpt_parameters(rest, smtputf8=smtputf8)
    except ParameterError as error:
        return Refuse(error.reply, "parameters")
    except ValueError as error:
        return _address(_RCPT_REPLIES.get(type(error), replies.BAD_ADDRESS))
    if address is None:
        return _address(replies.BAD_ADDRESS)
    if _is_international(text, rest) and not smtputf8:
        return _address(replies.NEEDS_SMTPUTF8)
    return RcptTo(address, parameters.notify, parameters.orcpt)


def _after_keyword(keyword: str, argument: str) -> str | None:
    head = argument[: len(keyword)]
    return argument[len(keyword) :] if head.upper() == keyword else None


def _is_international(text: str, parameters: str) -> bool:
    """Whether the path itself, as sent, has more than ASCII: also a domain, although we know its ASCII form."""
    return not text.removesuffix(parameters).isascii()


def _address(reply: Reply) -> Refuse:
    return Refuse(reply, "bad_address")
