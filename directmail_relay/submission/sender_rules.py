"""What a sender may do, as of now: the session's questions put to policy with the facts of the directory.

Decides nothing itself. Looks the login up at each question, so a frozen account or a removed address is refused
at the next one, however long the session has been open.
"""

from __future__ import annotations

from typing import Protocol

from directmail_relay.accounts.directory import DirectoryHolder
from directmail_relay.accounts.directory import Sender as DirectorySender
from directmail_relay.accounts.listed import Listed
from directmail_relay.mail.address import Address
from directmail_relay.policy import admission
from directmail_relay.policy.admission import SenderFacts
from directmail_relay.policy.verdict import Accept, Refuse, Verdict
from directmail_relay.submission.door import Sender


class ListsRecipients(Protocol):
    """Knows whom an account does not write to."""

    async def find(self, account: str, rcpt: Address) -> Listed | None: ...


class DirectoryRules:
    """The rules by what is registered (`door.SenderRules`). Without `listed` no recipient is."""

    def __init__(self, directory: DirectoryHolder, listed: ListsRecipients | None = None) -> None:
        self._directory = directory
        self._listed = listed

    def check_mail_from(self, sender: Sender, mail_from: Address | None, client_ip: str) -> Verdict:
        facts = self._facts(sender, mail_from)
        return admission.check_mail_from(facts, mail_from, client_ip)

    def _facts(self, sender: Sender, mail_from: Address | None) -> SenderFacts | None:
        """None unless the login is still the one that logged in: of the same account, with the same password.

        An address may be deleted, and made anew by somebody else, while a session is open; and whoever logged in with
        a password that was changed since has no business here any more.
        """
        directory = self._directory.current
        now = directory.find_login(sender.login)
        if now is None or now.account != sender.account:
            return None
        if isinstance(sender, DirectorySender) and now.password_hash != sender.password_hash:
            return None
        return directory.sender_facts(sender.login, mail_from)

    async def check_rcpt_to(self, sender: Sender, rcpt: Address) -> Verdict:
        verdict = admission.check_rcpt_to(self._facts(sender, None))
        if isinstance(verdict, Refuse) or self._listed is None:
            return verdict
        found = await self._listed.find(sender.account, rcpt)
        return Accept() if found is None else admission.refuse_listed(found.value)
