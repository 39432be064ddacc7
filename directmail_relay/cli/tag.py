"""`tag add|list|delete`: the tags by which an account sorts its mail in reports."""

from __future__ import annotations

from typing import Annotated

import typer

from directmail_relay.cli.options import AnyAccount, AsJson, ConfigFile, OfAccount

tag_app = typer.Typer(help="Mail tags of an account: add, list, delete.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="1 to 128 letters, digits and underscores.")]
Description = Annotated[str, typer.Option(metavar="TEXT", help="What it is for.")]

_COLUMNS = ("name", "account", "description", "created_at")


@tag_app.command()
def add(
    *, name: Name, account: OfAccount, description: Description = "", config: ConfigFile = None, as_json: AsJson = False
) -> None:
    """Register a tag; mail names it in X-DM-Tag or X-AliDM-Trace."""
    from directmail_relay.accounts.tags import add_tag
    from directmail_relay.cli.registering import open_registering, say_done

    with open_registering(config, as_json=as_json) as registering:
        document = registering.write(add_tag, account, name, description)
    say_done(document, f"tag {name} added to {account}", as_json=as_json)


@tag_app.command("list")
def list_all(*, account: AnyAccount = None, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Show the tags."""
    from directmail_relay.accounts.tags import list_tags
    from directmail_relay.cli.output import pick, print_json, print_table
    from directmail_relay.cli.registering import open_registered

    with open_registered(config, as_json=as_json) as registering:
        documents = registering.read(list_tags, account)
    if as_json:
        print_json(documents)
    elif not documents:
        typer.echo("there are no tags yet: tag add NAME --account A")
    else:
        print_table(_COLUMNS, pick(documents, _COLUMNS))


@tag_app.command()
def delete(*, name: Name, account: OfAccount, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Delete a tag; mail that has it keeps it."""
    from directmail_relay.accounts.tags import delete_tag
    from directmail_relay.cli.registering import open_registering, say_done

    with open_registering(config, as_json=as_json) as registering:
        registering.write(delete_tag, account, name)
    say_done({"name": name, "account": account, "deleted": True}, f"tag {name} of {account} deleted", as_json=as_json)
