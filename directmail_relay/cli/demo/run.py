"""Runs the demo from the first line to the last, and ends it cleanly whatever comes: a signal, a failure, the end."""

from __future__ import annotations

import asyncio
import io
import signal
import sys
from contextlib import suppress

from rich.console import Console

from directmail_relay.cli.demo.failure import DemoFailedError
from directmail_relay.cli.demo.scenes import play

WIDTH = 100
EXIT_FAILED = 1
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_demo(*, once: bool) -> int:
    """The exit code: 0 when everything was as promised, 1 when not, 128 + its number when a signal cut it short."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # the guide's terms are Chinese; not every terminal can show them
    return asyncio.run(_Demo(_make_console()).run(once=once))


def _make_console() -> Console:
    console = Console(highlight=False, emoji=False, markup=False)
    width = min(console.width, WIDTH) if console.is_terminal else WIDTH
    return Console(highlight=False, emoji=False, markup=False, width=width)


class _Demo:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._signal: signal.Signals | None = None
        self._all_shown = asyncio.Event()

    async def run(self, *, once: bool) -> int:
        loop = asyncio.get_running_loop()
        playing = asyncio.ensure_future(play(self._console, self._all_shown, once=once))
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup leaves SIGHUP
                loop.add_signal_handler(number, self._stop, number, playing)
        try:
            await playing
        except DemoFailedError as error:
            self._console.print(f"\nThis is not as promised: {error}", style="bold red", soft_wrap=True)
            return EXIT_FAILED
        except asyncio.CancelledError:
            return self._code_after_signal()
        except OSError:
            if self._signal is None:
                raise
            return self._code_after_signal()  # the terminal went, and took the table with it
        return 0

    def _stop(self, number: signal.Signals, playing: asyncio.Future[None]) -> None:
        # The first signal alone: a second must not interrupt the tidying up, which ends by itself.
        if self._signal is None:
            self._signal = number
            playing.cancel()

    def _code_after_signal(self) -> int:
        with suppress(OSError):  # after SIGHUP the terminal is gone
            self._console.print("\nEnded; nothing is left behind.")
        if self._signal is None or self._all_shown.is_set():
            return 0
        return 128 + self._signal
