"""A Typer app of one command, for commands that are functions of the main app."""

from __future__ import annotations

from collections.abc import Callable

import typer


def as_app(command: Callable[..., None]) -> typer.Typer:
    app = typer.Typer()
    app.command()(command)
    return app
