"""`demo`: the relay as `serve` runs it, a sandbox of hosts around it, and what happens between them, shown to a person.

Everything lives in a temporary directory and on loopback, and is gone at the end. Nothing shown is made up: each line
was said on a socket or read from the queue, and whatever is not as promised ends the demo with exit code 1.
"""

from __future__ import annotations

from directmail_relay.cli.demo.run import run_demo

__all__ = ["run_demo"]
