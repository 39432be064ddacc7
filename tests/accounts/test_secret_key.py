"""The secret key: made once, whoever is first; refused when others see it; never shown."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directmail_relay.accounts.secret_key import Cipher, DecryptError, SecretKeyError, load_or_make_cipher, read_cipher

ONE, OTHER = Cipher(bytes(32)), Cipher(bytes(31) + b"\x01")

RACE = """
import sys
from pathlib import Path
from directmail_relay.accounts.secret_key import load_or_make_cipher
print("ready", flush=True)
sys.stdin.read(1)
print(load_or_make_cipher(Path(sys.argv[1])).sign("x"))
"""


def test_a_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    first = load_or_make_cipher(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(base64.urlsafe_b64decode(path.read_bytes())) == 32
    assert load_or_make_cipher(path).decrypt(first.encrypt(b"PEM")) == b"PEM"
    assert [one.name for one in tmp_path.iterdir()] == ["secret.key"]


def test_two_folders_get_two_keys(tmp_path: Path) -> None:
    ciphers = [load_or_make_cipher(tmp_path / name) for name in ("a", "b")]
    assert ciphers[0].sign("x") != ciphers[1].sign("x")


def test_processes_that_come_at_once_agree_on_one_key(tmp_path: Path) -> None:
    command = [sys.executable, "-c", RACE, str(tmp_path / "secret.key")]
    racers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    for racer in racers:
        assert racer.stdout
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin
        racer.stdin.write("x")
        racer.stdin.flush()
    signatures = {racer.communicate(timeout=30)[0] for racer in racers}
    assert [racer.returncode for racer in racers] == [0] * 4
    assert len(signatures) == 1


@pytest.mark.parametrize("mode", [0o604, 0o620, 0o666])
def test_a_key_that_others_can_touch_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "secret.key"
    load_or_make_cipher(path)
    path.chmod(mode)
    with pytest.raises(SecretKeyError, match=r"others can read the secret key .*: chmod 600 "):
        load_or_make_cipher(path)


def test_a_group_may_read_the_key(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    made = load_or_make_cipher(path)
    path.chmod(0o440)
    assert load_or_make_cipher(path).sign("x") == made.sign("x")


@pytest.mark.parametrize("content", [b"", b"hunter2", b"not base64!!", base64.b64encode(bytes(31)), bytes(2000)])
def test_a_file_that_is_no_key_is_never_overwritten_and_never_quoted(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "secret.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(SecretKeyError, match="is no secret key of ours") as caught:
        load_or_make_cipher(path)
    assert content == path.read_bytes()
    assert content == b"" or content.decode() not in str(caught.value).replace(str(path), "")


def test_a_folder_or_a_missing_place_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SecretKeyError, match="no ordinary file"):
        load_or_make_cipher(tmp_path)
    with pytest.raises(SecretKeyError, match=r"cannot use the secret key .*No such file"):
        load_or_make_cipher(tmp_path / "away" / "secret.key")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_made_by_root_it_belongs_to_the_owner_of_the_database(tmp_path: Path) -> None:
    database = tmp_path / "relay.db"
    database.touch()
    os.chown(database, 12345, 12346)
    load_or_make_cipher(tmp_path / "secret.key", owner_of=database)
    found = (tmp_path / "secret.key").stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (12345, 12346, 0o600)


@given(st.binary(max_size=200))
def test_what_was_encrypted_is_read_by_its_key_alone(data: bytes) -> None:
    text = ONE.encrypt(data)
    assert text.isascii()
    assert text.isprintable()
    assert ONE.decrypt(text) == data
    with pytest.raises(DecryptError, match=r"encrypted under another key: restore secret\.key"):
        OTHER.decrypt(text)


@given(st.text(max_size=100))
def test_any_other_text_is_a_decrypt_error(text: str) -> None:
    with pytest.raises(DecryptError):
        ONE.decrypt(text)


@given(st.text(max_size=50), st.text(max_size=50))
def test_a_signature_holds_for_its_text_and_its_key(text: str, other: str) -> None:
    signature = ONE.sign(text)
    assert ONE.verify(text, signature)
    assert not OTHER.verify(text, signature)
    assert ONE.verify(other, signature) == (text == other)
    assert not ONE.verify(text, other)
    assert len(signature) == 43


def test_reading_alone_makes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    assert read_cipher(path) is None
    assert list(tmp_path.iterdir()) == []
    made = load_or_make_cipher(path)
    found = read_cipher(path)
    assert found is not None
    assert found.sign("x") == made.sign("x")
    path.chmod(0o644)
    with pytest.raises(SecretKeyError, match="chmod 600"):
        read_cipher(path)


def test_the_key_is_in_no_repr() -> None:
    shown = repr(ONE)
    assert base64.urlsafe_b64encode(bytes(32)).decode() not in shown
    assert "x00" not in shown
