"""A folder with the files that a configuration may name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from directmail_relay.config import Config, load_config
from directmail_relay.content.signing_keys import KeyKind, generate_private_key, render_private_key

HASH = "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21lc2FsdA$RdescudvJCsgt3ub+b8dWRWJTmaaJObG1hIh0bY6wYk"
FULL = f"""
hostname: Mail.Example.com
database: {{url: "postgresql://relay:db-secret@localhost/relay?sslpassword=query-secret"}}
smtp: {{tls: {{certificate: cert.pem, key: key.pem}}}}
accounts:
  - name: shop
    domains:
      - {{name: Example.com, dkim: {{selector: s1, key_file: dkim.pem}}, password_file: domain.password}}
    addresses:
      - {{address: notice@example.com, password: inline-secret}}
      - {{address: news@example.com, type: batch, password_file: notice.password}}
      - {{address: hash@example.com, password_hash: "{HASH}"}}
"""
Load = Callable[[str], Config]
SECRETS = {
    "notice.password": b"file-secret\n",
    "domain.password": b"domain-secret\n",
    "tsig.secret": b"dHNpZy1zZWNyZXQ=\n",
}


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """cert.pem and key.pem belong together; other-key.pem is somebody else's, locked.pem wants a passphrase."""
    folder = tmp_path_factory.mktemp("files")
    authority = trustme.CA()
    certificate = authority.issue_cert("mail.example.com")
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    for blob in certificate.cert_chain_pems:
        blob.write_to_path(folder / "cert.pem", append=True)
    authority.issue_cert("other.example.com").private_key_pem.write_to_path(folder / "other-key.pem")
    key = generate_private_key(KeyKind.ED25519)
    (folder / "dkim.pem").write_bytes(render_private_key(key))
    (folder / "locked.pem").write_bytes(_lock(folder / "key.pem"))
    (folder / "empty").touch()
    for name, content in SECRETS.items():
        (folder / name).write_bytes(content)
    for file in folder.iterdir():
        file.chmod(0o600)
    return folder


@pytest.fixture
def full() -> str:
    """A configuration with a secret of every kind; needs `files` beside it."""
    return FULL


@pytest.fixture
def load(files: Path) -> Load:
    """Loads a text as if it stood in a file beside `files`."""

    def load_text(text: str) -> Config:
        path = files / "config.yaml"
        path.write_bytes(text.encode())
        return load_config(path)

    return load_text


def _lock(path: Path) -> bytes:
    key = load_pem_private_key(path.read_bytes(), password=None)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"passphrase"))
