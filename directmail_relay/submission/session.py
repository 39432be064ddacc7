"""The commands of a submission session: the guide's dialect of SMTP (RFC 5321, 6409) as docs/design.md reads it.

Each method is one command; what it must decide is asked of the rules and the door. No text of an error
reaches the client. LoginSession has the commands that say who the client is.
"""
# ruff: noqa: N802  aiosmtpd names a command's method after it

from __future__ import annotations

import asyncio
from typing import ClassVar

import structlog

from directmail_relay.content.trace import protocol_keyword
from directmail_relay.mail import replies
from directmail_relay.mail.message import Submission
from directmail_relay.policy.verdict import Refuse
from directmail_relay.submission import refusals
from directmail_relay.submission import transaction as mail_transaction
from directmail_relay.submission.command_line import COMMANDS
from directmail_relay.submission.data_reader import ContentReader, FloodError, read_content
from directmail_relay.submission.login import LoginSession
from directmail_relay.submission.transaction import Transaction

log = structlog.get_logger(__name__)

MAX_LOGGED = 320  # characters of what a client said; an address fits


class SubmissionSession(LoginSession):
    """One session of one client."""

    commands: ClassVar[dict[str, str]] = {verb: f"smtp_{verb}" for verb in sorted(COMMANDS)}

    # ── a message ──────────────────────────────────────────────────────────────────────────────────

    async def smtp_MAIL(self, arg: str | None) -> None:
        sender = self.sender
        if not self.helo:
            self.refuse(refusals.HELO_FIRST)
        elif sender is None:
            self.refuse(refusals.refuse_anonymous(self.settings, tls=self.wire.tls, client_ip=self.client_ip))
        elif self.transaction is not None:
            self.refuse(refusals.NESTED_MAIL)
        else:
            begun = mail_transaction.begin(arg or "", sender, self.parts.rules, self.settings, self.client_ip)
            self._say_mail(begun, arg or "")

    def _say_mail(self, begun: Transaction | Refuse, argument: str) -> None:
        if isinstance(begun, Refuse):
            self._log_refusal("smtp_mail_refused", begun, argument)
            self.refuse(begun)
            return
        self.transaction = begun
        self.say(replies.MAIL_OK)

    def _log_refusal(self, event: str, refuse: Refuse, argument: str) -> None:
        login = None if self.sender is None else self.sender.login
        log.info(event, why=refuse.why, login=login, argument=argument[:MAX_LOGGED], client_ip=self.client_ip)

    async def smtp_RCPT(self, arg: str | None) -> None:
        if self.transaction is None:
            self.refuse(refusals.MAIL_FIRST)
            return
        refuse = await mail_transaction.add_recipient(self.transaction, arg or "", self.parts.rules, self.settings)
        if refuse is None:
            self.say(replies.RCPT_OK)
        else:
            self._log_refusal("smtp_rcpt_refused", refuse, arg or "")
            self.refuse(refuse, is_error=mail_transaction.is_error(refuse))

    async def smtp_DATA(self, arg: str) -> None:
        refuse = mail_transaction.check_data(arg, self.transaction)
        transaction = self.transaction
        if refuse is not None or transaction is None:
            self.refuse(refuse or refusals.MAIL_FIRST)
            return
        self.say(replies.SEND_DATA)
        self.wire.flush()
        reader = await self._read_content()
        self.transaction = None
        if reader is not None:
            await self._take_message(transaction, reader)

    async def _read_content(self) -> ContentReader | None:
        """None: there was no end to it. Whatever goes wrong here, content must never be read as commands."""
        was_closing, self.closing = self.closing, True
        try:
            reader = await read_content(self.wire, self.settings.max_message_size, self.settings.timeouts)
        except FloodError:
            self.refuse(refusals.TOO_LARGE)
            return None
        self.closing = was_closing
        return reader

    async def _take_message(self, transaction: Transaction, reader: ContentReader) -> None:
        refuse = refusals.check_content(reader)
        if refuse is not None:
            self._refuse_message(refuse, transaction)
            return
        began = self.wire.now()
        # The client may leave now, or the server stop: what was begun is stored all the same (docs/message-path.md).
        storing = self.registry.keep(self.parts.door.accept(self._submission(transaction, reader.content())))
        outcome = await asyncio.shield(storing)
        if isinstance(outcome, Refuse):
            self._refuse_message(outcome, transaction)
            return
        self.observer.accepted(self.wire.now() - began)
        self.forgive_errors()
        self.say(replies.fill(replies.DATA_OK, env_id=outcome.env_id))

    def _refuse_message(self, refuse: Refuse, transaction: Transaction) -> None:
        log.info(
            "smtp_message_refused",
            why=refuse.why,
            login=transaction.sender.login,
            mail_from=str(transaction.mail_from or ""),
            client_ip=self.client_ip,
        )
        self.refuse(refuse)

    def _submission(self, transaction: Transaction, content: bytes) -> Submission:
        return Submission(
            account=transaction.sender.account,
            login=transaction.sender.login,
            envelope=transaction.envelope(content),
            content=content,
            kind=transaction.sender.kind,
            client_ip=self.client_ip,
            helo=self.helo,
            protocol=protocol_keyword(
                esmtp=True, tls=self.wire.tls, authenticated=True, smtputf8=transaction.parameters.smtputf8
            ),
        )

    # ── the rest ───────────────────────────────────────────────────────────────────────────────────

    async def smtp_RSET(self, arg: str) -> None:
        if arg:
            self.refuse(refusals.NO_ARGUMENT)
            return
        self.transaction = None
        self.say(replies.OK)

    async def smtp_QUIT(self, arg: str) -> None:
        if arg:
            self.refuse(refusals.NO_ARGUMENT)
            return
        self.closing = True
        self.say(replies.BYE)

    async def smtp_NOOP(self, arg: str) -> None:  # noqa: ARG002  any argument will do
        self.say(replies.OK)

    async def smtp_HELP(self, arg: str) -> None:  # noqa: ARG002  any argument will do
        self.say(replies.HELP)

    async def smtp_VRFY(self, arg: str) -> None:
        """Tells nothing of which addresses there are (RFC 5321 §7.3)."""
        if arg:
            self.say(replies.CANNOT_VRFY)
        else:
            self.refuse(refusals.VRFY_SYNTAX)

    async def smtp_EXPN(self, arg: str) -> None:  # noqa: ARG002  any argument will do
        self.refuse(refusals.NOT_IMPLEMENTED)
