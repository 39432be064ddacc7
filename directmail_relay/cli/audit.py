"""`audit list`: who changed what, and when. Secrets were never written there."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from directmail_relay.cli.options import AnyAccount, AsJson, ConfigFile

audit_app = typer.Typer(help="The log of every change of what is registered: list.", no_args_is_help=True)

Limit = Annotated[str, typer.Option(metavar="N", help="At most so many, the latest first.")]

_COLUMNS = ("at", "who", "what", "object", "account", "detail")
DEFAULT_LIMIT = "100"


@audit_app.callback()
def _group() -> None:
    """The log of every change of what is registered."""


@audit_app.command("list")
def list_all(
    *, account: AnyAccount = None, limit: Limit = DEFAULT_LIMIT, config: ConfigFile = None, as_json: AsJson = False
) -> None:
    """Show the latest changes, the newest first."""
    from directmail_relay.accounts.changes import list_audit
    from directmail_relay.cli.output import pick, print_json, print_table
    from directmail_relay.cli.registering import open_registered
    from directmail_relay.cli.selecting import Words, parse_limit

    with open_registered(config, as_json=as_json) as registering:
        at_most = parse_limit(Words(limit=limit), None) or int(DEFAULT_LIMIT)
        documents = registering.read(list_audit, account, at_most)
    if as_json:
        print_json(documents)
    elif not documents:
        typer.echo("nothing has been changed yet")
    else:
        print_table(_COLUMNS, pick(map(_for_people, documents), _COLUMNS))


def _for_people(document: dict[str, Any]) -> dict[str, Any]:
    detail = document["detail"]
    return {**document, "detail": json.dumps(detail, ensure_ascii=False) if detail else None}
