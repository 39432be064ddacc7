"""`check-config`: says what is wrong with a configuration, each with its YAML path, or sums it up.

It starts nothing and opens neither the database nor a port. No secret is ever printed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from directmail_relay.cli.output import print_json
from directmail_relay.config import (
    Config,
    ConfigError,
    Problem,
    find_config,
    find_doubts,
    load_config,
)

EXIT_OK = 0
EXIT_CONFIG = 78


def check_config(explicit: Path | None, *, as_json: bool = False) -> int:
    """Prints the findings about the file that `find_config` chooses; returns the exit code, 0 or 78."""
    try:
        path = find_config(explicit)
        config = load_config(path)
    except ConfigError as error:
        report_config_error(error, as_json=as_json)
        return EXIT_CONFIG
    warnings = find_doubts(config, path)
    if as_json:
        document = {"ok": True, "file": str(path), "summary": _summarise(config), "warnings": _as_values(warnings)}
        print_json(document)
    else:
        _print_summary(path, config, warnings)
    return EXIT_OK


def report_config_error(error: ConfigError, *, as_json: bool = False) -> None:
    """One problem a line on stderr; as JSON one document on stdout. Every command that reads the file ends so."""
    if not as_json:
        for problem in error.problems:
            typer.echo(str(problem), err=True)
        return
    body = {"code": "config", "message": str(error.problems[0]), "problems": _as_values(error.problems)}
    print_json({"error": body})


def _as_values(problems: list[Problem]) -> list[dict[str, str]]:
    return [{"path": problem.path, "message": problem.message} for problem in problems]


def _summarise(config: Config) -> dict[str, Any]:
    accounts = config.accounts
    return {
        "hostname": config.hostname,
        "node": config.node,
        "workers": config.workers or "auto",
        "database": config.database.shown,
        "listeners": [f"{one.endpoint} {one.tls}" for one in config.smtp.listeners],
        "http": str(config.http.listen),
        "routes": len(config.delivery.routes),
        "accounts": len(accounts),
        "domains": sum(len(account.domains) for account in accounts),
        "addresses": sum(len(account.addresses) for account in accounts),
    }


def _print_summary(path: Path, config: Config, warnings: list[Problem]) -> None:
    typer.echo(f"{path} is good")
    for key, value in _summarise(config).items():
        shown = ", ".join(value) if isinstance(value, list) else value
        typer.echo(f"  {key:<10} {shown}")
    for warning in warnings:
        typer.echo(f"warning: {warning}", err=True)
