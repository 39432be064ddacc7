"""DKIM signatures, as dkimpy reads them: valid as made, broken by whatever a reader could be fooled with."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import dkim  # type: ignore[import-untyped]  # it has no type hints
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from directmail_relay.content import signing_keys
from directmail_relay.content.headers import split_header
from directmail_relay.content.signing import sign, signed_names
from directmail_relay.content.signing_keys import (
    KeyKind,
    SigningKey,
    generate_private_key,
    load_private_key,
    public_record,
    render_private_key,
)

NOW = 1_700_000_000
RSA = SigningKey("example.com", "s1", generate_private_key())
ED25519 = SigningKey("example.com", "ed", generate_private_key(KeyKind.ED25519))
KEYS = (RSA, ED25519)
FROM = b"From: Shop <notice@example.com>\r\n"
SIMPLE = FROM + b"Subject: hello\r\nTo: a@b.example\r\nDate: Mon, 23 Nov 2026 13:30:00 +0000\r\n\r\nbody\r\n"


def serve_records(name: bytes, timeout: int = 5) -> bytes:
    records = {f"{key.record_name}.": public_record(key.private_key) for key in KEYS}
    return records[name.decode()].encode()


class NaclVerifyKey:
    """What dkimpy asks of PyNaCl, done by OpenSSL: so Ed25519 is tested without one more library."""

    def __init__(self, key: bytes, *, encoder: object) -> None:
        assert encoder is NACL.encoding.Base64Encoder
        self.key = Ed25519PublicKey.from_public_bytes(base64.b64decode(key, validate=True))

    def verify(self, message: bytes, signature: bytes) -> None:
        self.key.verify(signature, message)


NACL = SimpleNamespace(
    signing=SimpleNamespace(VerifyKey=NaclVerifyKey),
    encoding=SimpleNamespace(Base64Encoder=object()),
    exceptions=SimpleNamespace(BadSignatureError=InvalidSignature),
)


@pytest.fixture(autouse=True, scope="module")
def nacl_by_openssl() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dkim, "nacl", NACL, raising=False)
        yield


def verifies(content: bytes, count: int = len(KEYS)) -> bool:
    """Whether each of so many signatures on top of the content is valid."""
    verifier = dkim.DKIM(content)
    try:
        return all(verifier.verify(idx=index, dnsfunc=serve_records) for index in range(count))
    except dkim.ValidationError:  # how dkimpy says that the body's hash differs
        return False


def signed(content: bytes) -> bytes:
    return sign(content, KEYS, now=NOW) + content


@pytest.mark.parametrize(
    "content",
    [
        SIMPLE,
        FROM + b"\r\n",  # no body
        FROM,  # no blank line either
        FROM + b"\r\n\r\n\r\n\r\n",  # empty lines only
        FROM + b"\r\n \t\r\n  \r\n",
        FROM + b"\r\nno line end",
        FROM + b"\r\nbody\r\n\r\n\r\n",
        FROM + b"\r\ntrailing \t \r\n\ttabs\t and  runs\r\n",
        FROM + b"\r\n" + b"x" * 5000 + b"\r\n",
        FROM + b"\r\n\xe9\xff\x80 8 bit\r\n",
        FROM + "Subject: é und ü\r\n\r\nbody\r\n".encode(),
        FROM + b"Subject: folded\r\n\tonce\r\n  and  twice\r\n\r\nbody\r\n",
        FROM + b"Subject:\r\n folded at once\r\n\r\nbody\r\n",
        FROM + b"Subject: a\r\n \r\n b\r\n\r\nbody\r\n",
        FROM + b"Subject:\r\n\r\nbody\r\n",
        FROM + b"Subject:none   \t\r\n\r\nbody\r\n",
        FROM + b"sUBJECT: odd case\r\nTO: a@b.example\r\n\r\nbody\r\n",
        FROM + b"To: a@b.example\r\nTo: c@d.example\r\nTo: e@f.example\r\nCc: g@h.example\r\n\r\nbody\r\n",
        FROM + FROM + b"\r\nbody\r\n",
        b"X-From: a@b.example\r\nFrom-X: c@d.example\r\nResent-From: e@f.example\r\n" + FROM + b"\r\nbody\r\n",
        FROM
        + b"List-Unsubscribe: <https://a.example/u>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n\r\nx\r\n",
        FROM + b"Subject: " + b"x" * 5000 + b"\r\n\r\nbody\r\n",
        FROM + b"To: a@b.example\r\n" * 60 + b"\r\nbody\r\n",
        b"Received: from x\r\n\tby y; date\r\nDKIM-Signature: v=1; a=x; b=y\r\n" + FROM + b"\r\nbody\r\n",
        FROM + b"\r\nDKIM-Signature: b=x\r\nFrom: in the body\r\n",
    ],
)
def test_odd_messages_are_signed_so_that_dkimpy_agrees(content: bytes) -> None:
    assert verifies(signed(content))


odd_names = st.sampled_from(
    [b"Subject", b"To", b"TO", b"Cc", b"Date", b"X-Odd", b"from-x", b"List-Id", b"Message-ID", b"References", b"Sender"]
)
odd_pieces = st.sampled_from(
    [b" ", b"\t", b"\r\n ", b"\r\n\t", b"word", b"a=b;", b":", b"\xc3\xa9", b"<x@y.example>", b"  "]
)
odd_fields = st.tuples(odd_names, st.lists(odd_pieces, max_size=8)).map(
    lambda parts: parts[0] + b":" + b"".join(parts[1]) + b"\r\n"
)
odd_bodies = st.lists(st.sampled_from([b" ", b"\t", b"\r\n", b"word", b".", b"\xe9", b"From: x"]), max_size=20).map(
    b"".join
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(odd_fields, max_size=6), odd_bodies)
def test_any_message_is_signed_so_that_dkimpy_agrees(fields: list[bytes], body: bytes) -> None:
    body = body + b"\r\n" if body else body  # what SMTP carries ends with a line end
    assert verifies(signed(b"".join(fields) + FROM + b"\r\n" + body))


TAMPERINGS: dict[str, Callable[[bytes], bytes]] = {
    "body": lambda content: content.replace(b"body", b"bodY"),
    "more body": lambda content: content + b"more\r\n",
    "changed Subject": lambda content: content.replace(b"hello", b"hullo"),
    "changed From": lambda content: content.replace(b"Shop", b"Bank"),
    "removed To": lambda content: content.replace(b"To: a@b.example\r\n", b""),
} | {
    f"added {name}": lambda content, name=name: f"{name}: x@y.example\r\n".encode() + content
    for name in (
        "From",
        "Subject",
        "To",
        "Cc",
        "Date",
        "Reply-To",
        "Message-ID",
        "MIME-Version",
        "Content-Type",
        "Content-Transfer-Encoding",
    )
}


@pytest.mark.parametrize("how", TAMPERINGS)
@pytest.mark.parametrize("key", KEYS, ids=("rsa", "ed25519"))
def test_tampering_breaks_each_signature(key: SigningKey, how: str) -> None:
    content = sign(SIMPLE, [key], now=NOW) + SIMPLE
    assert verifies(content, 1)
    tampered = TAMPERINGS[how](content)
    assert tampered != content
    assert not verifies(tampered, 1)


@pytest.mark.parametrize(
    "added",
    [
        b"Received: from x by y; date\r\n",
        b"Return-Path: <a@b.example>\r\n",
        b"Delivered-To: a@b.example\r\n",
        b"Authentication-Results: b.example; dkim=pass\r\n",
        b"List-Id: <l.example>\r\n",
        b"List-Unsubscribe: <https://l.example/u>\r\n",
        b"Sender: l@l.example\r\n",
        b"X-Spam: no\r\n",
    ],
)
def test_what_hosts_on_the_way_add_breaks_nothing(added: bytes) -> None:
    assert verifies(added + signed(SIMPLE))


def test_blanks_that_hosts_on_the_way_change_break_nothing() -> None:
    refolded = (
        signed(SIMPLE).replace(b"Subject: hello", b"SUBJECT:\r\n\thello ").replace(b"body\r\n", b"body \t\r\n\r\n")
    )
    assert verifies(refolded)


def test_the_field_says_what_it_covers_and_nothing_that_weakens_it() -> None:
    field = sign(SIMPLE, [RSA], now=NOW)
    tags = dict(part.split(b"=", 1) for part in re.sub(rb"\s+", b"", field.partition(b":")[2]).split(b";"))
    assert tags.keys() == {b"v", b"a", b"c", b"t", b"d", b"s", b"h", b"bh", b"b"}
    assert (tags[b"a"], tags[b"c"], tags[b"d"], tags[b"s"]) == (
        b"rsa-sha256",
        b"relaxed/relaxed",
        b"example.com",
        b"s1",
    )
    assert tags[b"t"] == b"1700000000"
    assert tags[b"h"].split(b":") == [
        *(b"from", b"from", b"reply-to", b"subject", b"subject", b"date", b"date", b"message-id", b"to", b"to", b"cc"),
        *(b"mime-version", b"content-type", b"content-transfer-encoding"),
    ]


def test_lines_of_the_field_are_short() -> None:
    field = sign(b"To: a@b.example\r\n" * 99 + SIMPLE, KEYS, now=NOW)
    assert max(len(line) for line in field.split(b"\r\n")) <= 78
    assert [each.name for each in split_header(field).fields] == [b"dkim-signature"] * 2


def test_list_headers_are_covered_as_often_as_they_occur() -> None:
    fields = split_header(FROM + b"List-Id: a\r\nLIST-UNSUBSCRIBE: b\r\nList-Unsubscribe-Post: c\r\n").fields
    assert signed_names(fields)[-3:] == (b"list-id", b"list-unsubscribe", b"list-unsubscribe-post")


def test_without_keys_nothing_is_written() -> None:
    assert sign(SIMPLE, (), now=NOW) == b""


@pytest.mark.parametrize("key", KEYS, ids=("rsa", "ed25519"))
def test_a_key_can_be_stored_and_read_back(key: SigningKey) -> None:
    pem = render_private_key(key.private_key)
    assert public_record(load_private_key(pem)) == public_record(key.private_key)


def test_a_key_in_the_older_pkcs1_form_is_read() -> None:
    pem = RSA.private_key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    assert pem.startswith(b"-----BEGIN RSA PRIVATE KEY-----")
    assert public_record(load_private_key(pem)) == public_record(RSA.private_key)


def _pem(bits: int) -> bytes:
    return render_private_key(rsa.generate_private_key(public_exponent=65537, key_size=bits))


def _elliptic() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _encrypted() -> bytes:
    return RSA.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))


def _of_primes(p: int, q: int) -> bytes:
    """A key of a size that the library would not make, out of Mersenne primes, as weak as they are famous."""
    d = pow(65537, -1, (p - 1) * (q - 1))
    numbers = rsa.RSAPrivateNumbers(
        p, q, d, d % (p - 1), d % (q - 1), rsa.rsa_crt_iqmp(p, q), rsa.RSAPublicNumbers(65537, p * q)
    )
    return render_private_key(numbers.private_key())


@pytest.mark.parametrize(
    ("pem", "says"),
    [
        (b"", "no PEM private key"),
        (b"\xff\0", "no PEM private key"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "no PEM private key"),
        (_encrypted(), "without a passphrase"),
        (_elliptic(), "RSA and Ed25519 keys only"),
        (_of_primes(2**521 - 1, 2**127 - 1), "648 bits"),
    ],
)
def test_a_key_that_cannot_sign_is_refused_with_what_to_do(pem: bytes, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        load_private_key(pem)


def test_a_key_longer_than_receivers_take_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    # The limit is brought down to a key that is at hand: making one of 4097 bits takes seconds.
    monkeypatch.setattr(signing_keys, "MAX_RSA_BITS", 2047)
    with pytest.raises(ValueError, match="2048 bits; receivers take 1024 to 2047"):
        load_private_key(render_private_key(RSA.private_key))


def test_a_key_of_1024_bits_is_still_taken() -> None:
    assert load_private_key(_pem(1024)).key_size == 1024  # type: ignore[union-attr]  # RSA it is


@pytest.mark.parametrize("name", ["", "a b", "s1;x", "s1\r\nFrom: x", "é", "a..b", ".a", "s1="])
def test_a_name_that_could_break_out_of_the_field_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="DKIM record"):
        SigningKey(name, "s1", RSA.private_key)
    with pytest.raises(ValueError, match="DKIM record"):
        SigningKey("example.com", name, RSA.private_key)


def test_a_signing_key_never_shows_its_secret() -> None:
    assert "private_key" not in repr(RSA)
