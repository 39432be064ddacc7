"""`suppress list|add|import|delete`: an account's own do-not-send list. The import is in suppress_work."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from directmail_relay.cli.options import AsJson, ConfigFile, OfAccount

suppress_app = typer.Typer(
    help="The do-not-send list of an account (559 at RCPT): list, add, import, delete.", no_args_is_help=True
)

Address = Annotated[str, typer.Argument(metavar="ADDRESS")]
Limit = Annotated[str | None, typer.Option(metavar="N", help="At most so many; 1000 when not given.")]


@suppress_app.command("list")
def list_all(*, account: OfAccount, limit: Limit = None, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Show the list, in the order of the addresses."""
    from directmail_relay.cli.suppress_work import show_list

    show_list(account, limit, config, as_json=as_json)


@suppress_app.command()
def add(*, address: Address, account: OfAccount, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Send nothing to an address any more; the account's next RCPT to it is refused."""
    from directmail_relay.accounts.suppressions import add_suppression
    from directmail_relay.cli.registering import open_registering, say_done

    with open_registering(config, as_json=as_json) as registering:
        document = registering.write(add_suppression, account, address)
    say_done(document, f"{account} sends nothing to {document['address']} any more", as_json=as_json)


@suppress_app.command("import")
def import_file(
    *,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV or one address a line; UTF-8, UTF-16 or GBK.")],
    account: OfAccount,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Add all addresses of a file: its column email or address, or else its first."""
    from directmail_relay.cli.suppress_work import import_addresses

    import_addresses(file, account, config, as_json=as_json)


@suppress_app.command()
def delete(*, address: Address, account: OfAccount, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Let mail to an address go out again."""
    from directmail_relay.accounts.suppressions import delete_suppression
    from directmail_relay.cli.registering import open_registering, say_done

    with open_registering(config, as_json=as_json) as registering:
        registering.write(delete_suppression, account, address)
    document = {"address": address, "account": account, "deleted": True}
    say_done(document, f"{account} may send to {address} again", as_json=as_json)
