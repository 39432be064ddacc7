"""Shows the fates as they come: a table that fills on a terminal; elsewhere a line for each attempt, then the table."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from directmail_relay.cli.demo.fates import Fate, Tried

# The guide's words for the status of a recipient (发送结果).
STATUS = {0: "0 成功", 2: "2 无效地址", 3: "3 垃圾邮件", 4: "4 失败"}
STATUS_IN_ENGLISH = "0 成功 delivered, 2 无效地址 invalid address, 3 垃圾邮件 spam, 4 失败 failed"
STATUS_STYLE = {0: "green", 2: "red", 3: "magenta", 4: "red"}
COLUMNS = {"To": 7, "Tries": 5, "Last reply": 29, "Category": 19, "Retry": 5, "Status": 10, "MX, TLS": 7, "End": 10}
LINE_REPLY = 74  # characters


class Board:
    """`with Board(console) as board`, `board.notice(fates)` as often as one likes, `board.finish(fates)` once."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        if console.is_terminal and not console.is_dumb_terminal:
            self._live = Live(console=console, auto_refresh=False, transient=True)
        self._began = time.monotonic()
        self._told: dict[str, int] = {}

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def notice(self, fates: Mapping[str, Fate]) -> None:
        if self._live is not None:
            self._live.update(_render(fates), refresh=True)
            return
        for name, fate in fates.items():
            for number, tried in enumerate(fate.tried[self._told.get(name, 0) :], self._told.get(name, 0) + 1):
                self._tell(name, number, tried)
            self._told[name] = len(fate.tried)

    def finish(self, fates: Mapping[str, Fate]) -> None:
        """The table as it stays."""
        if self._live is not None:
            self._live.stop()
        self._console.print()
        self._console.print(_render(fates))

    def _tell(self, name: str, number: int, tried: Tried) -> None:
        passed = time.monotonic() - self._began
        reply = _shorten(str(tried.reply), name)
        reply = reply if len(reply) <= LINE_REPLY else reply[: LINE_REPLY - 3] + "..."
        self._console.print(f"  {passed:4.1f} s  {name:<7}  try {number}  {reply}", soft_wrap=True)


def _render(fates: Mapping[str, Fate]) -> Group:
    table = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False, show_edge=False)
    for title, width in COLUMNS.items():
        table.add_column(title, width=width, overflow="fold", justify="right" if title == "Tries" else "left")
    for fate in fates.values():
        table.add_row(*_cells(fate))
    return Group(table, Text(), Text("What to do:"), *_advice(fates))


def _cells(fate: Fate) -> list[str | Text]:
    last = fate.tried[-1] if fate.tried else None
    style = "" if fate.status is None else STATUS_STYLE.get(fate.status, "")
    return [
        fate.mailbox,
        str(len(fate.tried)),
        "" if last is None else _shorten(str(last.reply), fate.mailbox),
        "" if last is None else last.category,
        "" if last is None or last.reply.is_success else last.meaning.retry.value,
        "" if fate.status is None else Text(STATUS.get(fate.status, str(fate.status)), style=style),
        "" if last is None else _way(last),
        Text(_end(fate), style=style),
    ]


def _way(tried: Tried) -> str:
    host = (tried.mx_host or "-").partition(".")[0]
    return f"{host}\n{tried.tls or 'no TLS'}"


def _end(fate: Fate) -> str:
    if fate.due_at is not None and fate.tried:
        return f"in {max(0.0, fate.due_at - time.time()):.0f} s"
    return fate.state.value


def _advice(fates: Mapping[str, Fate]) -> list[Padding]:
    """Each advice once, with all whom it is for."""
    named: dict[str, list[str]] = {}
    for name, fate in fates.items():
        if fate.tried:
            named.setdefault(fate.tried[-1].meaning.advice.en, []).append(name)
    return [Padding(Text(f"{', '.join(names)}: {advice}"), (0, 0, 0, 2)) for advice, names in named.items()]


def _shorten(reply: str, mailbox: str) -> str:
    """Without the recipient, who is in the first column already."""
    return reply.replace(f"<{mailbox}@sandbox.test>: ", "").replace(f"<{mailbox}@sandbox.test> ", "")
