"""The operator's part: keys, a certificate, a password file and config.yaml in the demo's directory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from directmail_relay.cli.demo.ports import find_free_port
from directmail_relay.content.signing_keys import SigningKey, generate_private_key, render_private_key
from directmail_relay.sandbox import World, make_certificate

HOSTNAME = "relay.sandbox.test"
SENDER_DOMAIN = "test.com"
SELECTOR = "s1"
LOGIN = "test@test.com"  # the guide's, as its session has it
PASSWORD = "test"  # noqa: S105 - the guide's, on loopback

SMTP_PORT = 2525
HTTP_PORT = 8080

CONFIG = """\
hostname: {hostname}
workers: 2
database: {{url: "sqlite:///relay.db"}}
smtp:
  listeners:
    - {{address: 127.0.0.1, port: {smtp_port}, tls: starttls}}
  tls: {{certificate: cert.pem, key: key.pem}}
delivery:
  port: {mx_port}                       # where the sandbox's mail host listens; real ones listen at 25
  dns: {{servers: ["{dns_server}"]}}   # the sandbox's
  allow_private_mx: true              # its hosts are on loopback
  retry: {{schedule: [2s, 3s, 5s], lifetime: 10m}}
http: {{listen: "127.0.0.1:{http_port}"}}
accounts:
  - name: sandbox
    daily_quota: 200000
    domains:
      - {{name: {domain}, dkim: {{selector: {selector}, key_file: dkim.pem}}, verified: true}}
    addresses:
      - {{address: {login}, type: trigger, password_file: test.password}}
"""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where everything is. `certificate` is the PEM file of the listener's certificate."""

    folder: Path
    smtp_port: int
    http_port: int

    @property
    def config(self) -> Path:
        return self.folder / "config.yaml"

    @property
    def log(self) -> Path:
        return self.folder / "relay.log"

    @property
    def certificate(self) -> Path:
        return self.folder / "cert.pem"


def make_signing_key(folder: Path) -> SigningKey:
    """A new RSA key for the sender's domain, in `folder` for the relay to read."""
    key = generate_private_key()
    _write_secret(folder / "dkim.pem", render_private_key(key))
    return SigningKey(SENDER_DOMAIN, SELECTOR, key)


def write_secrets(folder: Path) -> None:
    """What config.yaml refers to, but for the signing key."""
    certificate, key = make_certificate([HOSTNAME, "localhost", "127.0.0.1"])
    (folder / "cert.pem").write_bytes(certificate)
    _write_secret(folder / "key.pem", key)
    _write_secret(folder / "test.password", PASSWORD.encode())


def set_stage(folder: Path, world: World) -> Stage:
    """Chooses the ports and writes config.yaml. Raises DemoFailedError when no port is free."""
    smtp_port = find_free_port(SMTP_PORT)
    stage = Stage(folder, smtp_port, find_free_port(HTTP_PORT, taken=frozenset({smtp_port})))
    text = CONFIG.format(
        hostname=HOSTNAME,
        smtp_port=stage.smtp_port,
        http_port=stage.http_port,
        mx_port=world.mx_port,
        dns_server=world.dns_server,
        domain=SENDER_DOMAIN,
        selector=SELECTOR,
        login=LOGIN,
    )
    stage.config.write_text(text, encoding="utf-8")
    return stage


def _write_secret(path: Path, secret: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(secret)
