"""`ip list|add|remove|on|off`: the client addresses from which an account may send (IP 防护)."""

from __future__ import annotations

from typing import Annotated

import typer

from directmail_relay.cli.options import AsJson, ConfigFile, OfAccount

ip_app = typer.Typer(help="IP protection of an account: list, add, remove; on and off.", no_args_is_help=True)

Entry = Annotated[str, typer.Argument(metavar="ENTRY", help="192.0.2.1, 192.0.2.10-192.0.2.20 or 192.0.2.0/24.")]

_COLUMNS = ("entry", "created_at")


@ip_app.command("list")
def list_all(*, account: OfAccount, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Show the list, and whether it counts."""
    from directmail_relay.accounts.accounts import show_account
    from directmail_relay.accounts.ip_protection import list_entries
    from directmail_relay.cli.output import pick, print_json, print_table
    from directmail_relay.cli.registering import open_registered

    with open_registered(config, as_json=as_json) as registering:
        documents = registering.read(list_entries, account)
        is_on = registering.read(show_account, account)["ip_protection"]
    if as_json:
        print_json(documents)
        return
    typer.echo(f"IP protection of {account} is {'on' if is_on else 'off'}, {len(documents)} of 10 entries")
    if documents:
        print_table(_COLUMNS, pick(documents, _COLUMNS))


@ip_app.command()
def add(*, entry: Entry, account: OfAccount, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Let clients at these addresses send while the protection is on; ten entries at most."""
    from directmail_relay.accounts.ip_protection import add_entry
    from directmail_relay.cli.registering import open_registering, say_done

    with open_registering(config, as_json=as_json) as registering:
        allow_private = registering.config.ip_protection.allow_private
        document = registering.write(add_entry, account, _check(entry), allow_private=allow_private)
    say_done(document, f"{document['entry']} added to the list of {account}", as_json=as_json)


@ip_app.command()
def remove(*, entry: Entry, account: OfAccount, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Take an entry out of the list."""
    from directmail_relay.accounts.ip_protection import remove_entry
    from directmail_relay.cli.registering import open_registering, say_done

    with open_registering(config, as_json=as_json) as registering:
        registering.write(remove_entry, account, _check(entry))
    document = {"entry": entry, "account": account, "deleted": True}
    say_done(document, f"{entry} removed from the list of {account}", as_json=as_json)


@ip_app.command()
def on(*, account: OfAccount, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Let only listed addresses send; open sessions follow at their next MAIL."""
    from directmail_relay.accounts.ip_protection import turn_on
    from directmail_relay.cli.registering import open_registering, say_done

    with open_registering(config, as_json=as_json) as registering:
        registering.write(turn_on, account)
    say_done({"account": account, "ip_protection": True}, f"IP protection of {account} is on", as_json=as_json)


@ip_app.command()
def off(*, account: OfAccount, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Let every address send; the list stays."""
    from directmail_relay.accounts.ip_protection import turn_off
    from directmail_relay.cli.registering import open_registering, say_done

    with open_registering(config, as_json=as_json) as registering:
        registering.write(turn_off, account)
    say_done({"account": account, "ip_protection": False}, f"IP protection of {account} is off", as_json=as_json)


def _check(entry: str) -> str:
    """The entry as typed. RefusedError, which says what to write, when it is none."""
    from directmail_relay.cli.opening import RefusedError
    from directmail_relay.policy.allowlist import parse_entry

    try:
        parse_entry(entry)
    except ValueError as error:
        raise RefusedError(f"{error}: write one address, a range a-b, or a CIDR block", "bad_entry") from None
    return entry
