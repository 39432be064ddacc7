"""From the configuration to the settings that stand beside the code they turn: nothing is decided here.

What is a limit of the whole node is divided among its workers, rounded up.
"""

from __future__ import annotations

import ssl
from functools import partial
from zoneinfo import ZoneInfo

from directmail_relay.accounts.dkim_keys import active_keys
from directmail_relay.accounts.registered import ReadKeys
from directmail_relay.accounts.secret_key import Cipher, load_or_make_cipher
from directmail_relay.config import Config, Listener
from directmail_relay.content.headers import HeaderLimits
from directmail_relay.delivery.lanes import Ceilings
from directmail_relay.delivery.settings import DeliverySettings
from directmail_relay.delivery.timeouts import Timeouts as DeliveryTimeouts
from directmail_relay.delivery.tls import TlsContexts
from directmail_relay.policy.admission import HeaderFromMode
from directmail_relay.policy.retry import RetryPolicy
from directmail_relay.submission.accept import AcceptRules
from directmail_relay.submission.settings import AuthWithoutTls, SessionSettings, TlsMode
from directmail_relay.submission.settings import Timeouts as SessionTimeouts


def share(limit: int, workers: int) -> int:
    """One worker's part of a limit of the node."""
    return -(-limit // workers)


def accept_rules(config: Config) -> AcceptRules:
    return AcceptRules(
        hostname=config.hostname,
        zone=ZoneInfo(config.time_zone),
        header_from=HeaderFromMode(config.smtp.header_from),
        max_received=config.smtp.max_received,
        header_limits=HeaderLimits(fields=config.smtp.max_headers),
    )


def make_cipher(config: Config) -> Cipher:
    """What keys are kept under in the database. Raises SecretKeyError when the secret key cannot be used."""
    return load_or_make_cipher(config.secret_key_file, config.database.path)


def read_keys(cipher: Cipher) -> ReadKeys:
    """Reads the registered DKIM keys."""
    return partial(active_keys, cipher=cipher)


def session_settings(config: Config, listener: Listener, tls: ssl.SSLContext | None) -> SessionSettings:
    smtp = config.smtp
    return SessionSettings(
        hostname=config.hostname,
        max_rcpt=smtp.max_rcpt,
        rcpt_overflow=smtp.rcpt_overflow,
        max_message_size=smtp.max_message_size,
        max_errors=smtp.max_errors,
        max_auth_failures=smtp.max_auth_failures,
        auth_without_tls=AuthWithoutTls(listener.auth_without_tls or smtp.auth_without_tls),
        tls_mode=TlsMode(listener.tls),
        tls_context=tls,
        timeouts=SessionTimeouts(
            command=smtp.timeouts.command,
            data_block=smtp.timeouts.data,
            data=smtp.timeouts.data_total,
            handshake=smtp.timeouts.tls_handshake,
        ),
    )


def retry_policy(config: Config) -> RetryPolicy:
    retry = config.delivery.retry
    return RetryPolicy(tuple(retry.schedule), retry.lifetime, config.bounces.no_retry_rows == "obey")


def ceilings(config: Config, workers: int) -> Ceilings:
    delivery = config.delivery
    return Ceilings(
        sessions=share(delivery.max_sessions, workers),
        sessions_per_destination=share(delivery.sessions_per_destination, workers),
        recipients=delivery.in_flight.recipients,
        recipients_per_destination=delivery.in_flight.recipients_per_destination,
        size=delivery.in_flight.size,
    )


def delivery_settings(config: Config, own_addresses: frozenset[tuple[str, int]], tls: TlsContexts) -> DeliverySettings:
    given = config.delivery.timeouts
    return DeliverySettings(
        helo=config.hostname,
        port=config.delivery.port,
        allow_private_mx=config.delivery.allow_private_mx,
        own_addresses=own_addresses,
        timeouts=DeliveryTimeouts(
            connect=given.connect,
            greeting=given.greeting,
            ehlo=given.greeting,
            mail=given.mail,
            rcpt=given.rcpt,
            data=given.data,
            block=given.data_block,
            final_dot=given.data_done,
        ),
        tls=tls,
    )
