"""`invalid list|search|export|delete`: what they take. What they do is in invalid_work, loaded when it runs."""

from __future__ import annotations

from typing import Annotated

import typer

from directmail_relay.cli.options import AsJson, ConfigFile, OfAccount

invalid_app = typer.Typer(
    help="Invalid addresses of an account (559 at RCPT): list, search, export, delete.", no_args_is_help=True
)

Since = Annotated[str | None, typer.Option(metavar="DATE", help="New on that day or later, as 2026-11-23.")]
Until = Annotated[str | None, typer.Option(metavar="DATE", help="New on that day or earlier.")]
Limit = Annotated[str | None, typer.Option(metavar="N", help="At most so many; 1000 when not given.")]


@invalid_app.command("list")
def list_new(
    *,
    account: OfAccount,
    since: Since = None,
    until: Until = None,
    limit: Limit = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Show the addresses that became invalid in a span of at most 30 days; the last 30 when none is given."""
    from directmail_relay.cli.invalid_work import Span, list_span

    list_span(account, Span(since, until), limit, config, as_json=as_json)


@invalid_app.command()
def search(
    *,
    word: Annotated[str, typer.Argument(metavar="WORD", help="Any part of an address.")],
    account: OfAccount,
    limit: Limit = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Show the invalid addresses that have WORD in them, however old."""
    from directmail_relay.cli.invalid_work import search_word

    search_word(account, word, limit, config, as_json=as_json)


@invalid_app.command()
def export(
    *,
    account: OfAccount,
    since: Since = None,
    until: Until = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Write all of them, or those new in a span, to standard output: CSV in UTF-8 with a header row."""
    from directmail_relay.cli.invalid_work import Span, export_all

    export_all(account, Span(since, until), config, as_json=as_json)


@invalid_app.command()
def delete(
    *,
    address: Annotated[str, typer.Argument(metavar="ADDRESS")],
    account: OfAccount,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Let mail to an address go out again."""
    from directmail_relay.accounts.invalid_addresses import delete_invalid
    from directmail_relay.cli.registering import open_registering, say_done

    with open_registering(config, as_json=as_json) as registering:
        registering.write(delete_invalid, account, address)
    document = {"address": address, "account": account, "deleted": True}
    say_done(document, f"{address} is no invalid address of {account} any more", as_json=as_json)
