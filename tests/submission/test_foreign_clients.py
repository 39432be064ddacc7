"""Clients that nobody here wrote send through the front end. (smtplib: test_session.py.)"""

from __future__ import annotations

import aiosmtplib

from directmail_relay.submission.settings import SessionSettings
from tests.fakes.smtp_front import running_front

CONTENT = b"From: test@test.com\r\n\r\n.dot\r\n"


async def test_aiosmtplib_logs_in_and_sends() -> None:
    async with running_front(SessionSettings("relay.test")) as front:
        client = aiosmtplib.SMTP(hostname="127.0.0.1", port=front.port, start_tls=False, use_tls=False)
        await client.connect()
        await client.login("test@test.com", "test")
        errors, reply = await client.sendmail("test@test.com", ["a@example.com", "b@example.com"], CONTENT)
        await client.quit()
        (submission,) = front.store.taken
    assert errors == {}
    assert reply.startswith("Data Ok: queued as freedom ###envid=")
    assert [str(one.address) for one in submission.envelope.rcpt_to] == ["a@example.com", "b@example.com"]
    assert submission.content == CONTENT
