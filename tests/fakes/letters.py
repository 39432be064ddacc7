"""What the tests of the way out send, and how little they wait for it."""

from __future__ import annotations

from dataclasses import replace

from directmail_relay.delivery.outgoing import Outgoing
from directmail_relay.delivery.settings import DeliverySettings
from directmail_relay.delivery.timeouts import Timeouts
from directmail_relay.delivery.tls import TlsContexts, make_tls_contexts
from directmail_relay.mail.address import parse_address
from directmail_relay.mail.message import Recipient

ENV_ID = 4711
CONTENT = b"Subject: Hello\r\nFrom: notice@example.com\r\n\r\nHello\r\n.\r\n.dots\r\n"
TLS = make_tls_contexts()

PATIENT = Timeouts(**dict.fromkeys(Timeouts.__dataclass_fields__, 10.0))


def impatient(*steps: str) -> Timeouts:
    """Waits hardly at all for these steps, and long for all others: a busy machine must fail no test."""
    return replace(PATIENT, **dict.fromkeys(steps, 0.05))


def letter(*rcpt_to: str, content: bytes = CONTENT, first_index: int = 0) -> Outgoing:
    """A message to these, or to `ok@rcpt.test`."""
    addresses = [parse_address(text, smtputf8=True) for text in rcpt_to or ("ok@rcpt.test",)]
    recipients = tuple(
        Recipient(ENV_ID, index, address, address.domain, 0, 0.0)
        for index, address in enumerate(addresses, start=first_index)
    )
    return Outgoing(ENV_ID, parse_address("notice@example.com"), recipients, content)


def settings(
    timeouts: Timeouts = PATIENT, *, port: int = 25, allow_private_mx: bool = True, tls: TlsContexts = TLS
) -> DeliverySettings:
    return DeliverySettings(helo="relay.test", port=port, allow_private_mx=allow_private_mx, timeouts=timeouts, tls=tls)
