"""What a sender may do, as of now: the session's questions put to policy with the facts of the directory.

Decides nothing itself. Looks the login up at each question, so a frozen account or a removed address is refused
at the next one, however long the session has been open.
"""

from __future__ import annotations

from directmail_relay.accounts.directory import DirectoryHolder
from directmail_relay.mail.address import Address
from directmail_relay.policy import admission
from directmail_relay.policy.verdict import Verdict
from directmail_relay.submission.door import Sender


class DirectoryRules:
    """The rules by what is registered (`door.SenderRules`)."""

    def __init__(self, directory: DirectoryHolder) -> None:
        self._directory = directory

    def check_mail_from(self, sender: Sender, mail_from: Address | None, client_ip: str) -> Verdict:
        facts = self._directory.current.sender_facts(sender.login)
        return admission.check_mail_from(facts, mail_from, client_ip)

    def check_rcpt_to(self, sender: Sender, rcpt: Address) -> Verdict:  # noqa: ARG002 - every recipient is allowed alike
        return admission.check_rcpt_to(self._directory.current.sender_facts(sender.login))
