"""What a message must have before it is stored (RFC 6409 §8): our trace on top, a date, an id; no Bcc, no word to us.

The result is what will be sent, but for the DKIM signature. Never touches the body, and copies it once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from directmail_relay.content.from_header import FromHeader, header_from
from directmail_relay.content.headers import (
    HeaderField,
    HeaderLimits,
    count_received,
    named,
    needs_smtputf8_header,
    split_header,
)
from directmail_relay.content.tag_header import NAMES as FOR_US
from directmail_relay.content.tag_header import TagHeader, read_tag

LIMITS = HeaderLimits()

# Blind recipients are told by the envelope alone (RFC 5322 §3.6.3); Return-Path is for the last host to
# write (RFC 5321 §4.4), and a forged one would draw the bounces of some systems. Words to us end with us.
_DROPPED = frozenset({b"bcc", b"resent-bcc", b"return-path"}) | FOR_US
_NEEDED = frozenset({b"date", b"message-id"})
_LONGEST_MESSAGE_ID = 998  # octets: as long as a line may be, RFC 5322 §2.1.1
_UNPRINTABLE = re.compile(r"[^ -~]")


@dataclass(frozen=True, slots=True)
class Completed:
    """A content ready to be stored, and what one wants to know of its header without reading it again.

    `message_id` is as in the field, brackets included, made printable; `received_count` counts the hosts before
    us; `needs_smtputf8` says whether the header goes beyond ASCII; `tag` is what the fields for us said.
    """

    content: bytes
    message_id: str
    header_from: FromHeader
    received_count: int
    needs_smtputf8: bool
    tag: TagHeader


def complete(
    content: bytes, *, received: bytes, date: str, message_id: str, limits: HeaderLimits | None = LIMITS
) -> Completed:
    """Add `received` (from `render_received`), and `date` and `message_id` (`<…@…>`) where the client gave none.

    An empty Date or Message-ID counts as none; any other value stays, however odd. Bcc, Resent-Bcc, Return-Path
    and what is meant for us (tag_header) go. Where the client left out the blank line before the body we write
    it, so that all who read on see the same header. Raises HeaderLimitError.
    """
    header = split_header(content, limits)
    kept = [field for field in header.fields if not _is_dropped(field)]
    names = {field.name for field in kept}
    added = [received]
    if b"message-id" not in names:
        added.append(f"Message-ID: {message_id}\r\n".encode("ascii"))
    if b"date" not in names:
        added.append(f"Date: {date}\r\n".encode("ascii"))
    body = memoryview(content)[header.body :]
    last = b"" if not body or content.endswith(b"\r\n") else b"\r\n"
    return Completed(
        content=b"".join((*added, *(field.wire for field in kept), b"\r\n", body, last)),
        message_id=_message_id(kept) or message_id,
        header_from=header_from(kept),
        received_count=count_received(kept),
        needs_smtputf8=needs_smtputf8_header(kept),
        tag=read_tag(header.fields),
    )


def _is_dropped(field: HeaderField) -> bool:
    return field.name in _DROPPED or (field.name in _NEEDED and not field.value)


def _message_id(fields: list[HeaderField]) -> str:
    for field in named(fields, b"message-id"):
        return _UNPRINTABLE.sub("?", field.value[:_LONGEST_MESSAGE_ID].decode("latin-1"))
    return ""
