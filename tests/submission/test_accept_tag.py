"""Which tag a message is stored with: one that its account has registered, or none; the mail is sent in any case."""

from __future__ import annotations

import base64
import json
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from directmail_relay.accounts.directory import Account, Directory, DirectoryHolder
from directmail_relay.database import schema
from directmail_relay.database.engine import Database
from directmail_relay.database.group_commit import GroupCommit
from directmail_relay.mail.address import parse_address
from directmail_relay.mail.message import Envelope, Message, RcptTo, Recipient, Submission
from directmail_relay.queue.claim import Claim
from directmail_relay.queue.env_id import EnvIds
from directmail_relay.queue.put import put
from directmail_relay.submission.accept import Acceptance, AcceptRules
from directmail_relay.submission.door import Accepted
from tests.conftest import Clock

TRACE = b"X-AliDM-Trace: " + base64.b64encode(json.dumps({"OpenTrace": "1", "TagName": "spring"}).encode())
SENDER = parse_address("notice@example.com")


class NoRoom:
    """A delivery side that takes nothing into memory."""

    def reserve(self, message: Message, recipients: tuple[Recipient, ...]) -> tuple[Claim, frozenset[int]]:  # noqa: ARG002 - as the protocol has it
        return Claim(32, 1), frozenset()

    def take(self, message: Message, recipients: tuple[Recipient, ...], content: bytes, claim: Claim) -> None:
        """Nothing was reserved."""

    def cancel(self, recipients: tuple[Recipient, ...], *, unsure: bool) -> None:
        """Nor is there anything to cancel."""


async def stored_tag(database: Database, clock: Clock, field: bytes, own: str | None = None) -> str | None:
    """The tag in the database after a message with that header field; `own` is the door's word."""
    acceptance = Acceptance(
        AcceptRules("relay.test", ZoneInfo("UTC")),
        DirectoryHolder(Directory([Account("shop")])),
        EnvIds(32, clock.time),
        GroupCommit(database, put),
        NoRoom(),
        clock.time,
    )
    acceptance.tags = lambda account: {"shop": {"spring"}}.get(account, set())
    content = b"From: notice@example.com\r\n" + field + b"\r\n\r\nHello\r\n"
    envelope = Envelope(SENDER, (RcptTo(parse_address("a@x.test")),))
    accepted = await acceptance.accept(Submission("shop", str(SENDER), envelope, content, tag=own))
    assert isinstance(accepted, Accepted)
    found: str | None = database.read_now(lambda c: c.execute(select(schema.messages.c.tag)).scalar_one())
    kept = database.read_now(lambda c: c.execute(select(schema.contents.c.content)).scalar_one())
    assert field not in bytes(kept)
    return found


@pytest.mark.parametrize(
    ("field", "tag"),
    [
        (TRACE, "spring"),
        (b"X-DM-Tag: spring", "spring"),
        (b"X-DM-Tag: autumn", None),
        (b"X-DM-Tag: Spring", None),
        (b"X-AliDM-Trace: %%%", None),
        (b"X-AliDM-Settings: %%%", None),
    ],
)
async def test_a_message_has_the_tag_of_its_header_if_the_account_registered_it(
    database: Database, clock: Clock, field: bytes, tag: str | None
) -> None:
    assert await stored_tag(database, clock, field) == tag


async def test_the_word_of_the_door_comes_before_the_header(database: Database, clock: Clock) -> None:
    assert await stored_tag(database, clock, TRACE, own="by-api") == "by-api"


async def test_a_field_that_cannot_be_read_is_logged_without_its_content(sqlite_url: str, clock: Clock) -> None:
    database = Database(sqlite_url)
    with capture_logs() as logs:
        await stored_tag(database, clock, b"X-AliDM-Trace: c2VjcmV0")
    database.close()
    (line,) = [one for one in logs if one["event"] == "tag_header_ignored"]
    assert line["log_level"] == "debug"
    assert "secret" not in str(line)
    assert "c2VjcmV0" not in str(line)
