"""A worker process: `python -m directmail_relay.workers.child FD`, started by the parent and by nobody else.

It does what its assignment says until it is told to stop (SIGTERM) or its parent is gone. A new assignment is a
reload; one that cannot be taken over changes nothing.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import threading
from concurrent.futures import Future
from typing import BinaryIO

from directmail_relay.app.place import Place
from directmail_relay.app.relay import Relay
from directmail_relay.database.errors import TROUBLE
from directmail_relay.telemetry.logs import configure_logging, get_logger
from directmail_relay.telemetry.metrics import adopt_worker
from directmail_relay.workers.link import Assignment, Word, read_assignment
from directmail_relay.workers.loop import run

log = get_logger("worker")

BEAT_SECONDS = 1.0


def main() -> None:
    link = socket.socket(fileno=int(sys.argv[1]))
    stream = link.makefile("rb")
    assignment = read_assignment(stream)
    if assignment is None:
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C reaches the whole group; the parent decides
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    configure_logging(assignment.log_format, assignment.config.log.level)
    adopt_worker(assignment.worker)
    run(_work(assignment, link, stream))


async def _work(assignment: Assignment, link: socket.socket, stream: BinaryIO) -> None:
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopping.set)
    relay = Relay(assignment.config, _place(assignment))
    try:
        await relay.start()
    except TROUBLE as error:  # the database is away just now: our parent tries again
        log.error("worker_not_started", worker=assignment.worker, error=type(error).__name__)
        sys.exit(1)
    _say(link, Word.READY)
    threading.Thread(target=_listen, args=(loop, stream, relay, link, stopping), daemon=True).start()
    while not stopping.is_set():
        _say(link, Word.BEAT)
        try:
            async with asyncio.timeout(BEAT_SECONDS):
                await stopping.wait()
        except TimeoutError:
            continue
    await relay.stop()


def _place(assignment: Assignment) -> Place:
    return Place(
        worker=assignment.worker,
        workers=assignment.workers,
        smtp=tuple(socket.socket(fileno=fd) for fd in assignment.smtp_fds),
        http=socket.socket(fileno=assignment.http_fd),
        memory=assignment.memory,
    )


def _listen(
    loop: asyncio.AbstractEventLoop, stream: BinaryIO, relay: Relay, link: socket.socket, stopping: asyncio.Event
) -> None:
    """In a thread: waits for assignments, hands each to the loop; the end of the stream stops the worker."""
    while (assignment := read_assignment(stream)) is not None:
        taking = asyncio.run_coroutine_threadsafe(_take_over(relay, assignment, link), loop)
        taking.add_done_callback(_note_crash)
    loop.call_soon_threadsafe(stopping.set)


async def _take_over(relay: Relay, assignment: Assignment, link: socket.socket) -> None:
    try:
        await relay.reload(assignment.config)
    except (ValueError, OSError) as error:
        log.error("reload_refused", worker=assignment.worker, version=assignment.version, error=str(error))
        _say(link, Word.REFUSED)
    else:
        _say(link, Word.TAKEN)


def _note_crash(taking: Future[None]) -> None:
    """What nobody expected must not vanish with a future that nobody asks."""
    if not taking.cancelled() and (error := taking.exception()) is not None:
        log.error("reload_refused", error=type(error).__name__, exc_info=error)


def _say(link: socket.socket, word: Word) -> None:
    try:
        link.send(word.value, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
    except OSError:
        # A parent that does not read is busy; one that is gone ends the stream, which stops us.
        return


if __name__ == "__main__":
    os.set_blocking(1, True)  # shared with our parent, perhaps a terminal: no log line is to be lost to EAGAIN
    main()
