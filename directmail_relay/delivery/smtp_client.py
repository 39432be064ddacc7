"""An SMTP session to one host: greeting, EHLO or HELO, STARTTLS as the policy says, then transactions.

Everything that can happen comes back as an Outcome; only cancellation is raised, and leaves no connection behind.
Not driven through aiosmtplib 5.1.3: it loses the code of a reply beyond 32 KiB, and a refusal that comes while the
content is still going out in blocks; it has no time limit a block.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from directmail_relay.delivery.connection import Broken, connect
from directmail_relay.delivery.dialogue import Dialogue
from directmail_relay.delivery.esmtp import Extensions, parse_extensions
from directmail_relay.delivery.outcome import NotBegun, Outcome, Stop
from directmail_relay.delivery.outgoing import Outgoing
from directmail_relay.delivery.settings import DeliverySettings
from directmail_relay.delivery.transaction import MayBeginData, Transaction
from directmail_relay.mail.attempt import Stage
from directmail_relay.mail.replies import TLS_FAILED
from directmail_relay.mail.reply import Origin
from directmail_relay.policy.route import TlsPolicy

log = structlog.get_logger(__name__)

_IN_ANY_CASE = (TlsPolicy.ENCRYPT, TlsPolicy.VERIFY)


@dataclass(frozen=True, slots=True)
class Target:
    """One address of one host. `host` is the name that the certificate must have and that the log shows."""

    host: str
    ip: str
    port: int
    tls: TlsPolicy = TlsPolicy.MAY


class SmtpSession:
    """Made by `open_session`. `send` as often as `is_open` allows, then `quit`."""

    def __init__(self, target: Target, settings: DeliverySettings, dialogue: Dialogue, extensions: Extensions) -> None:
        self.target = target
        self.tls = dialogue.connection.tls
        self._settings = settings
        self._dialogue = dialogue
        self._extensions = extensions

    @property
    def is_open(self) -> bool:
        return self._dialogue.connection.is_open

    async def send(self, outgoing: Outgoing, may_begin_data: MayBeginData) -> tuple[Outcome | NotBegun, ...]:
        """One outcome a recipient, in their order. `may_begin_data` is asked at the last moment before DATA."""
        transaction = Transaction(self._dialogue, self._extensions, self._settings.timeouts, outgoing)
        rest: Outcome | NotBegun
        try:
            rest = await transaction.run(may_begin_data)
        except Stop as stop:
            self._dialogue.connection.abort()
            rest = stop.outcome
        except BaseException:
            self._dialogue.connection.abort()
            raise
        return tuple(outcome or rest for outcome in transaction.outcomes)

    async def quit(self) -> None:
        """Ends it politely, in a few seconds at most."""
        connection, seconds = self._dialogue.connection, self._settings.timeouts.quit
        try:
            if self.is_open:
                await connection.say(b"QUIT", seconds)
            await connection.close(seconds)
        except Broken as error:
            log.debug("delivery_quit_unanswered", mx_host=self.target.host, why=error.why)
        finally:
            connection.abort()


async def open_session(target: Target, settings: DeliverySettings) -> SmtpSession | Outcome:
    """A session that is ready for MAIL, or why there is none; that is always about the host."""
    try:
        try:
            return await _open(target, settings, target.tls)
        except _TlsFailedError as error:
            log.info("delivery_tls_failed", mx_host=target.host, mx_ip=target.ip, why=str(error), policy=target.tls)
            if target.tls in _IN_ANY_CASE:
                return Outcome(Stage.STARTTLS, TLS_FAILED)
        # Opportunistic: in clear is better than not at all, and needs a connection that no handshake has spoilt.
        return await _open(target, settings, TlsPolicy.NONE)
    except Stop as stop:
        return stop.outcome


class _TlsFailedError(Exception):
    """No TLS on this connection, and none to be had by trying again."""


async def _open(target: Target, settings: DeliverySettings, policy: TlsPolicy) -> SmtpSession:
    try:
        connection = await connect(target.ip, target.port, settings.timeouts.connect)
    except Broken as error:
        log.info("delivery_unreachable", mx_host=target.host, mx_ip=target.ip, why=error.why)
        raise Stop(Outcome(Stage.CONNECT, error.reply)) from None
    try:
        dialogue = Dialogue(connection, target.host)
        extensions = await _greet(dialogue, settings)
        if _wants_tls(policy, extensions):
            await _start_tls(dialogue, target, settings)
            extensions = await _introduce_in_tls(dialogue, settings)
        return SmtpSession(target, settings, dialogue, extensions)
    except BaseException:
        connection.abort()
        raise


def _wants_tls(policy: TlsPolicy, extensions: Extensions) -> bool:
    if policy is not TlsPolicy.NONE and extensions.offers("STARTTLS"):
        return True
    if policy in _IN_ANY_CASE:
        raise _TlsFailedError("STARTTLS is not offered")
    return False


async def _greet(dialogue: Dialogue, settings: DeliverySettings) -> Extensions:
    heard = await dialogue.hear(Stage.CONNECT, settings.timeouts.greeting)
    if not heard.reply.is_success:
        raise Stop(Outcome(Stage.CONNECT, heard.reply))
    return await _introduce(dialogue, settings)


async def _introduce(dialogue: Dialogue, settings: DeliverySettings) -> Extensions:
    """EHLO, and HELO to a host that does not know it (RFC 5321 §3.2)."""
    name, seconds = settings.helo.encode("ascii"), settings.timeouts.ehlo
    heard = await dialogue.say(Stage.EHLO, b"EHLO " + name, seconds)
    if heard.reply.is_success:
        return parse_extensions(heard.lines)
    heard = await dialogue.say(Stage.EHLO, b"HELO " + name, seconds)
    if not heard.reply.is_success:
        raise Stop(Outcome(Stage.EHLO, heard.reply))
    return Extensions()


async def _start_tls(dialogue: Dialogue, target: Target, settings: DeliverySettings) -> None:
    connection, seconds = dialogue.connection, settings.timeouts.starttls
    context = settings.tls.context_for(target.tls)
    try:
        heard = await connection.say(b"STARTTLS", seconds)
        if heard.reply.code == 421:
            raise Stop(Outcome(Stage.STARTTLS, heard.reply))
        if not heard.reply.is_success:
            raise _TlsFailedError(str(heard.reply))
        await connection.start_tls(context, target.host, seconds)
    except Broken as error:
        raise _TlsFailedError(error.why) from None


async def _introduce_in_tls(dialogue: Dialogue, settings: DeliverySettings) -> Extensions:
    """RFC 3207 §4.2: what was offered in clear is void."""
    try:
        return await _introduce(dialogue, settings)
    except Stop as stop:
        # In TLS 1.3 we hear only now that the host did not like our side of the handshake.
        if stop.outcome.reply.origin is Origin.LOCAL:
            raise _TlsFailedError("no answer in TLS") from None
        raise
