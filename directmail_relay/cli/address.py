"""`address …`: what the commands take. What they do is in address_work, loaded when it runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from directmail_relay.cli.options import AnyAccount, AsJson, ConfigFile, PasswordStdin

address_app = typer.Typer(
    help="Sending addresses: add, list, password, freeze, unfreeze, reply-to, delete.", no_args_is_help=True
)

Address = Annotated[str, typer.Argument(metavar="ADDRESS")]
Kind = Annotated[str, typer.Option("--type", metavar="TYPE", help="trigger (one person waits for it) or batch.")]


@address_app.command()
def add(
    *,
    address: Address,
    kind: Kind,
    password_stdin: PasswordStdin = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Register an address below a verified domain; without a password it cannot log in over SMTP."""
    from directmail_relay.cli.address_work import add_one

    add_one(address, kind, password_stdin=password_stdin, config=config, as_json=as_json)


@address_app.command("list")
def list_all(*, account: AnyAccount = None, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Show the sending addresses."""
    from directmail_relay.cli.address_work import list_all as act

    act(account, config, as_json=as_json)


@address_app.command()
def password(
    *, address: Address, password_stdin: PasswordStdin = False, config: ConfigFile = None, as_json: AsJson = False
) -> None:
    """Set the SMTP password: 10 to 20 characters, two digits, two capitals, two small letters at least."""
    from directmail_relay.cli.address_work import set_password

    if not password_stdin:
        raise typer.BadParameter("a password is read from standard input: say --password-stdin")
    set_password(address, config, as_json=as_json)


@address_app.command("reply-to")
def reply_to(
    *,
    address: Address,
    mailbox: Annotated[str, typer.Argument(metavar="MAILBOX")],
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Set where answers go; it counts once its owner has followed the link in the verification mail."""
    from directmail_relay.cli.address_work import set_mailbox

    set_mailbox(address, mailbox, config, as_json=as_json)


ORDERS = {
    "freeze": "Let an address send nothing until it is unfrozen; open sessions follow at their next MAIL.",
    "unfreeze": "Let a frozen address send again.",
    "delete": "Delete an address; mail that was accepted from it is still delivered.",
}


def _command_for(order: str) -> Callable[..., None]:
    def command(*, address: Address, config: ConfigFile = None, as_json: AsJson = False) -> None:
        from directmail_relay.cli.address_work import carry_out_order

        carry_out_order(order, address, config, as_json=as_json)

    return command


for _order, _help in ORDERS.items():
    address_app.command(_order, help=_help)(_command_for(_order))
