"""A self-hosted DirectMail: submission → queue → delivery, deciding with policy, speaking in mail."""

__version__ = "0.1.0"
