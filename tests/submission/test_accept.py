"""The one way in: what is stored when, what is answered, and that every reserved room is free again."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from email import message_from_bytes
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy.exc import SQLAlchemyError
from structlog.testing import capture_logs

from directmail_relay.accounts.directory import Account, Directory, DirectoryHolder
from directmail_relay.database.engine import Database
from directmail_relay.database.group_commit import GroupCommit
from directmail_relay.mail import replies
from directmail_relay.mail.address import parse_address
from directmail_relay.mail.message import Envelope, Message, RcptTo, Recipient, Submission
from directmail_relay.mail.reply import Reply
from directmail_relay.policy.admission import HeaderFromMode
from directmail_relay.policy.quota import Limits
from directmail_relay.policy.verdict import Refuse
from directmail_relay.queue.claim import Claim
from directmail_relay.queue.due import read_content
from directmail_relay.queue.env_id import EnvIds
from directmail_relay.queue.put import NewMessage, put
from directmail_relay.submission.accept import Acceptance, AcceptRules
from directmail_relay.submission.door import Accepted
from tests.conftest import Clock
from tests.fakes.way_out import Worker, hide, show
from tests.queue.mail import ME, count, row

CONTENT = b"From: test@test.com\r\nSubject: Invoice\r\n\r\nsecret words\r\n"


@dataclass
class Desk:
    """Where stored mail is handed over; it writes down all that it hears. `room` is what it still takes."""

    room: int = 1000
    taken: list[tuple[int, tuple[int, ...], bytes]] = field(default_factory=list)
    cancelled: list[tuple[int, bool]] = field(default_factory=list)

    def reserve(self, message: Message, recipients: tuple[Recipient, ...]) -> tuple[Claim, frozenset[int]]:
        assert {one.env_id for one in recipients} == {message.env_id}
        mine = frozenset(one.index for one in recipients[: self.room])
        self.room -= len(mine)
        return ME, mine

    def take(self, message: Message, recipients: tuple[Recipient, ...], content: bytes, claim: Claim) -> None:
        assert claim == ME
        self.taken.append((message.env_id, tuple(one.index for one in recipients), content))

    def cancel(self, recipients: tuple[Recipient, ...], *, unsure: bool) -> None:
        self.room += len(recipients)
        self.cancelled.append((len(recipients), unsure))


@dataclass
class Way:
    """An acceptance with its parts at hand."""

    acceptance: Acceptance
    desk: Desk
    holder: DirectoryHolder
    database: Database

    async def accept(self, *rcpts: str, content: bytes = CONTENT) -> Accepted | Refuse:
        return await self.acceptance.accept(submission(*rcpts, content=content))

    def limit(self, limits: Limits) -> None:
        self.holder.replace(Directory([Account("shop", limits=limits)]))


def submission(*rcpts: str, content: bytes = CONTENT) -> Submission:
    envelope = Envelope(
        mail_from=parse_address("test@test.com"),
        rcpt_to=tuple(RcptTo(parse_address(rcpt)) for rcpt in rcpts or ("a@rcpt.test",)),
    )
    return Submission("shop", "test@test.com", envelope, content, client_ip="192.0.2.7", helo="client.test")


@pytest.fixture
def way(database: Database, clock: Clock) -> Way:
    holder, desk = DirectoryHolder(Directory([Account("shop")])), Desk()
    commit: GroupCommit[NewMessage, Refuse | None] = GroupCommit(database, put)
    rules = AcceptRules("relay.test", ZoneInfo("Asia/Shanghai"))
    acceptance = Acceptance(rules, holder, EnvIds(ME.owner, clock.time), commit, desk, clock.time)
    return Way(acceptance, desk, holder, database)


def refusal(outcome: Accepted | Refuse) -> Reply:
    assert isinstance(outcome, Refuse)
    return outcome.reply


async def stored_content(way: Way, outcome: Accepted | Refuse) -> bytes:
    assert isinstance(outcome, Accepted)
    content = await way.database.read(read_content, outcome.env_id)
    assert content is not None
    return content


async def test_what_is_accepted_is_in_the_database_complete_and_handed_over(way: Way) -> None:
    with capture_logs() as logs:
        outcome = await way.accept("a@rcpt.test", "b@other.test")
    content = await stored_content(way, outcome)
    assert isinstance(outcome, Accepted)
    header = message_from_bytes(content)
    assert str(outcome.env_id) in header["Received"]
    assert header["Message-ID"] == f"<{outcome.env_id}@relay.test>"
    assert header["Date"] == "Wed, 18 Nov 2026 11:06:40 +0000"
    assert content.endswith(b"\r\n\r\nsecret words\r\n")
    assert way.desk.taken == [(outcome.env_id, (0, 1), content)]
    assert way.database.read_now(row, outcome.env_id, 1)["rcpt"] == "b@other.test"
    (line,) = logs
    assert (line["event"], line["env_id"], line["rcpts"]) == ("accepted", str(outcome.env_id), 2)
    assert "secret" not in str(line)


async def test_whom_there_is_no_room_for_is_stored_for_later(way: Way) -> None:
    way.desk.room = 1
    outcome = await way.accept("a@rcpt.test", "b@rcpt.test")
    assert isinstance(outcome, Accepted)
    assert way.desk.taken[0][1] == (0,)
    states = [way.database.read_now(row, outcome.env_id, index)["state"] for index in (0, 1)]
    assert states == ["delivering", "queued"]


async def test_an_env_id_that_exists_is_made_anew(way: Way, clock: Clock) -> None:
    first = await way.accept()
    assert isinstance(first, Accepted)
    # Another life of the same worker, whose clock was set back: it makes the same numbers again.
    way.acceptance._env_ids = EnvIds(ME.owner, clock.time)
    with capture_logs() as logs:
        second = await way.accept("b@rcpt.test")
    assert isinstance(second, Accepted)
    assert second.env_id != first.env_id
    assert [line["event"] for line in logs] == ["env_id_clash", "accepted"]
    assert way.desk.cancelled == [(1, False)]
    header = message_from_bytes(await stored_content(way, second))
    assert str(second.env_id) in header["Received"]
    assert (await stored_content(way, first)) != (await stored_content(way, second))


async def test_a_worker_whose_numbers_are_all_taken_says_so(way: Way, clock: Clock) -> None:
    for _ in range(5):
        await way.accept()
    way.acceptance._env_ids = EnvIds(ME.owner, clock.time)
    with pytest.raises(RuntimeError, match="env_id"):
        await way.accept()
    assert way.desk.room == 1000 - 5


async def test_a_message_beyond_the_quota_is_refused_whole_and_its_room_is_free_again(way: Way) -> None:
    way.limit(Limits(daily=2))
    assert refusal(await way.accept("a@rcpt.test", "b@rcpt.test", "c@rcpt.test")) == replies.DAILY_QUOTA
    assert way.desk.room == 1000
    assert way.desk.cancelled == [(3, False)]
    assert way.desk.taken == []
    assert way.database.read_now(count, "messages") == way.database.read_now(count, "recipients") == 0
    assert isinstance(await way.accept("a@rcpt.test", "b@rcpt.test"), Accepted)
    assert refusal(await way.accept()) == replies.DAILY_QUOTA


async def test_a_day_of_the_quota_ends_at_midnight_in_the_configured_zone(way: Way, clock: Clock) -> None:
    way.limit(Limits(daily=1))
    assert isinstance(await way.accept(), Accepted)
    clock.advance(4 * 3600 + 53 * 60)  # 23:59:40 in Shanghai
    assert refusal(await way.accept()) == replies.DAILY_QUOTA
    clock.advance(30)
    assert isinstance(await way.accept(), Accepted)


async def test_many_at_once_get_exactly_what_is_left(way: Way) -> None:
    way.limit(Limits(total=57))
    outcomes = await asyncio.gather(*(way.accept("a@rcpt.test", "b@rcpt.test") for _ in range(60)))
    assert sum(isinstance(one, Accepted) for one in outcomes) == 28
    assert {refusal(one) for one in outcomes if isinstance(one, Refuse)} == {replies.TOTAL_QUOTA}


async def test_a_database_that_fails_raises_and_frees_the_room_in_doubt(way: Way) -> None:
    await way.database.write(hide, "contents")
    with pytest.raises(SQLAlchemyError):
        await way.accept("a@rcpt.test", "b@rcpt.test")
    await way.database.write(show, "contents")
    assert way.desk.cancelled == [(2, True)]
    assert way.desk.room == 1000
    assert way.database.read_now(count, "messages") == 0
    assert isinstance(await way.accept(), Accepted)


async def test_a_row_that_was_stored_although_the_commit_seemed_to_fail_is_delivered(
    database: Database, clock: Clock
) -> None:
    """The answer to the commit is lost on its way: the client gets 451, the rows are there, claimed by us."""
    worker = await Worker(database, clock).begin()

    class AnswerLost(GroupCommit[NewMessage, Refuse | None]):
        async def submit(self, item: NewMessage) -> Refuse | None:
            await super().submit(item)
            raise OSError("connection reset")

    acceptance = Acceptance(
        AcceptRules("relay.test", ZoneInfo("UTC")),
        DirectoryHolder(Directory([Account("shop")])),
        EnvIds(ME.owner, clock.time),
        AnswerLost(database, put),
        worker.dispatcher,
        clock.time,
    )
    with pytest.raises(OSError, match="reset"):
        await acceptance.accept(submission())
    assert worker.is_empty_handed
    assert await worker.claimer.claim_round()
    await worker.settled()
    assert [str(sent.recipients[0].rcpt) for sent in worker.couriers.sent] == ["a@rcpt.test"]
    assert worker.is_empty_handed


async def test_an_account_that_is_gone_by_the_end_of_the_content_is_refused(way: Way) -> None:
    way.holder.replace(Directory())
    assert refusal(await way.accept()) == replies.ACCOUNT_UNAVAILABLE
    assert way.desk.room == 1000


@pytest.mark.parametrize(
    ("mode", "author", "accepted"),
    [
        (HeaderFromMode.MATCH, "test@test.com", True),
        (HeaderFromMode.MATCH, "other@test.com", False),
        (HeaderFromMode.DOMAIN, "other@test.com", True),
        (HeaderFromMode.DOMAIN, "other@evil.test", False),
        (HeaderFromMode.ANY, "other@evil.test", True),
    ],
)
async def test_the_header_from_is_checked_as_the_rules_of_the_moment_say(
    way: Way, mode: HeaderFromMode, author: str, *, accepted: bool
) -> None:
    way.acceptance.rules = replace(way.acceptance.rules, header_from=mode)
    outcome = await way.accept(content=f"From: {author}\r\n\r\nx\r\n".encode())
    assert isinstance(outcome, Accepted) is accepted
    if not accepted:
        assert refusal(outcome) == replies.HEADER_FROM_MISMATCH
        assert way.database.read_now(count, "messages") == 0


async def test_a_message_that_goes_in_circles_is_refused(way: Way) -> None:
    hops = b"Received: from a by b; Wed, 18 Nov 2026 11:06:40 +0000\r\n"
    assert isinstance(await way.accept(content=hops * 50 + CONTENT), Accepted)
    assert refusal(await way.accept(content=hops * 51 + CONTENT)) == replies.MAIL_LOOP


async def test_a_header_beyond_all_measure_is_refused(way: Way) -> None:
    outcome = await way.accept(content=b"X-A: b\r\n" * 1001 + CONTENT)
    assert refusal(outcome).code == 550
    assert way.database.read_now(count, "messages") == 0
