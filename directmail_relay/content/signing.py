"""DKIM signatures (RFC 6376, RFC 8301, RFC 8463): relaxed/relaxed, SHA-256, RSA or Ed25519.

Made once, last, over a content that `complete` has been through; the content itself is never changed. The
private key never appears in a text or an error.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from directmail_relay.content.canonical import relaxed_body_hash, relaxed_field
from directmail_relay.content.headers import HeaderField, split_header
from directmail_relay.content.signing_keys import PrivateKey, SigningKey

# Named once more than they occur, so that none can be added later (RFC 6376 §8.15): whatever a reader is shown,
# and whatever says how to read the body. A list or an MX that forwards adds none of these.
_SEALED = (
    b"from",
    b"reply-to",
    b"subject",
    b"date",
    b"message-id",
    b"to",
    b"cc",
    b"mime-version",
    b"content-type",
    b"content-transfer-encoding",
)
# Signed as often as they occur (RFC 6376 §5.4.1, RFC 8058 §4); hosts on the way may add their own.
_COVERED = (
    b"sender",
    b"in-reply-to",
    b"references",
    b"resent-from",
    b"resent-to",
    b"resent-date",
    b"resent-message-id",
    b"list-id",
    b"list-help",
    b"list-unsubscribe",
    b"list-unsubscribe-post",
    b"list-subscribe",
    b"list-post",
    b"list-owner",
    b"list-archive",
    b"feedback-id",
)
_WIDTH = 76
_SHA256 = Prehashed(hashes.SHA256())
_PADDING = padding.PKCS1v15()


@dataclass(frozen=True, slots=True)
class _Signable:
    """What all keys sign alike: the names for `h=`, those fields in canonical form, the body's hash in Base64."""

    names: tuple[bytes, ...]
    fields: bytes
    body_hash: bytes


def sign(content: bytes, keys: Sequence[SigningKey], *, now: int) -> bytes:
    """One DKIM-Signature field a key, each with its CRLF, to be put in front of `content`.

    `now` is POSIX seconds, for `t=`. Neither `l=` nor `x=` is ever set: a signature covers the whole body, and
    how long it is worth something is the receiver's to say. The parts that keys share are done once.
    """
    if not keys:
        return b""
    signable = _prepare(content)
    return b"".join(_sign_with(key, signable, now) for key in keys)


def signed_names(fields: Sequence[HeaderField]) -> tuple[bytes, ...]:
    """The names for `h=`, in lower case: each as often as the field occurs, the sealed ones once more."""
    present = Counter(field.name for field in fields)
    sealed = (name for name in _SEALED for _ in range(present[name] + 1))
    covered = (name for name in _COVERED for _ in range(present[name]))
    return (*sealed, *covered)


def _prepare(content: bytes) -> _Signable:
    header = split_header(content)
    names = signed_names(header.fields)
    body_hash = relaxed_body_hash(memoryview(content)[header.body :])
    return _Signable(names, b"".join(_select(header.fields, names)), base64.b64encode(body_hash))


def _select(fields: Sequence[HeaderField], names: Sequence[bytes]) -> Iterator[bytes]:
    """The canonical fields in the order of `names`; of several, the last one first (RFC 6376 §5.4.2)."""
    by_name: dict[bytes, list[HeaderField]] = {}
    for field in fields:
        by_name.setdefault(field.name, []).append(field)
    for name in names:
        # A name more than there are fields stands for none, and signs that there is none.
        if left := by_name.get(name):
            yield relaxed_field(left.pop())


def _sign_with(key: SigningKey, signable: _Signable, now: int) -> bytes:
    unsigned = _render_unsigned(key, signable, now)
    canonical = relaxed_field(HeaderField(b"dkim-signature", unsigned)).removesuffix(b"\r\n")
    digest = hashlib.sha256(signable.fields + canonical).digest()
    signature = base64.b64encode(_sign_digest(key.private_key, digest))
    lines = (signature[at : at + _WIDTH - 1] for at in range(0, len(signature), _WIDTH - 1))
    return unsigned + b"".join(b"\r\n\t" + line for line in lines) + b"\r\n"


def _sign_digest(key: PrivateKey, digest: bytes) -> bytes:
    # RFC 8463 §3: Ed25519 signs the hash as if it were the message.
    if isinstance(key, Ed25519PrivateKey):
        return key.sign(digest)
    return key.sign(digest, _PADDING, _SHA256)


def _render_unsigned(key: SigningKey, signable: _Signable, now: int) -> bytes:
    """The field as far as its empty `b=`, which stands last so that the value can follow."""
    algorithm = b"ed25519-sha256" if isinstance(key.private_key, Ed25519PrivateKey) else b"rsa-sha256"
    return b"\r\n\t".join(
        (
            b"DKIM-Signature: v=1; a=%s; c=relaxed/relaxed; t=%d;" % (algorithm, now),
            b"d=%s; s=%s;" % (key.domain.encode("ascii"), key.selector.encode("ascii")),
            *_fold_names(signable.names),
            b"bh=%s;" % signable.body_hash,
            b"b=",
        )
    )


def _fold_names(names: Sequence[bytes]) -> Iterator[bytes]:
    """`h=a:b:` `c:d;`: lines break behind a colon only, where RFC 6376 §3.5 allows blanks."""
    line = b"h="
    for name in names[:-1]:
        if len(line) + len(name) + 1 > _WIDTH:
            yield line
            line = b""
        line += name + b":"
    yield line + names[-1] + b";"
