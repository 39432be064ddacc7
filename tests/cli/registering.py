"""Runs the commands that register things, through the command line, with a configuration of their own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Self

import typer
from typer.testing import CliRunner, Result

from directmail_relay.database.engine import Database
from tests.accounts.registering import add_verified_domain


class Commands:
    """`run(app, "add", "shop")` with `-c FILE`; `asked` with --json as well, and gives the document."""

    def __init__(self, folder: Path, url: str, **sections: Any) -> None:
        self.file = folder / "config.yaml"
        self.file.write_text(json.dumps({"hostname": "mail.example.com", "database": {"url": url}, **sections}))

    @classmethod
    def beside(cls, file: Path) -> Self:
        """With a configuration that is there already, such as a running relay's."""
        made = cls.__new__(cls)
        made.file = file
        return made

    def run(self, app: typer.Typer, *words: str, stdin: str | None = None) -> Result:
        return CliRunner().invoke(app, [*words, "-c", str(self.file)], input=stdin)

    def said(self, app: typer.Typer, *words: str, stdin: str | None = None) -> str:
        """What people read, when all goes well."""
        result = self.run(app, *words, stdin=stdin)
        assert result.exit_code == 0, result.output
        assert result.stderr == ""
        return result.stdout

    def asked(self, app: typer.Typer, *words: str, stdin: str | None = None) -> Any:
        result = self.run(app, *words, "--json", stdin=stdin)
        assert result.exit_code == 0, result.output
        assert result.stderr == ""
        assert result.stdout.count("\n") == 1
        return json.loads(result.stdout)

    def refused(self, app: typer.Typer, *words: str, stdin: str | None = None) -> tuple[str, str]:
        """Code and sentence, which must be the same for people: one line on stderr."""
        result = self.run(app, *words, "--json", stdin=stdin)
        assert result.exit_code == 1, result.output
        assert result.stderr == ""
        error = json.loads(result.stdout)["error"]
        plain = self.run(app, *words, stdin=stdin)
        assert (plain.exit_code, plain.stdout) == (1, "")
        assert plain.stderr == f"directmail-relay: {error['message']}\n"
        return error["code"], error["message"]


def verify(database: Database, *names: str, account: str = "shop") -> None:
    """Domains of the account that may send, as if the DNS had said so."""
    for name in names:
        add_verified_domain(database, name, account)
