"""Shares the work out: takes what was accepted or claimed into its lanes, and opens couriers as the lanes ask for them.

Every recipient it holds is claimed in the database; whatever it cannot begin goes back unattempted. It never decides
what a reply means (settler) nor how a host is reached (courier).
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import structlog

from directmail_relay.delivery.hands import Hands, Sends
from directmail_relay.delivery.lanes import Ceilings, Lane, Lanes
from directmail_relay.delivery.life import Life
from directmail_relay.delivery.parcel import Parcel, Work
from directmail_relay.delivery.settler import Held, Settler
from directmail_relay.mail import replies
from directmail_relay.mail.attempt import About, DeliveryAttempt, Stage
from directmail_relay.mail.message import Message, Recipient
from directmail_relay.queue.claim import Claim

log = structlog.get_logger()

Key = tuple[int, int]  # (env_id, index) of a recipient

TURN = 100  # messages after which a courier gives its session up to a lane that waits for one


class Dispatcher:
    """One worker's way out. Also the `Handoff` of submission: `reserve`, `take`, `cancel`.

    `in_doubt`: the answer to a commit was lost, so rows may be claimed by us that nobody here `holds`.
    """

    def __init__(self, life: Life, settler: Settler, hands: Hands, ceilings: Ceilings) -> None:
        self.lanes = Lanes(ceilings)
        self.hands = hands
        self._life = life
        self._settler = settler
        self._couriers: set[asyncio.Task[None]] = set()
        self._held: set[Key] = set()
        self.in_doubt = False
        self.stopping = False

    def reserve(self, message: Message, recipients: tuple[Recipient, ...]) -> tuple[Claim, frozenset[int]]:
        """Room for as many of these as the ceilings leave; the others are stored as due and claimed later."""
        mine: set[int] = set()
        if self.lanes.fits(message.size, message.kind) and not self.stopping and self._life.is_sure:
            for recipient in recipients:
                if self.lanes.room_of(recipient.destination, message.kind):
                    self.hold(recipient)
                    mine.add(recipient.index)
        return self._life.claim, frozenset(mine)

    def take(self, message: Message, recipients: tuple[Recipient, ...], content: bytes | None, claim: Claim) -> None:
        """They are ours by `claim`, and reserved: into their lanes. A `content` of None is read when its turn comes."""
        if self.stopping or claim != self._life.claim:  # the world changed while they were being stored
            self._put_back(recipients, claim)
            return
        parcel = Parcel(message, content)
        groups: dict[str, list[Recipient]] = {}
        for recipient in recipients:
            groups.setdefault(recipient.destination, []).append(recipient)
        for group in groups.values():
            self.lanes.add(Work(parcel, tuple(group), claim))
        for destination in groups:
            self._open_couriers(self.lanes.get(destination))

    def cancel(self, recipients: tuple[Recipient, ...], *, unsure: bool) -> None:
        """They were not stored, as far as we know."""
        self._unreserve(recipients)
        self.in_doubt = self.in_doubt or unsure

    def hold(self, recipient: Recipient) -> None:
        """It is ours, or about to be: it takes room from now on."""
        self.lanes.reserve(recipient.destination, 1)
        self._held.add((recipient.env_id, recipient.index))

    def holds(self, key: Key) -> bool:
        """Whether this (env_id, index) is in our hands: being stored, ready, under way, or being written down."""
        return key in self._held

    def obey(self, wanted: Collection[Key]) -> set[Key]:
        """Takes these (env_id, index) out of the lanes; answers with those that had not begun yet."""
        taken = self.lanes.take_out(set(wanted))
        self._held -= taken
        return taken

    def forget(self) -> list[Work]:
        """Lets go of all that has not begun: another worker has ended this life, or we stop."""
        works = self.lanes.clear()
        self._held.difference_update(*(_keys(work.recipients) for work in works))
        return works

    async def stop(self, seconds: float) -> None:
        """Begins nothing new, lets what is under way finish for so long, and writes all results down."""
        self.stopping = True
        for work in self.forget():
            self._settler.give_back(work.claim, _keys(work.recipients))
        if self._couriers:
            _, late = await asyncio.wait(set(self._couriers), timeout=seconds)
            for courier in late:
                courier.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._settler.drain()

    # ── couriers ────────────────────────────────────────────────────────────────────────────────

    def _open_couriers(self, lane: Lane) -> None:
        while self.lanes.wants_session(lane) and self.lanes.open_session(lane):
            task = asyncio.create_task(self._run_courier(lane), name=f"courier {lane.destination}")
            self._couriers.add(task)
            task.add_done_callback(self._couriers.discard)

    async def _run_courier(self, lane: Lane) -> None:
        courier = self.hands.new_courier(lane.destination)
        lane.opening -= 1
        try:
            sent = 0
            while (sent < TURN or not self.lanes.others_wait(lane)) and (
                work := self.lanes.next_work(lane)
            ) is not None:
                sent += 1
                await self._carry(courier, work)
        finally:
            waiting = self.lanes.close_session(lane)
            for next_lane in (waiting, lane):
                if next_lane is not None and not self.stopping:
                    self._open_couriers(next_lane)
            await courier.close()

    async def _carry(self, courier: Sends, work: Work) -> None:
        """Delivers one work and has its results written down; the room is free when they are."""
        attempts = tuple[DeliveryAttempt, ...]()
        try:
            attempts = await self._deliver(courier, work)
        except asyncio.CancelledError:  # stopping, and the host took too long: it may have the message
            log.warning("delivery_cut_off", env_id=str(work.parcel.message.env_id), maybe_duplicate=True)
            raise
        finally:
            self._record(work, attempts)

    async def _deliver(self, courier: Sends, work: Work) -> tuple[DeliveryAttempt, ...]:
        started = self.hands.clock()
        try:
            content = await work.parcel.prepare(self.hands.read, self.hands.sign)
            return await courier.deliver(work.outgoing(content), lambda: self._may_begin_data(work.claim))
        except Exception:
            # Ours to mend, not the recipient's fault: it counts as an attempt, so that it cannot spin.
            log.exception("delivery_crashed", env_id=str(work.parcel.message.env_id))
            return tuple(
                DeliveryAttempt(
                    env_id=one.env_id,
                    rcpt_index=one.index,
                    stage=Stage.RESOLVE,
                    reply=replies.INTERNAL_ERROR,
                    started_at=started,
                    ended_at=self.hands.clock(),
                    about=About.MESSAGE,
                )
                for one in work.recipients
            )

    def _may_begin_data(self, claim: Claim) -> bool:
        """The last check before DATA: the claim must be beyond doubt, and a stopping worker begins nothing."""
        # By the work's own claim: after a life that was lost the next one is sure again, but not of the same rows.
        return self._life.is_sure and self._life.claim == claim and not self.stopping

    def _record(self, work: Work, attempts: tuple[DeliveryAttempt, ...]) -> None:
        by_index = {attempt.rcpt_index: attempt for attempt in attempts}
        writing = [
            self._settler.record(Held(work.parcel.message, one, work.claim), by_index[one.index])
            for one in work.recipients
            if one.index in by_index
        ]
        begun = set(by_index)
        if left := [one for one in work.recipients if one.index not in begun]:
            writing.append(self._settler.give_back(work.claim, _keys(left)))
        written = asyncio.gather(*writing, return_exceptions=True)
        written.add_done_callback(lambda _: self._end(work))

    def _end(self, work: Work) -> None:
        self._held.difference_update(_keys(work.recipients))
        self.lanes.end(work)

    def _put_back(self, recipients: tuple[Recipient, ...], claim: Claim) -> None:
        self._unreserve(recipients)
        if recipients:
            self._settler.give_back(claim, _keys(recipients))

    def _unreserve(self, recipients: Collection[Recipient]) -> None:
        self._held.difference_update(_keys(recipients))
        for recipient in recipients:
            self.lanes.unreserve(recipient.destination, 1)


def _keys(recipients: Collection[Recipient]) -> list[Key]:
    return [(one.env_id, one.index) for one in recipients]
