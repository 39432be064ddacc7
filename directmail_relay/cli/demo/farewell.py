"""How to go on by oneself while the demo serves: by hand, with the usual tools, and in the queue."""

from __future__ import annotations

import sys
from pathlib import Path

from directmail_relay.cli.demo.ports import LOOPBACK
from directmail_relay.cli.demo.stage import LOGIN, PASSWORD, Stage
from directmail_relay.sandbox import DOMAIN, MAILBOXES, World

TEXT = """\
Log in as {login} with the password {password} (in Base64: dGVzdEB0ZXN0LmNvbQ== and dGVzdA==).
Mail from {login} to one of: {mailboxes} (at {domain}).

By hand, as above:
  telnet {loopback} {smtp_port}
Over TLS:
  openssl s_client -quiet -crlf -starttls smtp -connect {loopback}:{smtp_port}
With swaks:
  swaks --server {loopback}:{smtp_port} --tls --auth LOGIN --auth-user {login} --auth-password {password} \\
    --from {login} --to grey@{domain}

Metrics and health:
  curl http://{loopback}:{http_port}/metrics
  curl http://{loopback}:{http_port}/healthz
The queue:
  {command} queue list -c {config}
  {command} queue show ENVID -c {config}
The relay's log:
  tail -f {log}
The sandbox's DNS:
  dig @{dns_ip} -p {dns_port} {domain} MX
"""


def render_farewell(stage: Stage, world: World) -> str:
    """The commands, ready to be copied."""
    dns_ip, _, dns_port = world.dns_server.rpartition(":")
    return TEXT.format(
        login=LOGIN,
        password=PASSWORD,
        mailboxes=", ".join(MAILBOXES),
        domain=DOMAIN,
        loopback=LOOPBACK,
        smtp_port=stage.smtp_port,
        http_port=stage.http_port,
        command=_command(),
        config=stage.config,
        log=stage.log,
        dns_ip=dns_ip,
        dns_port=dns_port,
    )


def _command() -> str:
    """What to call for our commands: the program as it was called itself."""
    called = Path(sys.argv[0])
    return "python -m directmail_relay" if called.name == "__main__.py" else str(called)
