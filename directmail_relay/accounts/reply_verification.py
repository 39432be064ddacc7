"""The guide's 验证回信地址: the owner of a mailbox agrees to get the replies to a sending address.

A ticket goes to the mailbox in a link. Only its SHA-256 is kept, so whoever reads the database can approve nothing.
It works once, for ten minutes, for the mailbox that it was sent to; a newer one makes it void.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Select, select, update

from directmail_relay.accounts.changes import Change, RefusedError
from directmail_relay.accounts.turns import take_turn
from directmail_relay.database.accounts_schema import addresses, reply_verifications
from directmail_relay.database.clock import iso, to_ms

TICKET_SECONDS = 600.0
MAIL_SECONDS = 600.0  # at most one mail an address in this time
_TICKET_OCTETS = 32
_MAX_TICKET = 200  # characters; a longer one is wrong without being looked at
_KEEP_MS = 86_400_000  # rows of addresses that asked once and never again

_t = reply_verifications.c


@dataclass(frozen=True, slots=True)
class Ticket:
    """What goes into the link, and for whom: `text` is the secret, `expires_at` in POSIX seconds."""

    text: str = field(repr=False)
    address: str
    account: str
    mailbox: str
    expires_at: float


@dataclass(frozen=True, slots=True)
class Pending:
    """What a ticket would approve: that replies to `address` go to `mailbox`."""

    address: str
    account: str
    mailbox: str


def begin_verification(connection: Connection, change: Change, address: str) -> Ticket:
    """A ticket for the address's reply-to mailbox; earlier ones are void. `address` is in lower case.

    Raises RefusedError: no such address, nothing to verify, or a mail that went out less than ten minutes ago.
    """
    take_turn(connection)  # so that of two who ask at once the second sees the first's mail
    found = connection.execute(_address(address)).one_or_none()
    if found is None:
        raise RefusedError("not_found", f"there is no address {address}: add it first")
    if not found.reply_to:
        raise RefusedError("no_reply_to", f"{address} has no reply-to mailbox: set it with address reply-to")
    if found.reply_to_verified:
        raise RefusedError("already_verified", f"{found.reply_to} is verified already as the reply-to of {address}")
    _check_pause(connection, change, address)
    connection.execute(
        reply_verifications.delete().where((_t.address == address) | (_t.sent_at < change.at - _KEEP_MS))
    )
    text = secrets.token_urlsafe(_TICKET_OCTETS)
    connection.execute(
        reply_verifications.insert().values(
            ticket_hash=_hash(text), address=address, mailbox=found.reply_to, sent_at=change.at, used_at=None
        )
    )
    change.record(connection, "address.ask_reply_to", address, found.account, mailbox=found.reply_to)
    return Ticket(text, address, found.account, found.reply_to, change.now + TICKET_SECONDS)


def find_pending(connection: Connection, now: float, ticket: str) -> Pending | None:
    """What the ticket would approve now; None when it is unknown, used, too old, or its mailbox has been changed."""
    if not 0 < len(ticket) <= _MAX_TICKET:
        return None
    at = to_ms(now)
    # Looked up by its hash: how far a guess was right changes nothing about the time that takes.
    wanted = (
        select(_t.address, _t.mailbox, addresses.c.account)
        .join(addresses, (addresses.c.address == _t.address) & (addresses.c.reply_to == _t.mailbox))
        .where(
            _t.ticket_hash == _hash(ticket),
            _t.used_at.is_(None),
            _t.sent_at > at - to_ms(TICKET_SECONDS),
            addresses.c.reply_to_verified.is_(False),
        )
    )
    found = connection.execute(wanted).one_or_none()
    return None if found is None else Pending(found.address, found.account, found.mailbox)


def approve(connection: Connection, change: Change, ticket: str) -> str:
    """Verifies the reply-to mailbox that the ticket was sent to; returns the address. Works once.

    Raises RefusedError with the same words whatever is wrong with the ticket.
    """
    pending = find_pending(connection, change.now, ticket)
    if pending is None:  # told before anything is locked: strangers ask here
        raise _not_valid()
    take_turn(connection)
    if not _use(connection, change, ticket):
        raise _not_valid()
    verified = (
        update(addresses)
        .where(addresses.c.address == pending.address, addresses.c.reply_to == pending.mailbox)
        .values(reply_to_verified=True)
    )
    if connection.execute(verified).rowcount != 1:  # the mailbox was changed between our two looks
        raise _not_valid()
    change.record(connection, "address.verify_reply_to", pending.address, pending.account, mailbox=pending.mailbox)
    return pending.address


def _not_valid() -> RefusedError:
    return RefusedError("no_ticket", "this link is not valid, or no longer: have a new verification mail sent")


def _use(connection: Connection, change: Change, ticket: str) -> bool:
    """Marks it; False when somebody was faster."""
    used = update(reply_verifications).where(_t.ticket_hash == _hash(ticket), _t.used_at.is_(None))
    return connection.execute(used.values(used_at=change.at)).rowcount == 1


def _check_pause(connection: Connection, change: Change, address: str) -> None:
    pause = to_ms(MAIL_SECONDS)
    newest = select(_t.sent_at).where(_t.address == address).order_by(_t.sent_at.desc()).limit(1)
    sent = connection.execute(newest).scalar_one_or_none()
    # A mail "from the future" was sent before the clock was set back: it holds nobody up.
    if sent is not None and 0 <= change.at - sent < pause:
        raise RefusedError(
            "too_soon",
            f"a verification mail for {address} was sent at {iso(sent)}: the next one can go at {iso(sent + pause)}",
        )


def _address(address: str) -> Select[Any]:
    a = addresses.c
    return select(a.account, a.reply_to, a.reply_to_verified).where(a.address == address)


def _hash(ticket: str) -> str:
    return hashlib.sha256(ticket.encode(errors="surrogateescape")).hexdigest()
