"""The scenes in their order: the world and the relay, the guide's session, the letters, their fates, the verdict."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import Mapping
from contextlib import AsyncExitStack, closing
from pathlib import Path

from rich.console import Console

from directmail_relay.cli.demo.board import STATUS_IN_ENGLISH, Board
from directmail_relay.cli.demo.failure import DemoFailedError
from directmail_relay.cli.demo.farewell import render_farewell
from directmail_relay.cli.demo.fates import Fate, follow
from directmail_relay.cli.demo.ports import LOOPBACK, is_free
from directmail_relay.cli.demo.relay_process import RelayProcess
from directmail_relay.cli.demo.sessions import play_guide_session, send_letters
from directmail_relay.cli.demo.stage import HTTP_PORT, SMTP_PORT, Stage, make_signing_key, set_stage, write_secrets
from directmail_relay.cli.demo.verdict import header_lines, judge_signature
from directmail_relay.config import load_config
from directmail_relay.content.signing_keys import public_record
from directmail_relay.database.engine import Database
from directmail_relay.mail.message import State
from directmail_relay.sandbox import DOMAIN, MAILBOXES, TakenMessage, World

STARTS = 3


async def play(console: Console, all_shown: asyncio.Event, *, once: bool) -> None:
    """All of it; sets `all_shown` when everything was as promised. Raises DemoFailedError; tidies up in any case."""
    async with AsyncExitStack() as stack:
        console.print("Starting a relay, and a world around it, on this machine alone ...", style="bold")
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="directmail-demo-")))
        key = make_signing_key(folder)
        world = await stack.enter_async_context(World(folder, {key.record_name: public_record(key.private_key)}))
        write_secrets(folder)
        stage, relay = await _start_relay(stack, folder, world)
        scenes = Scenes(console, stage, world)
        try:
            await scenes.play()
        except DemoFailedError as error:
            raise DemoFailedError(f"{error}\n{relay.last_words()}") from error
        all_shown.set()
        if not once:
            await scenes.go_on_serving(relay)


async def _start_relay(stack: AsyncExitStack, folder: Path, world: World) -> tuple[Stage, RelayProcess]:
    for start in range(STARTS):
        stage = set_stage(folder, world)
        relay = RelayProcess(stage)
        stack.push_async_callback(relay.stop)
        try:
            await relay.start()
        except DemoFailedError:
            # Somebody may have been quicker to take a port that was free just now.
            if start == STARTS - 1 or (is_free(stage.smtp_port) and is_free(stage.http_port)):
                raise
        else:
            return stage, relay
    raise AssertionError("the last start returns or raises")


class Scenes:
    def __init__(self, console: Console, stage: Stage, world: World) -> None:
        self._console = console
        self._stage = stage
        self._world = world

    async def play(self) -> None:
        self._introduce()
        self._title("The guide's SMTP session")
        self._line(f"$ telnet {LOOPBACK} {self._stage.smtp_port}")
        env_ids = {"ok": await play_guide_session(self._stage, self._line)}
        self._title(f"A message to each of the others at {DOMAIN}, in one session over STARTTLS")
        others = [mailbox for mailbox in MAILBOXES.values() if mailbox.name not in env_ids]
        env_ids |= await send_letters(self._stage, others)
        for mailbox in others:
            self._line(f"  {mailbox.address:<21}  envid {env_ids[mailbox.name]}  {mailbox.what}")
        self._title("What becomes of them")
        self._check(await self._follow(env_ids))
        self._title(f"What arrived at {MAILBOXES['ok'].address}")
        await self._show_verdict(self._arrived("ok"))

    async def go_on_serving(self, relay: RelayProcess) -> None:
        """Until it is cancelled. Raises DemoFailedError when the relay ends by itself."""
        self._title("The relay goes on serving; Ctrl-C ends it and removes everything")
        self._console.print(render_farewell(self._stage, self._world), soft_wrap=True)
        code = await relay.wait()
        raise DemoFailedError(f"the relay ended by itself with code {code}\n{relay.last_words()}")

    def _introduce(self) -> None:
        stage = self._stage
        self._line(
            f"  relay    SMTP {LOOPBACK}:{stage.smtp_port}, HTTP {LOOPBACK}:{stage.http_port}, 2 workers, SQLite"
        )
        for port, wanted in ((stage.smtp_port, SMTP_PORT), (stage.http_port, HTTP_PORT)):
            if port != wanted:
                self._line(f"           (port {wanted} is taken, so it is {port})")
        self._line(f"  DNS      {self._world.dns_server}")
        self._line(f"  MX       of {DOMAIN}: mx1, preferred, but down; mx2, at {LOOPBACK}:{self._world.mx_port}")
        self._line(f"  files    {stage.folder}")

    async def _follow(self, env_ids: Mapping[str, int]) -> dict[str, Fate]:
        with (
            closing(Database(load_config(self._stage.config).database.location)) as database,
            Board(self._console) as board,
        ):
            fates = await follow(database, env_ids, board.notice)
            board.finish(fates)
        self._line(f"Status: {STATUS_IN_ENGLISH}.")
        return fates

    def _check(self, fates: Mapping[str, Fate]) -> None:
        wrong = [name for name, fate in fates.items() if not fate.is_as_promised]
        if wrong:
            raise DemoFailedError(f"another end was promised for: {', '.join(wrong)}")
        arrived = Counter(rcpt for message in self._world.taken for rcpt in message.rcpt_to)
        delivered = {MAILBOXES[name].address: 1 for name, fate in fates.items() if fate.state is State.DELIVERED}
        if arrived != delivered:
            raise DemoFailedError(f"delivered were {sorted(delivered)}, but the mail host took {dict(arrived)}")

    def _arrived(self, name: str) -> TakenMessage:
        return next(message for message in self._world.taken if MAILBOXES[name].address in message.rcpt_to)

    async def _show_verdict(self, message: TakenMessage) -> None:
        for line in header_lines(message.content):
            self._line(f"  {line}")
        self._console.print()
        self._console.print(await judge_signature(message.content, self._world.dns_server), style="bold green")

    def _title(self, text: str) -> None:
        self._console.print(f"\n== {text}", style="bold")

    def _line(self, text: str) -> None:
        self._console.print(text, soft_wrap=True)
