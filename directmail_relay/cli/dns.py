"""`dns DOMAIN [--zone]`: the records that a domain must publish, each with what is found now."""

from __future__ import annotations

from typing import Annotated

import typer

from directmail_relay.cli.options import AsJson, ConfigFile


def dns(
    *,
    domain: Annotated[str, typer.Argument(metavar="DOMAIN", help="A sending domain.")],
    zone: Annotated[bool, typer.Option("--zone", help="As lines of a zone file; nobody is asked.")] = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Show the DNS records of a domain: what is expected, what is found, the verdict."""
    from directmail_relay.cli.domain_dns_work import print_zone, show_records

    if zone and not as_json:
        print_zone(domain, config)
    else:
        show_records(domain, config, as_json=as_json)
