"""Two SMTP sessions with the relay: the guide's own, in clear, and one over STARTTLS with the other messages."""

from __future__ import annotations

import base64
import re
import ssl
from collections.abc import Iterable
from dataclasses import dataclass

from directmail_relay.cli.demo.conversation import Conversation, Show, open_conversation
from directmail_relay.cli.demo.stage import HOSTNAME, LOGIN, PASSWORD, Stage
from directmail_relay.sandbox import MAILBOXES, Mailbox

QUEUED = r"250 Data Ok: queued as freedom ###envid=(?P<env_id>\d+)"
_HOST = re.escape(HOSTNAME)


@dataclass(frozen=True, slots=True)
class Turn:
    """What the client says, and the reply that the guide promises for it (a pattern)."""

    say: tuple[str, ...]
    expect: str


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def guide_session(rcpt: str) -> tuple[Turn, ...]:
    """The guide's 使用 SMTP 发送邮件, 示例: word by word, but for the recipient."""
    return (
        Turn((), rf"220 {_HOST} MX AliMail Server\(127\.0\.0\.1\)"),
        Turn(
            ("EHLO test.com",),
            rf"250-{_HOST}\n250-8BITMIME\n250-AUTH=PLAIN LOGIN\n250-AUTH PLAIN LOGIN\n250-PIPELINING\n"
            r"(250-.*\n)*250 DSN",
        ),
        Turn(("AUTH LOGIN",), "334 dXNlcm5hbWU6"),
        Turn((_base64(LOGIN),), "334 UGFzc3dvcmQ6"),
        Turn((_base64(PASSWORD),), "235 Authentication successful"),
        Turn((f"MAIL FROM: <{LOGIN}>",), "250 Mail Ok"),
        Turn((f"RCPT TO: <{rcpt}>",), "250 Rcpt Ok"),
        Turn(("DATA",), "354 End data with <CR><LF>.<CR><LF>"),
        Turn(("subject: test", f"from: <{LOGIN}>", f"to: <{rcpt}>", "", "test", "."), QUEUED),
        Turn(("QUIT",), "221 Bye"),
    )


async def play_guide_session(stage: Stage, show: Show) -> int:
    """Has the guide's session with the relay; the env_id of its message. Raises DemoFailedError."""
    conversation = await open_conversation(stage.smtp_port, show)
    env_id = 0
    try:
        for turn in guide_session(MAILBOXES["ok"].address):
            if turn.say:
                await conversation.say(*turn.say)
            match = await conversation.expect(turn.expect)
            env_id = int(match.groupdict().get("env_id", env_id))
    finally:
        conversation.close()
    return env_id


async def send_letters(stage: Stage, mailboxes: Iterable[Mailbox]) -> dict[str, int]:
    """A message to each mailbox in one session over TLS; their env_ids by mailbox. Raises DemoFailedError."""
    conversation = await open_conversation(stage.smtp_port, lambda _line: None)
    try:
        await _log_in_over_tls(conversation, stage)
        return {mailbox.name: await _send(conversation, mailbox) for mailbox in mailboxes}
    finally:
        conversation.close()


async def _log_in_over_tls(conversation: Conversation, stage: Stage) -> None:
    await conversation.expect(r"220 .*")
    await conversation.say("EHLO test.com")
    await conversation.expect(r"(250-.*\n)*250-STARTTLS\n(250-.*\n)*250 .*")
    await conversation.say("STARTTLS")
    await conversation.expect(r"220 .*")
    await conversation.start_tls(ssl.create_default_context(cafile=stage.certificate), HOSTNAME)
    await conversation.say("EHLO test.com")
    await conversation.expect(r"(250-.*\n)*250-AUTH PLAIN LOGIN\n(250-.*\n)*250 .*")
    credentials = _base64(f"\0{LOGIN}\0{PASSWORD}")
    await conversation.say(f"AUTH PLAIN {credentials}")
    await conversation.expect(r"235 .*")


async def _send(conversation: Conversation, mailbox: Mailbox) -> int:
    await conversation.say(f"MAIL FROM:<{LOGIN}>")
    await conversation.expect(r"250 .*")
    await conversation.say(f"RCPT TO:<{mailbox.address}>")
    await conversation.expect(r"250 .*")
    await conversation.say("DATA")
    await conversation.expect(r"354 .*")
    await conversation.say(
        f"Subject: To {mailbox.name}", f"From: <{LOGIN}>", f"To: <{mailbox.address}>", "", f"It {mailbox.what}.", "."
    )
    return int((await conversation.expect(QUEUED))["env_id"])
