"""`doctor`: what stands between this machine and delivered mail. It looks, and changes nothing."""

from __future__ import annotations

from typing import Annotated

import typer

from directmail_relay.cli.options import AsJson, ConfigFile

Domain = Annotated[str | None, typer.Option(metavar="D", help="The DNS records of this sending domain alone.")]
Probe = Annotated[
    str | None,
    typer.Option(metavar="HOST:PORT", help="The mail host to try the way out with; else large receivers."),
]


def doctor(*, config: ConfigFile = None, domain: Domain = None, probe: Probe = None, as_json: AsJson = False) -> None:
    """Say what stands between this machine and delivered mail; exit 1 if something would lose mail."""
    from directmail_relay.cli.doctor.run import run_doctor

    raise typer.Exit(run_doctor(config, domain=domain, probe=probe, as_json=as_json))
