"""Secrets that stand in files of their own, and the keys that TLS and DKIM need.

What is read here never appears in a message: only the path does, and what to do about it.
"""

from __future__ import annotations

import ssl
import stat
from pathlib import Path

from directmail_relay.content.signing_keys import PrivateKey, load_private_key

MAX_SECRET_OCTETS = 64 * 1024
READABLE_BY_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def read_file(path: Path, limit: int = MAX_SECRET_OCTETS) -> bytes:
    """The whole content. ValueError when it cannot be read, is no ordinary file, or is larger than `limit` octets."""
    try:
        # A named pipe or a device would keep us waiting for ever.
        if not path.is_file():
            raise ValueError(f"there is no file {path}: make it, or correct the path")
        with path.open("rb") as stream:
            content = stream.read(limit + 1)
    except OSError as error:
        raise ValueError(f"cannot read {path} ({error.strerror}): correct its owner and mode") from error
    if len(content) > limit:
        raise ValueError(f"{path} is larger than {limit} octets: is it the right file?")
    return content


def read_secret(path: Path) -> str:
    """A secret's text without the one newline that editors put at the end of it."""
    try:
        text = read_file(path).decode()
    except UnicodeDecodeError:
        # The decoder's exception holds the content: it must not become the cause of ours.
        raise ValueError(f"{path} is not UTF-8 text: write the secret alone into it") from None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise ValueError(f"{path} is empty: write the secret into it")
    return text


def read_signing_key(path: Path) -> PrivateKey:
    """The private key for DKIM in a PEM file."""
    content = read_file(path)
    try:
        return load_private_key(content)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def check_tls_pair(certificate: Path, key: Path) -> None:
    """ValueError unless the two PEM files can serve TLS together."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # Without a password of ours OpenSSL would ask the terminal for one.
        context.load_cert_chain(certificate, key, password=_refuse_passphrase)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise ValueError(f"the key {key} does not belong to the certificate {certificate}") from error
        raise ValueError(f"{certificate} and {key} must be a PEM certificate chain and its PEM key") from error
    except OSError as error:
        raise ValueError(f"cannot read {certificate} or {key} ({error.strerror})") from error


def is_exposed(path: Path) -> bool:
    """Whether others than the owner can do something with the file. A file that is not there is not exposed."""
    try:
        return bool(path.stat().st_mode & READABLE_BY_OTHERS)
    except OSError:
        return False


def _refuse_passphrase() -> str:
    raise ValueError("the TLS key is encrypted: store it without a passphrase (openssl pkey -in FILE)")
