"""Whether a login and its password are right: verified in a few threads, in fair turns, within the guessing limits.

An unknown login goes exactly the way of a wrong password and costs the same, so no answer and no delay tells which
addresses exist. No password is kept or logged. Nothing here blocks the event loop.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from directmail_relay.accounts.directory import DirectoryHolder
from directmail_relay.accounts.passwords import Passwords, hash_password
from directmail_relay.mail import replies
from directmail_relay.policy.admission import check_client_ip, normalize_login
from directmail_relay.policy.verdict import Refuse
from directmail_relay.submission.door import Authenticated
from directmail_relay.submission.limits import AuthLimits, client_group
from directmail_relay.submission.turns import FairTurns, LineFullError
from directmail_relay.submission.verified import VerifiedLogins

__all__ = ["Credentials", "hash_password"]

# At some 40 verifications a second and core, the last in a full line waits for less than common clients do (30 s).
_MAX_WAITING = 1024
# More than `smtp.max_connections_per_ip`, so that an application that reconnects with all it has is not turned away.
_MAX_WAITING_PER_CLIENT = 256

Look = Callable[[], Awaitable[None]]
"""Brings the directory up to date with what was registered elsewhere; never raises."""

_WRONG = Refuse(replies.AUTH_FAILED, "auth_failed")
_LATER = Refuse(replies.AUTH_RATE, "auth_rate")


@dataclass(frozen=True, slots=True)
class _Attempt:
    login: str
    client: str
    password: bytes = field(repr=False)
    password_hash: str = field(repr=False)
    proof: bytes = field(repr=False)


class Credentials:
    """Authenticates clients against the directory of the moment. Belongs to one event loop; `close` ends its threads.

    `threads` verify at once, one a core unless told otherwise: each takes a core and 19 MiB for some 20 ms.
    `look` is awaited before each verification, so that what was registered a moment ago is known.
    """

    def __init__(
        self,
        directory: DirectoryHolder,
        limits: AuthLimits,
        *,
        passwords: Passwords | None = None,
        verified: VerifiedLogins | None = None,
        threads: int | None = None,
        look: Look | None = None,
    ) -> None:
        self._directory = directory
        self._limits = limits
        self._passwords = passwords or Passwords()
        self._verified = verified or VerifiedLogins()
        places = threads or os.cpu_count() or 1
        self._look = look
        self._pool = ThreadPoolExecutor(places, thread_name_prefix="passwords")
        self._turns = FairTurns(places, max_waiting=_MAX_WAITING, max_waiting_per_client=_MAX_WAITING_PER_CLIENT)
        self._running: set[asyncio.Task[Refuse | None]] = set()

    async def authenticate(self, login: str, password: str, client_ip: str) -> Authenticated | Refuse:
        """535 for a wrong password or an unknown login, 454 beyond the limits, 554 by IP protection.

        The last only after the right password. The account's status is not asked here but at each MAIL.
        A login that was verified before and is still right waits for nothing and passes all limits.
        """
        attempt = self._describe(login, password, client_ip)
        if attempt.proof not in self._verified:
            if not self._limits.allows(attempt.client, attempt.login):
                return _LATER
            if self._look is not None:  # for known and unknown logins alike, so that its time tells nothing
                await self._look()
                attempt = self._describe(login, password, client_ip)
            refusal = await self._verify_in_turn(attempt)
            if refusal is not None:
                return refusal
        return self._admit(attempt, client_ip)

    def close(self) -> None:
        """Takes no more work; what is being verified goes on to its end, 20 ms from now."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _describe(self, login: str, password: str, client_ip: str) -> _Attempt:
        name = normalize_login(login)
        sender = self._directory.current.find_login(name)
        secret = password.encode("utf-8", "surrogatepass")
        stored = self._passwords.dummy_hash if sender is None else sender.password_hash
        return _Attempt(
            login=name,
            client=client_group(client_ip),
            password=secret,
            password_hash=stored,
            proof=self._verified.prove(name, secret, stored),
        )

    async def _verify_in_turn(self, attempt: _Attempt) -> Refuse | None:
        try:
            await self._turns.wait(attempt.client)
        except LineFullError:
            return _LATER
        # A task of its own: a client that leaves now must neither free the place while the thread still works
        # nor spare itself the wrong password. No await may come between `wait` and here.
        task = asyncio.create_task(self._verify(attempt))
        self._running.add(task)
        task.add_done_callback(self._finish)
        return await asyncio.shield(task)

    def _finish(self, task: asyncio.Task[Refuse | None]) -> None:
        self._running.discard(task)
        self._turns.leave()

    async def _verify(self, attempt: _Attempt) -> Refuse | None:
        # While it waited, another session of the same login may have been verified, or others have failed.
        if attempt.proof in self._verified:
            return None
        if not self._limits.allows(attempt.client, attempt.login):
            return _LATER
        loop = asyncio.get_running_loop()
        verify = self._passwords.verify
        right = await loop.run_in_executor(self._pool, verify, attempt.password_hash, attempt.password)
        if not right:
            self._limits.count_wrong(attempt.client, attempt.login)
            return _WRONG
        self._limits.count_right(attempt.client, attempt.login)
        self._verified.add(attempt.proof)
        return None

    def _admit(self, attempt: _Attempt, client_ip: str) -> Authenticated | Refuse:
        directory = self._directory.current
        sender = directory.find_login(attempt.login)
        # The directory may have been replaced during the verification: what holds now decides.
        if sender is None or sender.password_hash != attempt.password_hash:
            return _WRONG
        protection = check_client_ip(directory.account_of(sender).allowlist, client_ip)
        return protection if isinstance(protection, Refuse) else Authenticated(sender)
