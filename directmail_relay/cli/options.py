"""The options that many commands share. Light: `--help` loads it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
OfAccount = Annotated[str, typer.Option("--account", metavar="NAME", help="Whose.")]
AnyAccount = Annotated[str | None, typer.Option("--account", metavar="NAME", help="Only this account's.")]
PasswordStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the SMTP password from standard input, its first line.")
]
