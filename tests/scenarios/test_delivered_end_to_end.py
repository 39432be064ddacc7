"""From the client's dot to the recipient's MX: found in DNS, over TLS, signed, and told in the log."""

from __future__ import annotations

import base64
import ssl
from pathlib import Path

import dkim  # type: ignore[import-untyped]  # it has no types
import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.fakes.relay_process import MESSAGE, make_config
from tests.fakes.remote_mx import RemoteMx, Taken
from tests.fakes.zone import Zone
from tests.scenarios.conftest import StartRelay

SELECTOR = "s1"


def mx_tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("mx1.rcpt.test").configure_cert(context)
    return context


def write_key(key: rsa.RSAPrivateKey, path: Path) -> None:
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(pem)
    path.chmod(0o600)


def verifies(taken: Taken, key: rsa.RSAPrivateKey) -> bool:
    """As the recipient's host would judge, with dkimpy."""
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    record = b"v=DKIM1; k=rsa; p=" + base64.b64encode(public)

    def ask(name: bytes, timeout: int = 5) -> bytes | None:
        return record if name == f"{SELECTOR}._domainkey.test.com.".encode() else None

    return bool(dkim.verify(taken.content, dnsfunc=ask))


async def test_a_message_is_found_its_mx_signed_and_delivered_over_tls(
    start_relay: StartRelay, storage: dict[str, str], rsa_key: rsa.RSAPrivateKey, tmp_path: Path
) -> None:
    write_key(rsa_key, tmp_path / "dkim.pem")
    records = "rcpt.test. 300 MX 10 mx1.rcpt.test.\nmx1.rcpt.test. 300 A 127.0.0.1"
    async with Zone(records) as zone, RemoteMx(tls=mx_tls()) as mx:
        config = make_config(database=storage, delivery={"port": mx.port, "dns": {"servers": [zone.server]}})
        config["accounts"][0]["domains"][0]["dkim"] = {"selector": SELECTOR, "key_file": str(tmp_path / "dkim.pem")}
        relay = await start_relay(config)
        env_id = await relay.send("someone@rcpt.test")
        (delivered,) = await relay.log("delivered", env_id=env_id)

    (taken,) = mx.taken
    assert taken.mail.startswith(b"MAIL FROM:<test@test.com>")
    assert [rcpt.partition(b">")[0] for rcpt in taken.rcpt] == [b"RCPT TO:<someone@rcpt.test"]
    assert taken.tls is not None
    assert taken.content.startswith(b"DKIM-Signature:")
    assert MESSAGE.partition(b"\r\n\r\n")[2] in taken.content
    assert verifies(taken, rsa_key)
    assert (delivered["mx_host"], delivered["mx_ip"], delivered["tls"]) == ("mx1.rcpt.test", "127.0.0.1", taken.tls)


async def test_recipients_of_one_domain_share_a_transaction_and_others_have_their_own(start_relay: StartRelay) -> None:
    async with RemoteMx() as mx:
        relay = await start_relay(make_config(delivery={"routes": [route(mx)]}))
        await relay.send("a@one.test", "b@two.test", "c@one.test", "d@ONE.test")
        await relay.log("delivered", count=4)
    assert sorted(len(taken.rcpt) for taken in mx.taken) == [1, 3]


def route(mx: RemoteMx) -> dict[str, object]:
    return {"domain": "*", "host": "127.0.0.1", "port": mx.port, "tls": "none"}
