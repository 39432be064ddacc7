"""The secret key of the installation: encrypts what must be read again (DKIM keys, access keys), signs links.

One file with 32 random octets, the same on all machines. Neither the key nor what was derived from it is ever logged
or part of a `repr`, an error or the database.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hmac
import os
import secrets
import stat
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_OCTETS = 32
_MAX_FILE_OCTETS = 1024
# A group may read: a service manager that hands the file over shows its access list as the group's mode.
_EXPOSED = stat.S_IRWXO | stat.S_IWGRP | stat.S_IXGRP


class SecretKeyError(ValueError):
    """The key file cannot be used; the text is one sentence: which file, why, what to do."""


class DecryptError(ValueError):
    """What is stored cannot be read with this key; the text is one sentence that says what to do."""


class Cipher:
    """What the key is for. Safe to use from several threads; its `repr` says nothing."""

    __slots__ = ("_fernet", "_signing_key")

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_OCTETS:
            raise ValueError(f"the key must have {KEY_OCTETS} octets")
        # Two keys from one, so that neither use says anything about the other (RFC 5869 §3.2).
        self._fernet = Fernet(base64.urlsafe_b64encode(_derive(key, b"directmail-relay encryption 1")))
        self._signing_key = _derive(key, b"directmail-relay links 1")

    def encrypt(self, data: bytes) -> str:
        """The data as printable ASCII that only this key reads; another text each time."""
        return self._fernet.encrypt(data).decode("ascii")

    def decrypt(self, text: str) -> bytes:
        """What was given to `encrypt`. Raises DecryptError when it was another key, or the text has been changed."""
        try:
            return self._fernet.decrypt(text.encode())
        except InvalidToken:
            raise DecryptError("this was encrypted under another key: restore secret.key") from None

    def sign(self, text: str) -> str:
        """A signature of 43 characters that may stand in a URL. Let the text begin with what it is for."""
        digest = hmac.digest(self._signing_key, text.encode(), "sha256")
        return base64.urlsafe_b64encode(digest).decode("ascii").rstrip("=")

    def verify(self, text: str, signature: str) -> bool:
        """Whether `sign(text)` made the signature; takes as long for a nearly right one as for a wrong one."""
        return hmac.compare_digest(self.sign(text).encode(), signature.encode())


def load_or_make_cipher(path: Path, owner_of: Path | None = None) -> Cipher:
    """The cipher of the key in `path`, which is made (mode 0600) when absent; who comes second takes the first's key.

    Run by root, a new file gets the owner of `owner_of` (the database), or of its folder. Raises SecretKeyError.
    """
    try:
        if not path.exists():
            _make(path, owner_of if owner_of is not None and owner_of.exists() else path.parent)
        return Cipher(_read(path))
    except OSError as error:
        raise SecretKeyError(
            f"cannot use the secret key {path} ({error.strerror}): correct its owner or mode"
        ) from None


def read_cipher(path: Path) -> Cipher | None:
    """The cipher of the key in `path`; None when there is no such file. Raises SecretKeyError."""
    try:
        return Cipher(_read(path)) if path.exists() else None
    except OSError as error:
        raise SecretKeyError(
            f"cannot use the secret key {path} ({error.strerror}): correct its owner or mode"
        ) from None


def is_exposed(path: Path) -> bool:
    """Whether others than the owner and its group's readers can do something with the file, which exists."""
    return bool(path.stat().st_mode & _EXPOSED)


def _read(path: Path) -> bytes:
    # A named pipe or a device would keep us waiting for ever.
    if not path.is_file():
        raise SecretKeyError(f"the secret key {path} is no ordinary file: correct secret_key_file")
    if is_exposed(path):
        raise SecretKeyError(f"others can read the secret key {path}: chmod 600 {path}")
    with path.open("rb") as stream:
        text = stream.read(_MAX_FILE_OCTETS)
    with contextlib.suppress(binascii.Error, ValueError):
        key = base64.b64decode(text.strip(), altchars=b"-_", validate=True)
        if len(key) == KEY_OCTETS:
            return key
    raise SecretKeyError(f"{path} is no secret key of ours: restore it from a backup, or name another secret_key_file")


def _make(path: Path, owner_of: Path) -> None:
    """Writes a new key beside `path` and gives it that name unless somebody was faster: nobody sees half a file."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(file, "wb") as stream:
            stream.write(base64.urlsafe_b64encode(secrets.token_bytes(KEY_OCTETS)) + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
        if os.geteuid() == 0:
            owner = owner_of.stat()
            os.chown(draft, owner.st_uid, owner.st_gid)
        with contextlib.suppress(FileExistsError):  # another process made it meanwhile: that one is the key
            os.link(draft, path)
    finally:
        draft.unlink()
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """What is encrypted next would be lost with a name that a crash undoes."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _derive(key: bytes, info: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_OCTETS, salt=None, info=info).derive(key)
