"""What the queue commands do: read and print, or carry an order out bite by bite. The relay may run meanwhile."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import typer

from directmail_relay.cli.opening import RefusedError, open_database
from directmail_relay.cli.output import pick, print_facts, print_json, print_table
from directmail_relay.cli.selecting import Words, parse_env_id, parse_limit, parse_selection
from directmail_relay.database.engine import Database
from directmail_relay.queue.inspect import count_states, list_destinations, list_recipients, show_message
from directmail_relay.queue.orders import BITE, Order, Progress, carry_out
from directmail_relay.queue.selection import Selection, read_keys

LIST_LIMIT = 100
DESTINATIONS_LIMIT = 50

_LIST = ("env_id", "rcpt", "account", "state", "attempts", "due_at", "age_seconds")
_DESTINATION = ("destination", "queued", "delivering", "held", "oldest_seconds", "sessions", "paused_until")
_MESSAGE = ("env_id", "account", "mail_from", "message_id", "size", "recv_time", "tag")
_RECIPIENT = ("rcpt", "state", "status", "due_at", "ended_at")
_ATTEMPT = ("at", "mx_host", "mx_ip", "stage", "code", "enhanced", "text", "category", "tls")


def list_open(words: Words, config: Path | None, *, as_json: bool) -> None:
    with open_database(config, as_json=as_json) as database:
        selection, limit = parse_selection(words), parse_limit(words, None if as_json else LIST_LIMIT)
        found = database.read_now(list_recipients, selection, time.time(), limit)
    if as_json:
        print_json(found)
        return
    if not found:
        typer.echo("nothing is open" if selection.is_everything else "nothing that is open matches")
        return
    print_table(_LIST, pick(found, _LIST))
    if len(found) == limit:
        typer.echo(f"these are the first {limit}; --limit N shows more", err=True)


def show_one(words: Words, config: Path | None, *, as_json: bool) -> None:
    with open_database(config, as_json=as_json) as database:
        env_id = parse_env_id(words.what if words.env_id is None else words.env_id)
        message = _find_message(database, env_id)
    if as_json:
        print_json(message)
        return
    print_facts({key: message[key] for key in _MESSAGE})
    for recipient in message["recipients"]:
        typer.echo()
        print_facts({key: recipient[key] for key in _RECIPIENT if recipient[key] is not None})
        if recipient["attempts"]:
            print_table(_ATTEMPT, pick(recipient["attempts"], _ATTEMPT))


def show_stats(words: Words, config: Path | None, *, as_json: bool) -> None:
    with open_database(config, as_json=as_json) as database:
        limit = parse_limit(words, None if as_json else DESTINATIONS_LIMIT)
        states = database.read_now(count_states)
        destinations = database.read_now(list_destinations, time.time(), limit)
    if as_json:
        print_json({"recipients": states, "destinations": destinations})
        return
    print_facts(states)
    if destinations:
        typer.echo()
        print_table(_DESTINATION, pick(destinations, _DESTINATION))
        if len(destinations) == limit:
            typer.echo(f"these are the {limit} fullest; --limit N shows more", err=True)


def carry_out_order(order: str, words: Words, config: Path | None, *, as_json: bool) -> None:
    with open_database(config, as_json=as_json) as database:
        selection, limit = parse_selection(words), parse_limit(words, None)
        _check_is_meant(order, selection, everything=words.everything)
        if selection.env_id is not None:
            _find_message(database, selection.env_id)
        progress = _carry_out(database, Order(order), selection, limit)
    if as_json:
        print_json({"changed": progress.changed, "marked": progress.marked})
    else:
        typer.echo(_describe(progress))


def _describe(progress: Progress) -> str:
    if not (progress.changed or progress.marked):
        return "changed 0: nothing that is open matches, or it is so already"
    marked = f", marked {progress.marked}: being delivered now, their worker will obey" if progress.marked else ""
    return f"changed {progress.changed}{marked}"


def _check_is_meant(order: str, selection: Selection, *, everything: bool) -> None:
    if selection.is_everything and not everything:
        raise typer.BadParameter(f"{order} what? Name an env_id, an address or a domain, or say --all")
    if everything and not selection.is_everything:
        raise RefusedError(f"--all and a selection contradict each other: {order} which of the two?")


def _carry_out(database: Database, order: Order, selection: Selection, limit: int | None) -> Progress:
    keys = database.read_now(read_keys, selection)[:limit]
    changed = marked = 0
    for start in range(0, len(keys), BITE):
        bite = database.write_now(carry_out, order, keys[start : start + BITE], time.time())
        changed, marked = changed + bite.changed, marked + bite.marked
    return Progress(changed, marked)


def _find_message(database: Database, env_id: int) -> dict[str, Any]:
    message = database.read_now(show_message, env_id)
    if message is None:
        raise RefusedError(f"there is no message {env_id}, or no longer", "not_found")
    return message
