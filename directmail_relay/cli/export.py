"""`export`: what is registered, as the `accounts:` section that the configuration takes."""

from __future__ import annotations

from pathlib import Path

import typer
import yaml

from directmail_relay.accounts.export import ExportedAccount, export_accounts
from directmail_relay.cli.output import plain, print_json
from directmail_relay.cli.registering import open_registered

_HEAD = (
    "# What is registered, as the configuration declares it. Password hashes are in it: keep it to yourself.\n"
    "# Something is declared or registered, never both: delete what is registered before this is loaded.\n"
)


def export_command(config: Path | None, *, as_json: bool) -> None:
    """Prints YAML with notes as comments; as JSON the same section without them, and `notes` beside it."""
    with open_registered(config, as_json=as_json) as registering:
        exported = registering.read(export_accounts)
    if as_json:
        notes = {one.entry["name"]: list(one.notes) for one in exported if one.notes}
        print_json({"accounts": [one.entry for one in exported], "notes": notes})
    else:
        typer.echo(_HEAD + render_accounts(exported), nl=False)


def render_accounts(exported: list[ExportedAccount]) -> str:
    """The section, each account's notes above it."""
    if not exported:
        return "accounts: []\n"
    return "accounts:\n" + "".join(map(_render_one, exported))


def _render_one(one: ExportedAccount) -> str:
    notes = "".join(f"  # {plain(note)}\n" for note in one.notes)
    item = yaml.safe_dump([one.entry], sort_keys=False, allow_unicode=True, width=1000)
    return notes + "".join(f"  {line}\n" for line in item.splitlines())
