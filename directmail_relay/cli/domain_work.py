"""What the domain commands do with the database: add, list, show, rotate, set a password, delete."""

from __future__ import annotations

import asyncio
from pathlib import Path

import typer

from directmail_relay.accounts.addresses import set_domain_password
from directmail_relay.accounts.dkim_keys import make_private_key, rotate_key
from directmail_relay.accounts.domains import (
    NewKey,
    add_domain,
    delete_domain,
    find_own_domain,
    list_domains,
    show_domain,
)
from directmail_relay.accounts.password_rule import prepare_password
from directmail_relay.cli.domain_dns_work import (
    check_automatic,
    load_cipher,
    print_written,
    publish_records,
    warn_of_mailboxes,
    word_for,
)
from directmail_relay.cli.output import print_facts, print_json, print_table
from directmail_relay.cli.registering import open_registered, open_registering, read_password, say_done

_FACTS = ("name", "account", "main_domain", "declared", "checked_at", "verified_at", "broken_since", "created_at")
_KEY = ("selector", "state", "created_at", "active_since", "retired_at")


def add_one(name: str, account: str, config: Path | None, *, automatic: bool | None, as_json: bool) -> None:
    with open_registering(config, as_json=as_json) as desk:
        check_automatic(desk.config, name, automatic=automatic)
        key = NewKey(make_private_key(load_cipher(desk.config)), desk.config.domains.dkim_selector)
        added = desk.write(add_domain, name, account, key)
        warnings = asyncio.run(warn_of_mailboxes(desk, added["name"]))
        written = publish_records(desk, added["name"], automatic=automatic)
    if as_json:
        documents = {"automatic": [one.as_document() for one in written]} if written is not None else {}
        print_json({**added, "warnings": warnings, **documents})
        return
    for warning in warnings:
        typer.echo(f"warning: {warning}", err=True)
    typer.echo(f"{added['name']} is registered for {account}")
    if written is not None:
        print_written(written)
    typer.echo(f"next: publish what dns {added['name']} shows, then domain verify {added['name']}")


def list_some(account: str | None, config: Path | None, *, as_json: bool) -> None:
    with open_registered(config, as_json=as_json) as desk:
        found = desk.read(list_domains, account)
    if as_json:
        print_json(found)
    elif found:
        columns = ("name", "account", "status", "状态", "checked_at", "broken_since")
        print_table(columns, [[word_for(one) if key == "状态" else one[key] for key in columns] for one in found])
    else:
        typer.echo("there is no domain yet: domain add NAME --account ACCOUNT")


def show_one(name: str, config: Path | None, *, as_json: bool) -> None:
    with open_registered(config, as_json=as_json) as desk:
        found = desk.read(show_domain, name)
    if as_json:
        print_json(found)
        return
    print_facts({"status": f"{found['status']} {word_for(found)}", **{key: found[key] for key in _FACTS}})
    if found["dkim"]:
        typer.echo()
        print_table(_KEY, [[key[column] for column in _KEY] for key in found["dkim"]])


def rotate_one(name: str, config: Path | None, *, automatic: bool | None, as_json: bool) -> None:
    with open_registering(config, as_json=as_json) as desk:
        check_automatic(desk.config, name, automatic=automatic)
        row = desk.read(find_own_domain, name)
        private_key = make_private_key(load_cipher(desk.config))
        lifetime = desk.config.delivery.retry.lifetime
        selector = desk.write(rotate_key, row.name, private_key, desk.config.domains.dkim_selector, lifetime)
        written = publish_records(desk, row.name, automatic=automatic)
    if as_json:
        documents = {"automatic": [one.as_document() for one in written]} if written is not None else {}
        print_json({"name": row.name, "selector": selector, **documents})
        return
    if written is not None:
        print_written(written)
    typer.echo(f"{row.name} has the new key {selector}: it signs once its record is seen; until then the old one does")
    typer.echo(f"next: publish what dns {row.name} shows, then domain verify {row.name}")


def set_password(name: str, config: Path | None, *, as_json: bool) -> None:
    with open_registering(config, as_json=as_json) as desk:
        row = desk.read(find_own_domain, name)
        password_hash = prepare_password(read_password(), row.password_hash)
        desk.write(set_domain_password, row.name, password_hash)
    say_done({"name": row.name}, f"{row.name} may log in with its new password", as_json=as_json)


def delete_one(name: str, config: Path | None, *, as_json: bool) -> None:
    with open_registering(config, as_json=as_json) as desk:
        row = desk.read(find_own_domain, name)
        desk.write(delete_domain, row.name)
    say_done({"name": row.name}, f"{row.name} is deleted; its DNS records may be removed", as_json=as_json)
