"""THE way in, for every door: complete the headers, check the content, reserve the quota and store, in one commit.

`accept` answers only after the disk has it. What it answers is the reply that the client gets; whatever goes wrong
inside is raised, and the door says 451. The content is never logged.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Protocol
from zoneinfo import ZoneInfo

import structlog

from directmail_relay.accounts.directory import Account, DirectoryHolder
from directmail_relay.content.complete import LIMITS, Completed, complete
from directmail_relay.content.dates import format_date
from directmail_relay.content.headers import HeaderLimitError, HeaderLimits
from directmail_relay.content.trace import Hop, render_received
from directmail_relay.database.errors import AlreadyThere, is_out_of_room
from directmail_relay.database.group_commit import GroupCommit
from directmail_relay.mail import replies
from directmail_relay.mail.message import Message, Recipient, Submission
from directmail_relay.policy.admission import HeaderFromMode, check_header_from
from directmail_relay.policy.quota import period_keys
from directmail_relay.policy.verdict import Accept, Refuse, Verdict
from directmail_relay.queue.claim import Claim
from directmail_relay.queue.env_id import EnvIds
from directmail_relay.queue.put import NewMessage
from directmail_relay.submission.accepted import make_message, make_recipients
from directmail_relay.submission.door import Accepted

log = structlog.get_logger()

_CLASHES = 5  # env_ids tried before something else must be wrong


class Handoff(Protocol):
    """The delivery side: takes what was just stored straight from memory, as far as it has room."""

    def reserve(self, message: Message, recipients: tuple[Recipient, ...]) -> tuple[Claim, frozenset[int]]:
        """The claim that new rows are born with, and the indexes of those that there is room for."""

    def take(self, message: Message, recipients: tuple[Recipient, ...], content: bytes, claim: Claim) -> None:
        """These recipients were stored with the claim: deliver them."""

    def cancel(self, recipients: tuple[Recipient, ...], *, unsure: bool) -> None:
        """They were not stored: the room is free again.

        `unsure`: the outcome of the commit is unknown, so rows that are there after all must be found and delivered.
        """


@dataclass(frozen=True, slots=True)
class AcceptRules:
    """What a content must keep to. `hostname` is ours, for Received and Message-ID."""

    hostname: str
    zone: ZoneInfo
    header_from: HeaderFromMode = HeaderFromMode.MATCH
    max_received: int = 50
    header_limits: HeaderLimits = LIMITS


class Acceptance:
    """The `Door` behind which the queue lies. `rules` may be replaced between two messages (a reload).

    `tags` are those that an account has registered; set it before the first message.
    """

    def __init__(
        self,
        rules: AcceptRules,
        directory: DirectoryHolder,
        env_ids: EnvIds,
        put: GroupCommit[NewMessage, Refuse | None],
        handoff: Handoff,
        clock: Callable[[], float],
    ) -> None:
        self.rules = rules
        self._directory = directory
        self._env_ids = env_ids
        self._put = put
        self._handoff = handoff
        self._clock = clock
        self.tags: Callable[[str], Collection[str]] = lambda _account: ()

    async def accept(self, submission: Submission) -> Accepted | Refuse:
        """Stores the message and answers with its env_id, or says why not. Raises what the database raises."""
        account = self._directory.current.find_account(submission.account)
        if account is None:
            return Refuse(replies.ACCOUNT_UNAVAILABLE, "account_unavailable")
        for _ in range(_CLASHES):
            try:
                return await self._try(submission, account)
            except AlreadyThere:  # the number exists already, from before a step of the clock: make another
                log.warning("env_id_clash", account=account.name)
        raise RuntimeError("every new env_id exists already: is another worker running with this node number?")

    async def _try(self, submission: Submission, account: Account) -> Accepted | Refuse:
        now, env_id = self._clock(), self._env_ids.make()
        try:
            completed = self._complete(submission, env_id, now)
        except HeaderLimitError as error:
            return Refuse(replies.fill(replies.BAD_HEADERS, why=error), "bad_headers")
        verdict = self._check(submission, completed)
        if isinstance(verdict, Refuse):
            return verdict
        message = make_message(submission, completed, self._tag(submission, completed), env_id, now)
        recipients = make_recipients(submission, env_id, now)
        return await self._store(message, recipients, completed.content, account, now)

    def _complete(self, submission: Submission, env_id: int, now: float) -> Completed:
        rcpt_to = submission.envelope.rcpt_to
        date = format_date(now)
        hop = Hop(
            helo=submission.helo,
            client_ip=submission.client_ip or "127.0.0.1",
            hostname=self.rules.hostname,
            keyword=submission.protocol,
            env_id=str(env_id),
            date=date,
            rcpt_to=rcpt_to[0].address if len(rcpt_to) == 1 else None,
        )
        return complete(
            submission.content,
            received=render_received(hop),
            date=date,
            message_id=f"<{env_id}@{self.rules.hostname}>",
            limits=self.rules.header_limits,
        )

    def _check(self, submission: Submission, completed: Completed) -> Verdict:
        if completed.received_count > self.rules.max_received:
            return Refuse(replies.MAIL_LOOP, "mail_loop")
        mail_from = submission.envelope.mail_from
        if mail_from is None:  # our own reports; no login may use the null reverse-path
            return Accept()
        return check_header_from(completed.header_from.address, mail_from, self.rules.header_from)

    def _tag(self, submission: Submission, completed: Completed) -> str | None:
        """The door's own word first, then the header's; a tag that the account does not have is dropped in silence."""
        if submission.tag is not None:
            return submission.tag
        said = completed.tag
        if said.problem is not None:
            log.debug("tag_header_ignored", account=submission.account, problem=said.problem)
        return said.tag if said.tag in self.tags(submission.account) else None

    async def _store(
        self, message: Message, recipients: tuple[Recipient, ...], content: bytes, account: Account, now: float
    ) -> Accepted | Refuse:
        claim, claimed = self._handoff.reserve(message, recipients)
        mine = tuple(recipient for recipient in recipients if recipient.index in claimed)
        periods = period_keys(now, self.rules.zone)
        try:
            refused = await self._put.submit(
                NewMessage(message, recipients, content, account.limits, periods, claim, claimed)
            )
        except BaseException as error:
            self._handoff.cancel(mine, unsure=not isinstance(error, AlreadyThere))
            if is_out_of_room(error):
                log.error("no_room", account=account.name, size=message.size)
                return Refuse(replies.NO_ROOM, "no_room")
            raise
        if refused is not None:
            self._handoff.cancel(mine, unsure=False)
            return refused
        self._handoff.take(message, mine, content, claim)
        log.info(
            "accepted",
            env_id=str(message.env_id),
            account=message.account,
            mail_from=str(message.mail_from or ""),
            rcpts=len(recipients),
            size=message.size,
            message_id=message.message_id,
            client_ip=message.client_ip,
        )
        return Accepted(message.env_id)
