"""`directmail-relay`, and `python -m directmail_relay`."""

from __future__ import annotations

from directmail_relay.cli.commands import app


def main() -> None:
    app()


if __name__ == "__main__":
    main()
