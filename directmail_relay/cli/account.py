"""`account add|list|show|set|delete`: what they take. What they do is in account_work, loaded when it runs."""

from __future__ import annotations

from typing import Annotated

import typer

from directmail_relay.cli.options import AsJson, ConfigFile

account_app = typer.Typer(help="Accounts, their status and quotas: add, list, show, set, delete.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME")]
Daily = Annotated[str | None, typer.Option(metavar="N", help="Recipients a day; none is no limit.")]
Monthly = Annotated[str | None, typer.Option(metavar="N", help="Recipients a month; none is no limit.")]
Total = Annotated[str | None, typer.Option(metavar="N", help="Recipients in the account's life; none is no limit.")]
Status = Annotated[str | None, typer.Option(metavar="STATUS", help="normal, frozen, overdue or restricted.")]


@account_app.command()
def add(
    *,
    name: Name,
    daily_quota: Daily = None,
    monthly_quota: Monthly = None,
    total_quota: Total = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Register an account; without quotas it has no limit."""
    from directmail_relay.cli.account_work import Quotas, add_one

    add_one(name, Quotas(daily_quota, monthly_quota, total_quota), config, as_json=as_json)


@account_app.command("list")
def list_all(*, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Show the accounts with what they have used."""
    from directmail_relay.cli.account_work import list_all as act

    act(config, as_json=as_json)


@account_app.command()
def show(*, name: Name, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Show one account: status, quotas, what it has used today, this month and in all."""
    from directmail_relay.cli.account_work import show_one

    show_one(name, config, as_json=as_json)


@account_app.command("set")
def change(  # noqa: PLR0913 - one for each option
    *,
    name: Name,
    status: Status = None,
    daily_quota: Daily = None,
    monthly_quota: Monthly = None,
    total_quota: Total = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Change an account's status or quotas; open sessions follow at their next MAIL."""
    from directmail_relay.cli.account_work import Quotas, set_one

    set_one(name, status, Quotas(daily_quota, monthly_quota, total_quota), config, as_json=as_json)


@account_app.command()
def delete(*, name: Name, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Delete an account with its domains, addresses, tags and lists; mail that was accepted is still delivered."""
    from directmail_relay.cli.account_work import delete_one

    delete_one(name, config, as_json=as_json)
