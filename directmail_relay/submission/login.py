"""The commands by which a client says who it is: EHLO, HELO, STARTTLS, AUTH.

No password stays on the session or gets into a log. What a right password is, the authenticator alone knows.
"""
# ruff: noqa: N802  aiosmtpd names a command's method after it

from __future__ import annotations

import structlog

from directmail_relay.mail import replies
from directmail_relay.mail.address import parse_address
from directmail_relay.policy.verdict import Refuse
from directmail_relay.submission import refusals
from directmail_relay.submission.auth_exchange import Credentials, Exchange, ExchangeError, start_exchange
from directmail_relay.submission.command_line import printable
from directmail_relay.submission.connection import Connection
from directmail_relay.submission.door import Parts, Sender
from directmail_relay.submission.registry import Registry
from directmail_relay.submission.settings import SessionSettings
from directmail_relay.submission.transaction import Transaction
from directmail_relay.submission.wire import LineTooLongError

log = structlog.get_logger(__name__)


class LoginSession(Connection):
    """`sender` is who has logged in; `transaction` stands from an accepted MAIL to DATA, RSET, EHLO or the end."""

    def __init__(self, settings: SessionSettings, parts: Parts, registry: Registry) -> None:
        super().__init__(settings, parts.observer, registry)
        self.parts = parts
        self.helo = ""
        self.sender: Sender | None = None
        self.transaction: Transaction | None = None
        self._auth_failures = 0

    @property
    def is_idle(self) -> bool:
        return self.transaction is None

    # ── greeting ───────────────────────────────────────────────────────────────────────────────────

    async def smtp_EHLO(self, hostname: str) -> None:
        if not hostname:
            self.refuse(refusals.EHLO_SYNTAX)
            return
        self._begin_session(hostname)
        self.say_lines(250, self.settings.capabilities(tls=self.wire.tls, client_ip=self.client_ip))

    async def smtp_HELO(self, hostname: str) -> None:
        if not hostname:
            self.refuse(refusals.HELO_SYNTAX)
            return
        self._begin_session(hostname)
        self.say(replies.fill(replies.HELO_OK, hostname=self.settings.hostname))

    def _begin_session(self, hostname: str) -> None:
        """As RSET, and who has logged in stays so (RFC 5321 §4.1.4)."""
        self.helo = printable(hostname)
        self.transaction = None

    async def smtp_STARTTLS(self, arg: str) -> None:
        refuse = refusals.check_starttls(arg, self.settings, tls=self.wire.tls)
        if refuse is not None:
            self.refuse(refuse)
        elif self.wire.has_input:
            # Whoever put it there, it would be obeyed as if it had come through TLS (RFC 3207 §6, CVE-2011-0411).
            self.send_away(replies.PIPELINED_AFTER_STARTTLS, "starttls_injection")
        else:
            self.say(replies.READY_FOR_TLS)
            self.begin_tls()
            await self.finish_tls()
            # All that was said in clear is forgotten (RFC 3207 §4.2).
            self.helo, self.sender, self.transaction = "", None, None

    # ── logging in ─────────────────────────────────────────────────────────────────────────────────

    async def smtp_AUTH(self, arg: str) -> None:
        refuse = self._check_auth()
        if refuse is not None:
            self.refuse(refuse)
            return
        try:
            credentials = await self._exchange(start_exchange(arg))
        except ExchangeError as error:
            self._refuse_auth(error.refuse, is_guess=error.refuse.reply == replies.AUTH_FAILED)
        except LineTooLongError:
            self._refuse_auth(refusals.AUTH_LINE_TOO_LONG, is_guess=False)
        else:
            await self._log_in(credentials)

    def _check_auth(self) -> Refuse | None:
        if not self.helo:
            return refusals.HELO_FIRST
        if self.transaction is not None:
            return refusals.AUTH_IN_TRANSACTION
        if self.sender is not None:
            return refusals.ALREADY_AUTHENTICATED
        if not self.settings.may_auth(tls=self.wire.tls, client_ip=self.client_ip):
            return refusals.AUTH_NEEDS_TLS
        return None

    async def _exchange(self, exchange: Exchange) -> Credentials:
        try:
            challenge = next(exchange)
            while True:
                self.say(challenge)
                challenge = exchange.send(await self.read_line())
        except StopIteration as finished:
            credentials: Credentials = finished.value
            return credentials

    async def _log_in(self, credentials: Credentials) -> None:
        outcome = await self.parts.authenticator.authenticate(credentials.login, credentials.password, self.client_ip)
        if isinstance(outcome, Refuse):
            self._refuse_auth(outcome, is_guess=True, login=loggable(credentials.login))
            return
        self.sender = outcome.sender
        self.observer.auth("ok")
        self.say(replies.AUTH_OK)

    def _refuse_auth(self, refuse: Refuse, *, is_guess: bool, login: str | None = None) -> None:
        self.observer.auth(refuse.why)
        log.info("smtp_login_refused", why=refuse.why, login=login, client_ip=self.client_ip)
        self.refuse(refuse)
        self._auth_failures += is_guess
        if self._auth_failures >= self.settings.max_auth_failures and not self.closing:
            self.send_away(replies.TOO_MANY_AUTH_FAILURES, "too_many_auth_failures")


def loggable(login: str) -> str:
    """The login if it is an address, as a login mostly is; else not a letter of it: people mix the two fields up."""
    try:
        return str(parse_address(login, smtputf8=True))
    except ValueError:
        return "(not an address)"
