"""One worker: every part built from the configuration, started and stopped in order.

Start: a life in the database, what an earlier one left behind freed, delivery, then the doors. Stop: the doors first,
then delivery, then the claims go back. A reload changes in place what can be changed; the parent names the rest.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from zoneinfo import ZoneInfo

import structlog

from directmail_relay.accounts.directory import Directory, DirectoryHolder
from directmail_relay.app import duties, knobs, outbox_readers
from directmail_relay.app.declared import read_declared_keys
from directmail_relay.app.domain_checks import serve_domain_checks
from directmail_relay.app.doors import Doors
from directmail_relay.app.place import Place
from directmail_relay.app.registry import Registry
from directmail_relay.app.signer import Signer
from directmail_relay.app.way_out import WayOut
from directmail_relay.config import Config
from directmail_relay.database.engine import Database, ping
from directmail_relay.database.errors import TROUBLE
from directmail_relay.database.group_commit import GroupCommit
from directmail_relay.policy.quota import Periods, period_keys
from directmail_relay.policy.verdict import Refuse
from directmail_relay.queue.env_id import EnvIds, owner_id
from directmail_relay.queue.put import NewMessage, put
from directmail_relay.submission.accept import Acceptance
from directmail_relay.submission.listed_recipients import ListedRecipients
from directmail_relay.submission.sender_rules import DirectoryRules
from directmail_relay.web.health import make_app
from directmail_relay.web.reply_verification import ReplyVerification
from directmail_relay.web.server import WebServer

log = structlog.get_logger()

# What is under way gets this long to finish; the whole stop must end within 30 seconds.
DOORS_SECONDS = 10.0
DELIVERY_SECONDS = 12.0
READY_SECONDS = 3.0  # that /readyz waits for the database


class Relay:
    """Alive between `start` and `stop`. What the file declares is in the database before it is made."""

    def __init__(self, config: Config, place: Place) -> None:
        self._config = config
        self._place = place
        self._database = Database(config.database.location)
        self._directory = DirectoryHolder(Directory())
        self._cipher = knobs.make_cipher(config)
        self._registry = Registry(self._database, self._directory, knobs.read_keys(self._cipher), time.time)
        self._registry.take_over(read_declared_keys(config), config.domains.grace)
        self._reloading = asyncio.Lock()
        self._signer = Signer(self._directory, time.time)
        owner = owner_id(config.node, place.worker)
        self._way_out = WayOut(config, place.workers, self._database, owner, self._signer.sign, place.smtp)
        self._put: GroupCommit[NewMessage, Refuse | None] = GroupCommit(
            self._database, put, size_of=lambda new: new.message.size
        )
        acceptance = Acceptance(
            knobs.accept_rules(config),
            self._directory,
            EnvIds(owner, time.time),
            self._put,
            self._way_out.dispatcher,
            time.time,
        )
        acceptance.tags = self._tags
        self._listed = ListedRecipients(self._database, time.monotonic)
        rules = DirectoryRules(self._directory, self._listed)
        self._doors = Doors(config, self._directory, acceptance, place, self._registry.look_for_login, rules)
        checks = {"database": self._database_answers, "listeners": self._is_listening}
        pages = [ReplyVerification(self._database, time.time, time.monotonic).route]
        self._web = WebServer(make_app(checks, pages), place.http, config.http.trusted_proxies)
        self._tasks: list[asyncio.Task[None]] = []
        self._listening = False

    async def start(self) -> None:
        """Returns when mail is taken. The database has been migrated before."""
        await self._registry.load()
        freed = await self._way_out.life.begin()
        self._run_delivery()
        self._run_duties()
        await self._web.start()
        await self._doors.start()
        self._listening = True
        log.info("worker_ready", worker=self._place.worker, workers=self._place.workers, freed=freed)

    def _run_delivery(self) -> None:
        way_out = self._way_out
        self._run(way_out.life.serve(way_out.claimer.on_beat, way_out.dispatcher.forget))
        self._run(way_out.claimer.serve())

    def _run_duties(self) -> None:
        database, life = self._database, self._way_out.life
        reader = outbox_readers.invalid_address_reader(lambda: self._config.invalid_addresses.after_retries)
        for duty in (
            self._registry.serve(),
            duties.serve_checkpoints(database),
            duties.serve_lag(),
            duties.serve_samples(database, life, time.time),
            duties.serve_purges(database, life, self._keep, self._today),
            outbox_readers.serve_listed_recipients(self._listed),
            outbox_readers.serve_reader(database, life, reader),
            serve_domain_checks(database, life, self._cipher, lambda: self._config),
        ):
            self._run(duty)

    async def reload(self, config: Config) -> None:
        """Takes the new configuration over; raises ValueError or OSError, and changes nothing, when it cannot.

        What it declares has come into the database before; with a database in trouble that is read when it is back.
        """
        async with self._reloading:
            keys = read_declared_keys(config)
            self._doors.reload(config)
            self._way_out.reload(config, self._place.workers)
            self._registry.take_over(keys, config.domains.grace)
            self._config = config
            await self._registry.look_for_login()
            log.info("config_taken_over", worker=self._place.worker)

    async def stop(self) -> None:
        """Ends in good order, within 30 seconds."""
        self._listening = False
        await self._doors.stop(DOORS_SECONDS)
        await self._put.drain()
        await self._way_out.dispatcher.stop(DELIVERY_SECONDS)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._registry.close()
        await self._end_life()
        await self._web.stop()
        await self._way_out.close()
        self._signer.close()
        await asyncio.to_thread(self._database.close)

    async def _end_life(self) -> None:
        try:
            freed = await self._way_out.life.end()
        except TROUBLE as error:  # the next life of this worker frees them
            log.error("claims_not_given_back", error=type(error).__name__)
        else:
            log.info("worker_stopped", worker=self._place.worker, given_back=freed)

    def _run(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        task.add_done_callback(self._note_crash)
        self._tasks.append(task)

    def _note_crash(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            # A part that every other relies on is gone: better a new worker than half a one.
            log.critical("worker_crashed", exc_info=error)
            raise SystemExit(70)

    def _keep(self) -> duties.Keep:
        config = self._config
        return duties.Keep(config.retention.events, config.delivery.retry.lifetime, config.invalid_addresses.expire)

    def _today(self) -> Periods:
        return period_keys(time.time(), ZoneInfo(self._config.time_zone))

    def _tags(self, account: str) -> frozenset[str]:
        return self._directory.current.tags(account)

    async def _is_listening(self) -> bool:
        return self._listening

    async def _database_answers(self) -> bool:
        try:
            async with asyncio.timeout(READY_SECONDS):
                await self._database.read(ping)
        except (*TROUBLE, TimeoutError):
            return False
        return self._way_out.life.is_sure
