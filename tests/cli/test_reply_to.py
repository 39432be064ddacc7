"""The verification mail of `address reply-to`: ticket and mail are stored together, and the mail's link works."""

from __future__ import annotations

import email
import email.policy
import json
import re
from email.message import EmailMessage
from pathlib import Path

import pytest
from sqlalchemy import Connection, select, text, update

from directmail_relay.accounts.changes import Change, RefusedError, list_audit, read_version
from directmail_relay.accounts.reply_verification import approve, begin_verification, find_pending
from directmail_relay.cli.internal_mail import InternalMail, put_internal
from directmail_relay.cli.reply_to import send_verification, set_and_verify
from directmail_relay.config import Config, load_config
from directmail_relay.database.accounts_schema import accounts, addresses, reply_verifications
from directmail_relay.database.engine import Database
from directmail_relay.database.schema import contents, messages, recipients
from directmail_relay.mail.address import parse_address
from directmail_relay.queue.claim import Claim, begin_life
from directmail_relay.queue.due import read_content
from directmail_relay.queue.env_id import EnvIds, owner_id, seconds_of

NOW = 1_795_000_000.0
ADDRESS = "notice@example.com"
SENT = Change("cli:root", NOW)


@pytest.fixture
def config(tmp_path: Path, database_url: str) -> Config:
    path = tmp_path / "config.yaml"
    http = {"listen": "127.0.0.1:8080", "public_url": "https://mail.example.com/dm"}
    path.write_text(json.dumps({"hostname": "mail.example.com", "database": {"url": database_url}, "http": http}))
    return load_config(path)


@pytest.fixture
def registered(database: Database) -> Database:
    database.write_now(register)
    return database


def register(connection: Connection) -> None:
    connection.execute(
        accounts.insert().values(
            name="shop", status="normal", daily_quota=0, ip_protection=False, declared=False, created_at=0
        )
    )
    connection.execute(
        addresses.insert().values(
            address=ADDRESS,
            account="shop",
            domain="example.com",
            kind="trigger",
            frozen=False,
            reply_to="office@example.net",
            reply_to_verified=False,
            declared=False,
            created_at=0,
        )
    )


def queued(connection: Connection) -> list[tuple[str, str, str, str]]:
    wanted = select(messages.c.account, messages.c.mail_from, recipients.c.rcpt, recipients.c.state).join(
        recipients, recipients.c.env_id == messages.c.env_id
    )
    return [tuple(row) for row in connection.execute(wanted)]


def stored_mail(database: Database, env_id: str) -> EmailMessage:
    content = database.read_now(read_content, int(env_id))
    assert content is not None
    found = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(found, EmailMessage)
    return found


def test_the_mail_waits_in_the_queue_and_its_link_approves(registered: Database, config: Config) -> None:
    sent = send_verification(registered, config, SENT, ADDRESS)
    assert sent == {
        "address": ADDRESS,
        "mailbox": "office@example.net",
        "env_id": sent["env_id"],
        "expires_at": "2026-11-18T11:16:40.000Z",
    }
    assert registered.read_now(queued) == [("shop", "", "office@example.net", "queued")]
    mail = stored_mail(registered, sent["env_id"])
    assert mail["Message-ID"] == f"<{sent['env_id']}@mail.example.com>"
    assert mail["Date"] == "Wed, 18 Nov 2026 11:06:40 +0000"
    body = mail.get_body(("plain",))
    assert body is not None
    tickets = re.findall(
        r"^https://mail\.example\.com/dm/reply-address/verify\?ticket=(\S+)\r$", body.get_content(), re.MULTILINE
    )
    (ticket,) = set(tickets)  # in Chinese and in English
    assert registered.write_now(approve, Change("relay", NOW + 1), ticket) == ADDRESS
    assert ticket not in str(sent)


def test_a_refusal_leaves_neither_mail_nor_ticket(registered: Database, config: Config) -> None:
    send_verification(registered, config, SENT, ADDRESS)
    with pytest.raises(RefusedError, match="the next one can go at"):
        send_verification(registered, config, Change("cli:root", NOW + 60), ADDRESS)
    assert len(registered.read_now(queued)) == 1
    with pytest.raises(RefusedError, match="there is no address"):
        send_verification(registered, config, SENT, "nobody@example.com")
    assert len(registered.read_now(queued)) == 1


def test_a_mailbox_that_is_refused_too_soon_changes_nothing(registered: Database, config: Config) -> None:
    ticket = registered.write_now(begin_verification, SENT, ADDRESS)
    before = registered.read_now(list_audit), registered.read_now(read_version)
    with pytest.raises(RefusedError) as refused:
        set_and_verify(registered, config, Change("cli:root", NOW + 60), ADDRESS, "other@example.net")
    assert refused.value.code == "too_soon"
    assert (registered.read_now(list_audit), registered.read_now(read_version)) == before
    pending = registered.read_now(find_pending, NOW + 60, ticket.text)
    assert pending is not None
    assert pending.mailbox == "office@example.net"
    assert registered.read_now(queued) == []
    later = set_and_verify(registered, config, Change("cli:root", NOW + 601), ADDRESS, "other@example.net")
    assert (later["reply_to"], later["reply_to_verified"]) == ("other@example.net", False)
    assert [row[2] for row in registered.read_now(queued)] == ["other@example.net"]
    assert registered.read_now(find_pending, NOW + 602, ticket.text) is None


def test_a_mailbox_that_is_verified_gets_no_second_mail(registered: Database, config: Config) -> None:
    ticket = registered.write_now(begin_verification, SENT, ADDRESS)
    registered.write_now(approve, Change("relay", NOW + 1), ticket.text)
    document = set_and_verify(registered, config, Change("cli:root", NOW + 2), ADDRESS, "office@example.net")
    assert document["reply_to_verified"] is True
    assert "env_id" not in document
    assert registered.read_now(queued) == []


def test_a_mail_that_cannot_be_stored_leaves_no_ticket(registered: Database, config: Config) -> None:
    away = text("ALTER TABLE contents RENAME TO contents_away")
    back = text("ALTER TABLE contents_away RENAME TO contents")
    registered.write_now(lambda connection: connection.execute(away))
    try:
        with pytest.raises(Exception, match="contents"):
            send_verification(registered, config, SENT, ADDRESS)
    finally:
        registered.write_now(lambda connection: connection.execute(back))
    assert registered.read_now(lambda connection: connection.execute(select(reply_verifications)).all()) == []
    assert send_verification(registered, config, SENT, ADDRESS)["address"] == ADDRESS


def letter(rcpt: str = "office@example.net") -> InternalMail:
    return InternalMail("shop", parse_address(rcpt, smtputf8=True), b"Subject: x\r\n\r\nhello\r\n")


def test_two_commands_in_one_millisecond_get_two_numbers(registered: Database, config: Config) -> None:
    ids = [put_internal(registered, config, letter(), NOW) for _ in range(5)]
    assert len(set(ids)) == 5
    assert all(round(seconds_of(one)) == round(NOW) for one in ids)
    assert len(registered.read_now(queued)) == 5


def test_a_number_that_a_worker_has_used_is_made_anew(registered: Database, config: Config) -> None:
    taken = EnvIds(owner_id(config.node, 31), lambda: NOW).make()
    first = put_internal(registered, config, letter(), NOW)
    assert first == taken
    assert put_internal(registered, config, letter(), NOW) == taken + 1


def test_the_mail_is_nobodys_claim_and_outlives_a_workers_start(registered: Database, config: Config) -> None:
    put_internal(registered, config, letter(), NOW)
    claim, freed = registered.write_now(begin_life, owner_id(config.node, 31))
    assert isinstance(claim, Claim)
    assert freed == 0
    assert registered.read_now(queued)[0][3] == "queued"


def test_an_international_mailbox_asks_for_smtputf8(registered: Database, config: Config) -> None:
    wanted = update(addresses).values(reply_to="用户@example.net")
    registered.write_now(lambda connection: connection.execute(wanted))
    sent = send_verification(registered, config, SENT, ADDRESS)
    ask = select(messages.c.smtputf8, messages.c.body_8bit, contents.c.content).join(
        contents, contents.c.env_id == messages.c.env_id
    )
    (row,) = registered.read_now(lambda connection: connection.execute(ask).all())
    assert (row.smtputf8, row.body_8bit) == (True, True)
    assert "To: 用户@example.net\r\n".encode() in row.content
    assert sent["mailbox"] == "用户@example.net"
