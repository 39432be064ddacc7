"""Sends the mail that asks the owner of a reply-to mailbox: the ticket and the mail are stored in one transaction.

The link, which holds the ticket, is in the mail alone: it is neither printed nor returned.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from directmail_relay.accounts.addresses import set_reply_to
from directmail_relay.accounts.changes import Change
from directmail_relay.accounts.reply_verification import TICKET_SECONDS, Ticket, begin_verification
from directmail_relay.cli.internal_mail import InternalMail, store, with_env_id
from directmail_relay.config import Config
from directmail_relay.content.verification_mail import VerificationMail, compose_verification, render_link
from directmail_relay.database.clock import iso, to_ms
from directmail_relay.database.engine import Database
from directmail_relay.mail.address import parse_address


def send_verification(database: Database, config: Config, change: Change, address: str) -> dict[str, Any]:
    """Puts the mail into the queue and says what was sent: `address`, `mailbox`, `env_id`, `expires_at`.

    Raises `changes.RefusedError` as `begin_verification` does (`too_soon`, …); then nothing has changed.
    """

    def begin(connection: Connection, env_id: int) -> dict[str, Any]:
        return _begin_and_store(connection, config, change, address, env_id)

    return with_env_id(database, config, change.now, begin)


def set_and_verify(database: Database, config: Config, change: Change, address: str, mailbox: str) -> dict[str, Any]:
    """Makes `mailbox` the one for replies and asks its owner, all in one transaction; returns the address.

    `env_id` and `expires_at` are there when a mail was sent: a mailbox that is verified already gets none. Raises
    `changes.RefusedError` as `set_reply_to` and `begin_verification` do; then nothing has changed.
    """

    def set_and_begin(connection: Connection, env_id: int) -> dict[str, Any]:
        document = set_reply_to(connection, change, address, mailbox)
        if document["reply_to_verified"]:
            return document
        sent = _begin_and_store(connection, config, change, document["address"], env_id)
        return {**document, "env_id": sent["env_id"], "expires_at": sent["expires_at"]}

    return with_env_id(database, config, change.now, set_and_begin)


def _begin_and_store(
    connection: Connection, config: Config, change: Change, address: str, env_id: int
) -> dict[str, Any]:
    ticket = begin_verification(connection, change, address)
    store(connection, config, _compose(config, ticket), env_id, change.now)
    return {
        "address": ticket.address,
        "mailbox": ticket.mailbox,
        "env_id": str(env_id),
        "expires_at": iso(to_ms(ticket.expires_at)),
    }


def _compose(config: Config, ticket: Ticket) -> InternalMail:
    mailbox = parse_address(ticket.mailbox, smtputf8=True)
    mail = VerificationMail(
        hostname=config.hostname,
        address=ticket.address,
        mailbox=mailbox,
        link=render_link(config.http.public_url, ticket.text),
        minutes=round(TICKET_SECONDS / 60),
    )
    return InternalMail(ticket.account, mailbox, compose_verification(mail))
