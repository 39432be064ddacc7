"""`domain add|list|show|verify|publish|rotate-dkim|password|delete`: what they take; the work is in domain_work."""

from __future__ import annotations

from typing import Annotated

import typer

from directmail_relay.cli.options import AsJson, ConfigFile

domain_app = typer.Typer(
    help="Sending domains: add, verify, publish, list, show, rotate-dkim, password, delete.", no_args_is_help=True
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The domain.")]
Owner = Annotated[str, typer.Option("--account", metavar="ACCOUNT", help="Whose domain it is.")]
OfAccount = Annotated[str | None, typer.Option("--account", metavar="ACCOUNT", help="Only this account's.")]
Automatic = Annotated[
    bool | None,
    typer.Option(
        "--automatic/--no-automatic",
        help="Write the records into the DNS (domains.automatic_dns); else only in the zones named there.",
    ),
]


@domain_app.command()
def add(
    *, name: Name, account: Owner, automatic: Automatic = None, config: ConfigFile = None, as_json: AsJson = False
) -> None:
    """Register a sending domain with an ownership token and a DKIM key."""
    from directmail_relay.cli.domain_work import add_one

    add_one(name, account, config, automatic=automatic, as_json=as_json)


@domain_app.command("list")
def list_all(*, account: OfAccount = None, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """List the sending domains."""
    from directmail_relay.cli.domain_work import list_some

    list_some(account, config, as_json=as_json)


@domain_app.command()
def show(*, name: Name, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Show one domain as it was at its last check."""
    from directmail_relay.cli.domain_work import show_one

    show_one(name, config, as_json=as_json)


@domain_app.command()
def verify(*, name: Name, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Ask the DNS now, and store and show what it says."""
    from directmail_relay.cli.domain_dns_work import verify_one

    verify_one(name, config, as_json=as_json)


@domain_app.command()
def publish(*, name: Name, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Write the records that are absent into the DNS, by dynamic update; nothing is changed or deleted."""
    from directmail_relay.cli.domain_dns_work import publish_one

    publish_one(name, config, as_json=as_json)


@domain_app.command("rotate-dkim")
def rotate_dkim(*, name: Name, automatic: Automatic = None, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Make a new DKIM key; it signs once its record has been seen."""
    from directmail_relay.cli.domain_work import rotate_one

    rotate_one(name, config, automatic=automatic, as_json=as_json)


@domain_app.command()
def password(
    *,
    name: Name,
    password_stdin: Annotated[bool, typer.Option("--password-stdin", help="Read it from standard input.")],
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Set the domain's own password: with it the domain is a login for all its addresses."""
    from directmail_relay.cli.domain_work import set_password

    if not password_stdin:
        raise typer.BadParameter("a password is read from standard input only: --password-stdin")
    set_password(name, config, as_json=as_json)


@domain_app.command()
def delete(*, name: Name, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Delete a domain that has no addresses, with its DKIM keys."""
    from directmail_relay.cli.domain_work import delete_one

    delete_one(name, config, as_json=as_json)
