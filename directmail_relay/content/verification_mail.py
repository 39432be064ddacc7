"""The mail that asks the owner of a mailbox whether replies may go there: Chinese and English, as text and as HTML.

Pure: the link, which holds the secret, is given and appears nowhere but in the mail.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from email.headerregistry import Address as HeaderAddress
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from html import escape
from urllib.parse import urlencode

from directmail_relay.mail.address import Address

PATH = "/reply-address/verify"

# Of printable ASCII, never the beginning of a line of base64: no chance is needed to keep the parts apart.
_BOUNDARY = "=_directmail_relay_verification_="

_SUBJECT = "请验证回信地址 / Please verify this reply address"

_TEXT = """\
您好:

发信地址 {address} 希望把收件人的回信转到本邮箱({mailbox})。
如果您同意,请在 {minutes} 分钟内打开下面的链接并确认:

{link}

该链接只能使用一次。如果您不知情,请忽略此邮件,不会有任何变化。

--------

Hello,

the sending address {address} asks that replies to its mail go to this mailbox ({mailbox}).
If you agree, open this link within {minutes} minutes and confirm:

{link}

The link works once. If you know nothing about this, ignore this mail: nothing will change.

{hostname}
"""

_HTML = """\
<!DOCTYPE html>
<html lang="zh">
<head><meta charset="utf-8"><title>{subject}</title></head>
<body>
<p>您好:</p>
<p>发信地址 <b>{address}</b> 希望把收件人的回信转到本邮箱(<b>{mailbox}</b>)。
如果您同意,请在 {minutes} 分钟内打开下面的链接并确认:</p>
<p><a href="{link}">验证回信地址</a></p>
<p>该链接只能使用一次。如果您不知情,请忽略此邮件,不会有任何变化。</p>
<hr>
<div lang="en">
<p>Hello,</p>
<p>the sending address <b>{address}</b> asks that replies to its mail go to this mailbox (<b>{mailbox}</b>).
If you agree, open this link within {minutes} minutes and confirm:</p>
<p><a href="{link}">Verify the reply address</a></p>
<p>The link works once. If you know nothing about this, ignore this mail: nothing will change.</p>
<p>{hostname}</p>
</div>
</body>
</html>
"""


@dataclass(frozen=True, slots=True)
class VerificationMail:
    """What the mail says. `link` holds the ticket; `hostname` is ours, as an A-label."""

    hostname: str
    address: str
    mailbox: Address
    link: str = field(repr=False)
    minutes: int


def render_link(public_url: str, ticket: str) -> str:
    """Where the ticket is taken; `public_url` is how the outside reaches our HTTP."""
    return f"{public_url.rstrip('/')}{PATH}?{urlencode({'ticket': ticket})}"


def compose_verification(mail: VerificationMail) -> bytes:
    """The content with CRLF line ends, all of it ASCII unless the mailbox itself is not.

    It has no Date and no Message-ID: `content.complete` adds both.
    """
    message = EmailMessage(policy=SMTP if mail.mailbox.is_ascii else SMTPUTF8)
    message["From"] = HeaderAddress("", "no-reply", mail.hostname)
    message["To"] = str(mail.mailbox)
    message["Subject"] = _SUBJECT
    # RFC 3834 §5: so that no holiday notice answers.
    message["Auto-Submitted"] = "auto-generated"
    facts = {
        "address": mail.address,
        "mailbox": str(mail.mailbox),
        "link": mail.link,
        "minutes": str(mail.minutes),
        "hostname": mail.hostname,
        "subject": _SUBJECT,
    }
    message.set_content(_TEXT.format(**facts), cte="base64")
    quoted = {name: escape(value) for name, value in facts.items()}
    message.add_alternative(_HTML.format(**quoted), subtype="html", cte="base64")
    message.set_boundary(_BOUNDARY)
    return message.as_bytes()
