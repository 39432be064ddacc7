"""What the address commands do. Passwords are hashed before the transaction begins, which others would wait for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from directmail_relay.accounts.addresses import (
    NewAddress,
    add_address,
    delete_address,
    freeze_address,
    list_addresses,
    parse_sending_address,
    read_password_hash,
    set_address_password,
    unfreeze_address,
)
from directmail_relay.accounts.password_rule import prepare_password
from directmail_relay.cli.opening import RefusedError
from directmail_relay.cli.output import pick, print_json, print_table
from directmail_relay.cli.registering import open_registered, open_registering, read_password, say_done
from directmail_relay.cli.reply_to import set_and_verify
from directmail_relay.mail.message import Kind

_COLUMNS = ("address", "account", "type", "has_password", "frozen", "reply_to", "reply_to_verified", "declared")


def add_one(address: str, kind: str, *, password_stdin: bool, config: Path | None, as_json: bool) -> None:
    with open_registering(config, as_json=as_json) as registering:
        name, of_kind = parse_sending_address(address), _parse_kind(kind)
        password_hash = prepare_password(read_password()) if password_stdin else None
        new = NewAddress(name, of_kind, password_hash)
        document = registering.write(add_address, new, grace=registering.config.domains.grace)
    without = "" if password_stdin else f"; it cannot log in yet: address password {name} --password-stdin"
    say_done(document, f"address {name} added to {document['account']}{without}", as_json=as_json)


def list_all(account: str | None, config: Path | None, *, as_json: bool) -> None:
    with open_registered(config, as_json=as_json) as registering:
        documents = registering.read(list_addresses, account)
    if as_json:
        print_json(documents)
    elif not documents:
        typer.echo("there are no sending addresses yet: address add ADDRESS --type trigger")
    else:
        print_table(_COLUMNS, pick(map(_for_people, documents), _COLUMNS))


def set_password(address: str, config: Path | None, *, as_json: bool) -> None:
    with open_registering(config, as_json=as_json) as registering:
        password = read_password()
        previous = registering.read(read_password_hash, address)
        document = registering.write(set_address_password, address, prepare_password(password, previous))
    say_done(document, f"the password of {document['address']} is set", as_json=as_json)


def set_mailbox(address: str, mailbox: str, config: Path | None, *, as_json: bool) -> None:
    with open_registering(config, as_json=as_json) as registering:
        document = set_and_verify(registering.database, registering.config, registering.change, address, mailbox)
    if document["reply_to_verified"]:
        state = "is verified"
    else:
        state = f"has until {document['expires_at']} to follow the link in message {document['env_id']}"
    sentence = f"answers to {document['address']} go to {document['reply_to']}, which {state}"
    say_done(document, sentence, as_json=as_json)


_ORDERS = {
    "freeze": (freeze_address, "frozen"),
    "unfreeze": (unfreeze_address, "unfrozen"),
}


def carry_out_order(order: str, address: str, config: Path | None, *, as_json: bool) -> None:
    with open_registering(config, as_json=as_json) as registering:
        if order == "delete":
            registering.write(delete_address, address)
            name, done = parse_sending_address(address), "deleted"
            document: dict[str, Any] = {"address": name, "deleted": True}
        else:
            act, done = _ORDERS[order]
            document = registering.write(act, address)
            name = document["address"]
    say_done(document, f"address {name} {done}", as_json=as_json)


def _parse_kind(text: str) -> Kind:
    if text not in set(Kind):
        raise RefusedError(f"--type is one of {', '.join(Kind)}, not {text}")
    return Kind(text)


def _for_people(document: dict[str, Any]) -> dict[str, Any]:
    words = {True: "yes", False: "no"}
    return {key: words[value] if isinstance(value, bool) else value for key, value in document.items()}
