"""Sessions to the fake host, for the tests of what happens in them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from directmail_relay.delivery.outcome import Outcome
from directmail_relay.delivery.outgoing import Outgoing
from directmail_relay.delivery.settings import DeliverySettings
from directmail_relay.delivery.smtp_client import SmtpSession, Target, open_session
from directmail_relay.policy.route import TlsPolicy
from tests.fakes.letters import settings
from tests.fakes.mx_script import Script
from tests.fakes.remote_mx import RemoteMx

STUFFED = b"Subject: Hello\r\nFrom: notice@example.com\r\n\r\nHello\r\n..\r\n..dots\r\n"
BIG = b"Subject: big\r\n\r\n" + b"0123456789abcdef" * 62_500 * 2 + b"\r\n"
HUGE = BIG * 10  # more than all buffers between two sockets hold


def always() -> bool:
    return True


def target(mx: RemoteMx, tls: TlsPolicy = TlsPolicy.MAY) -> Target:
    return Target("mx.rcpt.test", mx.ip, mx.port, tls)


@asynccontextmanager
async def session_to(
    mx: RemoteMx, tls: TlsPolicy = TlsPolicy.MAY, chosen: DeliverySettings | None = None
) -> AsyncIterator[SmtpSession]:
    opened = await open_session(target(mx, tls), chosen or settings())
    assert isinstance(opened, SmtpSession), opened
    try:
        yield opened
    finally:
        await opened.quit()


async def send(script: Script, outgoing: Outgoing, chosen: DeliverySettings | None = None) -> list[Outcome]:
    async with RemoteMx(script) as mx, session_to(mx, chosen=chosen) as session:
        outcomes = await session.send(outgoing, always)
    assert all(isinstance(outcome, Outcome) for outcome in outcomes)
    return [outcome for outcome in outcomes if isinstance(outcome, Outcome)]
