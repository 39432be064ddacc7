"""The functions that every message passes, each on its own: the best of several rounds, in seconds a call."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from sqlalchemy import Connection

from directmail_relay.content.complete import complete
from directmail_relay.content.dates import format_date
from directmail_relay.content.signing import sign
from directmail_relay.content.signing_keys import KeyKind, SigningKey, generate_private_key
from directmail_relay.content.trace import Hop, render_received
from directmail_relay.database.engine import Database
from directmail_relay.database.migrate import migrate
from directmail_relay.mail import replies
from directmail_relay.mail.address import parse_path
from directmail_relay.mail.attempt import DeliveryAttempt, Stage
from directmail_relay.mail.message import Kind, Message, Recipient
from directmail_relay.mail.reply import Reply
from directmail_relay.policy.classify import classify
from directmail_relay.policy.quota import Limits, Periods
from directmail_relay.policy.verdict import Delivered
from directmail_relay.queue.claim import Claim, begin_life
from directmail_relay.queue.env_id import EnvIds
from directmail_relay.queue.put import NewMessage, put
from directmail_relay.queue.settle import Settlement, settle

GROUP = 50
ROUNDS = 5
HEADER = (
    b"From: Sender <sender@example.test>\r\nTo: you@example.org\r\nSubject: A message of ten kilobytes\r\n"
    b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
)
CONTENT = HEADER + b"Seventy-odd characters of plain text, as people write them, line upon line.\r\n" * 130


def measure_hot() -> Iterator[tuple[str, float]]:
    """(what, seconds a call)."""
    yield "parse the path of a RCPT", _best(lambda: parse_path("<someone.else@mail.example.org> NOTIFY=NEVER"), 20_000)
    yield "complete the header (10 KB)", _best(_complete, 5_000)
    key = SigningKey("example.test", "s1", generate_private_key(KeyKind.RSA))
    yield "sign, RSA-2048 (10 KB)", _best(lambda: sign(CONTENT, [key], now=1_795_000_000), 500)
    yield "classify a reply", _classify()
    with tempfile.TemporaryDirectory(prefix="directmail-bench-") as folder:
        yield from _measure_queue(Path(folder))


def _complete() -> None:
    date = format_date(1_795_000_000.0)
    hop = Hop("client.example.test", "192.0.2.1", "mail.example.com", "ESMTPSA", "912704144958033920", date)
    complete(CONTENT, received=render_received(hop), date=date, message_id="<912704144958033920@mail.example.com>")


def _classify() -> float:
    texts = (
        "5.1.1 <{}@example.org>: Recipient address rejected: User unknown in local recipient table",
        "4.2.0 <{}@example.org>: Recipient address rejected: Greylisted, try again in {} seconds",
        "5.7.1 Service unavailable; client [192.0.2.{}] blocked using a list",
    )
    some = [Reply(550 if n % 3 else 450, texts[n % 3].format(n, n)) for n in range(3_000)]

    def all_of_them() -> None:
        for reply in some:
            classify(reply, Stage.RCPT)

    return _best(all_of_them, 1) / len(some)


def _measure_queue(folder: Path) -> Iterator[tuple[str, float]]:
    database = Database(f"sqlite:///{folder}/bench.db")
    try:
        migrate(database)
        claim, _ = database.write_now(begin_life, 1)
        ids = EnvIds(1, time.time)
        groups = [[_new(ids.make(), claim) for _ in range(GROUP)] for _ in range(ROUNDS)]
        put_seconds = min(_time(lambda group=group: database.write_now(put, group)) for group in groups)  # type: ignore[misc] # a default binds the loop's value
        yield f"put, in groups of {GROUP} (SQLite, 10 KB)", put_seconds / GROUP
        ends = [[_settlement(new) for new in group] for group in groups]
        settle_seconds = min(_time(lambda group=group: _settle(database, group)) for group in ends)  # type: ignore[misc] # as above
        yield f"settle, in groups of {GROUP} (SQLite)", settle_seconds / GROUP
    finally:
        database.close()


def _settle(database: Database, group: list[Settlement]) -> None:
    def fn(connection: Connection) -> list[bool]:
        return settle(connection, group)

    if not all(database.write_now(fn)):
        raise RuntimeError("a settle was refused")


def _new(env_id: int, claim: Claim) -> NewMessage:
    rcpt, _ = parse_path("<you@example.org>")
    assert rcpt is not None
    message = Message(env_id, "bench", rcpt, f"<{env_id}@bench>", time.time(), len(CONTENT), Kind.TRIGGER)
    recipient = Recipient(env_id, 0, rcpt, rcpt.domain, 0, message.recv_time)
    return NewMessage(message, (recipient,), CONTENT, Limits(), Periods("2026-11-23", "2026-11"), claim, frozenset({0}))


def _settlement(new: NewMessage) -> Settlement:
    message = new.message
    attempt = DeliveryAttempt(message.env_id, 0, Stage.DATA, replies.DELIVERED, message.recv_time, message.recv_time)
    return Settlement(message.env_id, 0, new.claim, Delivered(), 1, message.recv_time, "delivered", "success", attempt)


def _best(call: Callable[[], object], times: int) -> float:
    def many() -> None:
        for _ in range(times):
            call()

    return min(_time(many) for _ in range(ROUNDS)) / times


def _time(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started
