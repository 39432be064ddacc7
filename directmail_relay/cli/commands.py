"""Every command of `directmail-relay`, as interface.md lists them. Each imports what it needs when it runs.

Exit codes: 0 done, 1 refused or failed (one line says why), 2 an unknown option or a missing argument, 78 config.
"""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from directmail_relay import __version__
from directmail_relay.cli.account import account_app
from directmail_relay.cli.address import address_app
from directmail_relay.cli.audit import audit_app
from directmail_relay.cli.dns import dns
from directmail_relay.cli.doctor import doctor
from directmail_relay.cli.domain import domain_app
from directmail_relay.cli.invalid import invalid_app
from directmail_relay.cli.ip import ip_app
from directmail_relay.cli.queue import queue_app
from directmail_relay.cli.suppress import suppress_app
from directmail_relay.cli.tag import tag_app

app = typer.Typer(
    name="directmail-relay",
    help="A self-hosted DirectMail: takes mail over SMTP, delivers it, and tells what became of it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(queue_app, name="queue")
app.command("doctor")(doctor)
app.command("dns")(dns)
app.add_typer(ip_app, name="ip")
app.add_typer(domain_app, name="domain")
app.add_typer(audit_app, name="audit")
app.add_typer(address_app, name="address")
app.add_typer(account_app, name="account")
app.add_typer(tag_app, name="tag")
app.add_typer(suppress_app, name="suppress")
app.add_typer(invalid_app, name="invalid")

EXIT_FAILED = 1
EXIT_CONFIG = 78

ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "-c",
        "--config",
        help="The configuration file; else $DIRECTMAIL_RELAY_CONFIG, ./config.yaml, /etc/directmail-relay/config.yaml.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]


class LogForm(StrEnum):
    JSON = "json"
    CONSOLE = "console"


@app.command()
def serve(
    config: ConfigFile = None,
    log_format: Annotated[LogForm | None, typer.Option(help="How log lines look; else as the file says.")] = None,
) -> None:
    """Run the relay until SIGTERM. SIGHUP reads the configuration again."""
    from directmail_relay.cli.check_config import report_config_error
    from directmail_relay.config import ConfigError, find_config
    from directmail_relay.workers import StartError
    from directmail_relay.workers import serve as serve_node

    try:
        serve_node(find_config(config), None if log_format is None else log_format.value)
    except ConfigError as error:
        report_config_error(error)
        raise typer.Exit(EXIT_CONFIG) from None
    except StartError as error:
        typer.echo(f"directmail-relay: {error}", err=True)
        raise typer.Exit(EXIT_FAILED) from None


@app.command("check-config")
def check_config(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Say what is wrong with the configuration, each with its YAML path, or sum it up."""
    from directmail_relay.cli.check_config import check_config as check

    raise typer.Exit(check(config, as_json=as_json))


@app.command()
def classify(config: ConfigFile = None, as_json: AsJson = False) -> None:  # noqa: ARG001 - every command takes both; this one needs no file and speaks JSON only
    """Classify replies: JSON lines {"reply": …, "stage": …} on stdin, one JSON line for each on stdout."""
    from directmail_relay.cli.classify import classify_lines

    sys.stdin.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr] # stdin is a TextIOWrapper here
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr] # as above
    for line in classify_lines(sys.stdin):
        sys.stdout.write(line + "\n")


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="Exit when everything has been shown.")] = False,
) -> None:
    """Play the guide's SMTP session against a relay and a sandbox of hosts, all on this machine."""
    from directmail_relay.cli.demo import run_demo

    raise typer.Exit(run_demo(once=once))


@app.command()
def export(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Print what is registered, as the YAML that the configuration takes."""
    from directmail_relay.cli.export import export_command

    export_command(config, as_json=as_json)


@app.command("migrate")
def migrate_database(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Bring the database to this version."""
    from directmail_relay.cli.migrate import migrate_command

    migrate_command(config, as_json=as_json)


@app.command("hash-password")
def hash_password(config: ConfigFile = None, as_json: AsJson = False) -> None:  # noqa: ARG001 - as above
    """Read a password from stdin and print its argon2id hash, for `password_hash` in the configuration."""
    from directmail_relay.accounts.passwords import hash_password as make_hash
    from directmail_relay.cli.output import fail, print_json

    try:
        made = make_hash(sys.stdin.readline().rstrip("\r\n"))
    except ValueError as error:
        fail(str(error), "password", as_json=as_json)
    if as_json:
        print_json({"password_hash": made})
    else:
        typer.echo(made)


@app.callback(invoke_without_command=True)
def main(
    show_version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    """A self-hosted DirectMail: takes mail over SMTP, delivers it, and tells what became of it."""
    if show_version:
        typer.echo(__version__)
        raise typer.Exit


@app.command()
def version(as_json: AsJson = False) -> None:
    """Print the version."""
    typer.echo(f'{{"version": "{__version__}"}}' if as_json else __version__)
