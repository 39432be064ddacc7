"""The fields by which SMTP mail says what the service is to do with it: X-AliDM-Trace, X-DM-Tag, X-AliDM-Settings.

Read once and removed: no recipient ever sees them. Whatever stands in them, the mail is sent (the guide's 邮件标签; the
API's "unknown tag: mail is sent, tracking silently dropped").
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass

from directmail_relay.content.headers import HeaderField, named

TRACE = b"x-alidm-trace"
TAG = b"x-dm-tag"
SETTINGS = b"x-alidm-settings"
NAMES = frozenset({TRACE, TAG, SETTINGS})

MAX_TAG = 128  # characters: TagName in SingleSendMail
_MAX_VALUE = 4096  # octets of a field; three members need a tenth of that


@dataclass(frozen=True, slots=True)
class TagHeader:
    """`tag` is what the message names, whether it is registered or not; `problem` says why a field was passed over."""

    tag: str | None = None
    problem: str | None = None


def read_tag(fields: Sequence[HeaderField]) -> TagHeader:
    """The tag by the first X-AliDM-Trace, or else by the first X-DM-Tag."""
    for field in named(fields, TRACE):
        try:
            tag = parse_trace(field.value)
        except ValueError as error:
            return TagHeader(problem=f"X-AliDM-Trace {error}")
        if tag is not None:
            return TagHeader(tag)
        break
    for field in named(fields, TAG):
        try:
            return TagHeader(_check_tag(field.value.decode("utf-8")))
        except ValueError as error:
            return TagHeader(problem=f"X-DM-Tag {_sentence(error)}")
    return TagHeader()


def parse_trace(value: bytes) -> str | None:
    """Base64 of `{"OpenTrace": "1", "LinkTrace": "1", "TagName": "…"}` → the tag, None where it names none. ValueError.

    Folding and line ends within the Base64 do not matter, nor does its padding; the JSON may be laid out in any way.
    """
    if len(value) > _MAX_VALUE:
        raise ValueError("is too long")
    packed = b"".join(value.split())
    try:
        text = base64.b64decode(packed + b"=" * (-len(packed) % 4), validate=True).decode("utf-8-sig")
        found = json.loads(text)
    except (binascii.Error, UnicodeDecodeError):
        raise ValueError("is not the Base64 of a text") from None
    except (ValueError, RecursionError):
        raise ValueError("is not JSON") from None
    if not isinstance(found, dict):
        raise ValueError("is not a JSON object")  # noqa: TRY004 - it is the client's text that is wrong
    tag = found.get("TagName")
    if tag is None or tag == "":
        return None
    if not isinstance(tag, str):
        raise ValueError("has a TagName that is not text")  # noqa: TRY004 - as above
    return _check_tag(tag)


def _check_tag(tag: str) -> str:
    tag = tag.strip()
    if not 0 < len(tag) <= MAX_TAG or not tag.isprintable():
        raise ValueError("names no possible tag")
    return tag


def _sentence(error: ValueError) -> str:
    return "is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
