"""The keys that DKIM signs with: read, made, and shown to the world as a TXT record (RFC 6376 §3.6.1, RFC 8463).

The private key never appears in a text, an error or a `repr`.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from enum import StrEnum

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

PrivateKey = RSAPrivateKey | Ed25519PrivateKey

# RFC 8301 §3.2: signers use 1024 at least and 2048 rather; verifiers need not take more than 4096.
MIN_RSA_BITS = 1024
MAX_RSA_BITS = 4096
_RSA_BITS = 2048

_HOST_NAME = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*", re.IGNORECASE)


class KeyKind(StrEnum):
    """The `k=` of the record."""

    RSA = "rsa"
    ED25519 = "ed25519"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """Whose mail is signed, with which key: the record stands at `<selector>._domainkey.<domain>`."""

    domain: str
    selector: str
    private_key: PrivateKey = field(repr=False)

    def __post_init__(self) -> None:
        # Both are written into headers: an A-label name or nothing.
        for name in (self.domain, self.selector):
            if _HOST_NAME.fullmatch(name) is None:
                raise ValueError(
                    f"{name!r} cannot stand in a DKIM record's name; use ASCII letters, digits and hyphens"
                )

    @property
    def record_name(self) -> str:
        return f"{self.selector}._domainkey.{self.domain}"


def load_private_key(pem: bytes) -> PrivateKey:
    """A PEM file, PKCS#8 or PKCS#1, RSA of 1024 to 4096 bits or Ed25519; ValueError says what to do instead."""
    try:
        key = load_pem_private_key(pem, password=None)
    except TypeError as error:
        raise ValueError("the key is encrypted; store it without a passphrase (openssl pkey -in FILE)") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError("this is no PEM private key; make one with: openssl genrsa 2048") from error
    match key:
        case Ed25519PrivateKey():
            return key
        case RSAPrivateKey(key_size=bits) if MIN_RSA_BITS <= bits <= MAX_RSA_BITS:
            return key
        case RSAPrivateKey(key_size=bits):
            raise ValueError(
                f"the RSA key has {bits} bits; receivers take {MIN_RSA_BITS} to {MAX_RSA_BITS}, best is {_RSA_BITS}"
            )
        case _:
            raise ValueError("DKIM knows RSA and Ed25519 keys only; make one with: openssl genrsa 2048")


def generate_private_key(kind: KeyKind = KeyKind.RSA) -> PrivateKey:
    """A new key, RSA of 2048 bits or Ed25519; the randomness is the operating system's."""
    if kind is KeyKind.ED25519:
        return Ed25519PrivateKey.generate()
    return generate_rsa(public_exponent=65537, key_size=_RSA_BITS)


def render_private_key(key: PrivateKey) -> bytes:
    """The secret itself, as unencrypted PKCS#8 PEM, for storing it; `load_private_key` reads it back."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def public_record(key: PrivateKey) -> str:
    """The TXT value to publish, `v=DKIM1; k=rsa; p=…`; over 255 octets the zone file splits it into strings."""
    public = key.public_key()
    if isinstance(key, Ed25519PrivateKey):
        # RFC 8463 §4: the bare 32 octets; RSA has the whole SubjectPublicKeyInfo.
        kind, octets = KeyKind.ED25519, public.public_bytes(Encoding.Raw, PublicFormat.Raw)
    else:
        kind, octets = KeyKind.RSA, public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"v=DKIM1; k={kind}; p={base64.b64encode(octets).decode('ascii')}"
