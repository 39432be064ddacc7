"""`queue list|show|stats|retry|hold|release|drop`: what they take. What they do is in queue_work, loaded when it runs.

Values arrive as text and are read there, so that a bad one ends with exit code 1 and a sentence.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

queue_app = typer.Typer(
    help="What waits, and what became of it: list, show, stats; retry, hold, release, drop.", no_args_is_help=True
)

ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "-c",
        "--config",
        metavar="FILE",
        help="The configuration file; else $DIRECTMAIL_RELAY_CONFIG, ./config.yaml, /etc/directmail-relay/config.yaml.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
What = Annotated[
    str | None, typer.Argument(metavar="[WHAT]", help="An env_id, an address or a destination, by its form.")
]
EnvId = Annotated[str | None, typer.Option(metavar="NUMBER", help="The recipients of this message.")]
Rcpt = Annotated[str | None, typer.Option(metavar="ADDRESS", help="This recipient.")]
Destination = Annotated[str | None, typer.Option(metavar="DOMAIN", help="The recipients at this domain.")]
Account = Annotated[str | None, typer.Option(metavar="NAME", help="The recipients of this account's mail.")]
State = Annotated[str | None, typer.Option(metavar="STATE", help="queued, delivering or held.")]
Limit = Annotated[
    str | None,
    typer.Option(metavar="N", help="At most so many; the tables of list and stats stop at 100 and 50 by themselves."),
]
All = Annotated[bool, typer.Option("--all", help="Everything that is open; needed when nothing narrows the order.")]


@queue_app.command("list")
def list_queue(  # noqa: PLR0913 - one for each option
    *,
    what: What = None,
    env_id: EnvId = None,
    rcpt: Rcpt = None,
    destination: Destination = None,
    account: Account = None,
    state: State = None,
    limit: Limit = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Show the open recipients, the oldest message first."""
    from directmail_relay.cli.queue_work import list_open
    from directmail_relay.cli.selecting import Words

    list_open(Words(what, env_id, rcpt, destination, account, state, limit), config, as_json=as_json)


@queue_app.command()
def show(
    *,
    number: Annotated[str | None, typer.Argument(metavar="[ENV_ID]")] = None,
    env_id: EnvId = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Show one message with each recipient and each attempt, also for a while after its end."""
    from directmail_relay.cli.queue_work import show_one
    from directmail_relay.cli.selecting import Words

    if number is None and env_id is None:
        raise typer.BadParameter("which message? queue show ENV_ID")
    show_one(Words(number, env_id), config, as_json=as_json)


@queue_app.command()
def stats(*, limit: Limit = None, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Count the open recipients by state and by destination."""
    from directmail_relay.cli.queue_work import show_stats
    from directmail_relay.cli.selecting import Words

    show_stats(Words(limit=limit), config, as_json=as_json)


ORDERS = {
    "retry": "Try what waits again now, however long it was to wait.",
    "hold": "Keep what waits from being tried until it is released.",
    "release": "Let what is held go again, at once.",
    "drop": "Give up: each recipient ends as failed, and its sender is told.",
}


def _command_for(order: str) -> Callable[..., None]:
    def command(  # noqa: PLR0913 - one for each option
        *,
        what: What = None,
        env_id: EnvId = None,
        rcpt: Rcpt = None,
        destination: Destination = None,
        account: Account = None,
        state: State = None,
        limit: Limit = None,
        everything: All = False,
        config: ConfigFile = None,
        as_json: AsJson = False,
    ) -> None:
        from directmail_relay.cli.queue_work import carry_out_order
        from directmail_relay.cli.selecting import Words

        words = Words(what, env_id, rcpt, destination, account, state, limit, everything=everything)
        carry_out_order(order, words, config, as_json=as_json)

    return command


for _order, _help in ORDERS.items():
    queue_app.command(_order, help=_help)(_command_for(_order))
