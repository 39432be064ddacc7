"""The mail that asks for a reply address: what a mail program makes of it."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage

import pytest

from directmail_relay.content.verification_mail import VerificationMail, compose_verification, render_link
from directmail_relay.mail.address import parse_address

LINK = "https://mail.example.com/reply-address/verify?ticket=abc_DEF-123"


def compose(mailbox: str = "office@example.net", address: str = "notice@example.com") -> bytes:
    to = parse_address(mailbox, smtputf8=True)
    return compose_verification(VerificationMail("mail.example.com", address, to, LINK, 10))


def read(content: bytes) -> EmailMessage:
    found = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(found, EmailMessage)
    assert found.defects == []
    return found


@pytest.mark.parametrize("subtype", ["plain", "html"])
def test_both_forms_say_who_asks_for_what_in_both_languages(subtype: str) -> None:
    message = read(compose())
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    part = message.get_body((subtype,))
    assert part is not None
    text = part.get_content()
    for words in (LINK, "notice@example.com", "office@example.net", "10 分钟内", "within 10 minutes"):
        assert words in text


def test_the_header_is_that_of_an_automatic_mail() -> None:
    message = read(compose())
    assert message["From"] == "no-reply@mail.example.com"
    assert message["To"] == "office@example.net"
    assert message["Auto-Submitted"] == "auto-generated"
    assert "请验证回信地址" in message["Subject"]


def test_every_line_may_travel() -> None:
    content = compose()
    assert content.isascii()
    assert content.replace(b"\r\n", b"").count(b"\n") == 0
    assert b"\r" not in content.replace(b"\r\n", b"")
    assert max(map(len, content.split(b"\r\n"))) <= 78


def test_the_same_facts_make_the_same_octets() -> None:
    assert compose() == compose()


def test_html_quotes_what_strangers_chose() -> None:
    message = read(compose('"<b>"@example.net', "a&b'<i>@example.com"))
    html = message.get_body(("html",))
    assert html is not None
    text = html.get_content()
    assert "a&amp;b&#x27;&lt;i&gt;@example.com" in text
    assert "<i>" not in text
    assert text.count("<b>") == 4  # our own


def test_an_international_mailbox_stands_in_the_header_as_it_is() -> None:
    content = compose("用户@example.net")
    assert "To: 用户@example.net\r\n".encode() in content


def test_a_mailbox_adds_no_header_of_its_own() -> None:
    message = read(compose('"a, b@evil.test"@example.net'))
    assert [str(one) for one in message["To"].addresses] == ['"a, b@evil.test"@example.net']


def test_a_link_begins_as_the_outside_sees_us() -> None:
    assert render_link("https://mail.example.com/", "a-b_c") == (
        "https://mail.example.com/reply-address/verify?ticket=a-b_c"
    )
    assert render_link("http://127.0.0.1:8080/dm", "a&b") == (
        "http://127.0.0.1:8080/dm/reply-address/verify?ticket=a%26b"
    )


def test_the_secret_is_in_no_repr() -> None:
    mail = VerificationMail("mail.example.com", "a@example.com", parse_address("b@example.net"), LINK, 10)
    assert "ticket" not in repr(mail)
