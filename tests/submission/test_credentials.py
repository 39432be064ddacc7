from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from threading import Event

import pytest
from argon2 import PasswordHasher

from directmail_relay.accounts.directory import Account, Directory, DirectoryHolder, Sender
from directmail_relay.accounts.passwords import Passwords
from directmail_relay.mail import replies
from directmail_relay.mail.message import Kind, Status
from directmail_relay.policy.allowlist import Allowlist, parse_entry
from directmail_relay.policy.verdict import Refuse
from directmail_relay.submission.credentials import Credentials, hash_password
from directmail_relay.submission.door import Authenticated, Authenticator, SenderRules
from directmail_relay.submission.limits import AuthLimits
from directmail_relay.submission.sender_rules import DirectoryRules

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
LOGIN, PASSWORD = "notice@example.com", "correct horse"
NOTICE = Sender(LOGIN, "shop", hash_password(PASSWORD, CHEAP))
DOMAIN = Sender("example.com", "shop", hash_password("domain password", CHEAP), Kind.BATCH, is_domain=True)
HOME, STRANGER = "192.0.2.7", "198.51.100.9"
WRONG = Refuse(replies.AUTH_FAILED, "auth_failed")
LATER = Refuse(replies.AUTH_RATE, "auth_rate")


class Counted(Passwords):
    """Real verification that counts, tells when it has `begun`, and waits for `go` when that is cleared."""

    def __init__(self) -> None:
        super().__init__(CHEAP)
        self.hashes: list[str] = []
        self.begun = asyncio.Semaphore(0)
        self.go = Event()
        self.go.set()
        self._loop = asyncio.get_running_loop()

    def verify(self, password_hash: str, password: bytes) -> bool:
        self.hashes.append(password_hash)
        self._loop.call_soon_threadsafe(self.begun.release)
        assert self.go.wait(10)
        return super().verify(password_hash, password)


@pytest.fixture
def holder() -> DirectoryHolder:
    return DirectoryHolder(Directory([Account("shop")], [NOTICE, DOMAIN]))


@pytest.fixture
async def passwords() -> Counted:
    return Counted()


@pytest.fixture
async def credentials(holder: DirectoryHolder, passwords: Counted) -> AsyncIterator[Credentials]:
    made = Credentials(holder, AuthLimits(20, lambda: 1000.0), passwords=passwords, threads=1)
    yield made
    passwords.go.set()
    made.close()


def test_the_session_can_take_them_as_its_parts(credentials: Credentials, holder: DirectoryHolder) -> None:
    authenticator: Authenticator = credentials
    rules: SenderRules = DirectoryRules(holder)
    assert callable(authenticator.authenticate)
    assert callable(rules.check_mail_from)


@pytest.mark.parametrize("login", [LOGIN, "Notice@Example.COM"])
async def test_the_right_password_is_let_in_whatever_the_letter_case_of_the_login(
    credentials: Credentials, login: str
) -> None:
    assert await credentials.authenticate(login, PASSWORD, HOME) == Authenticated(NOTICE)


async def test_a_domain_logs_in_with_its_domain_password(credentials: Credentials) -> None:
    assert await credentials.authenticate("Example.com", "domain password", HOME) == Authenticated(DOMAIN)


@pytest.mark.parametrize("password", ["", "wrong", PASSWORD.upper(), PASSWORD + " ", PASSWORD + "x" * 2000, "\ud800"])
async def test_any_other_password_is_wrong(credentials: Credentials, password: str) -> None:
    assert await credentials.authenticate(LOGIN, password, HOME) == WRONG


@pytest.mark.parametrize("login", ["nobody@example.com", "", "a" * 100_000, "\x00", "\ud800@example.com", "example"])
async def test_an_unknown_login_costs_as_much_as_a_wrong_password(
    credentials: Credentials, passwords: Counted, login: str
) -> None:
    assert await credentials.authenticate(login, PASSWORD, HOME) == WRONG
    assert passwords.hashes == [passwords.dummy_hash]
    assert await credentials.authenticate(LOGIN, "wrong", HOME) == WRONG
    assert passwords.hashes == [passwords.dummy_hash, NOTICE.password_hash]


async def test_an_over_long_password_costs_as_much_as_a_wrong_one(credentials: Credentials, passwords: Counted) -> None:
    assert await credentials.authenticate(LOGIN, "x" * 5000, HOME) == WRONG
    assert len(passwords.hashes) == 1


async def test_even_the_password_of_the_dummy_hash_lets_no_unknown_login_in(
    credentials: Credentials, passwords: Counted
) -> None:
    passwords.dummy_hash = hash_password("known", CHEAP)
    assert await credentials.authenticate("nobody@example.com", "known", HOME) == WRONG


async def test_a_right_login_is_verified_once_and_a_wrong_one_each_time(
    credentials: Credentials, passwords: Counted
) -> None:
    for _ in range(3):
        assert await credentials.authenticate(LOGIN, PASSWORD, HOME) == Authenticated(NOTICE)
    assert len(passwords.hashes) == 1
    for _ in range(3):
        assert await credentials.authenticate(LOGIN, "wrong", HOME) == WRONG
    assert len(passwords.hashes) == 4


async def test_many_sessions_of_one_login_at_once_are_verified_once(
    credentials: Credentials, passwords: Counted
) -> None:
    found = await asyncio.gather(*(credentials.authenticate(LOGIN, PASSWORD, HOME) for _ in range(50)))
    assert found == [Authenticated(NOTICE)] * 50
    assert len(passwords.hashes) == 1


async def test_the_old_password_is_wrong_as_soon_as_it_was_changed(
    credentials: Credentials, holder: DirectoryHolder
) -> None:
    await credentials.authenticate(LOGIN, PASSWORD, HOME)
    changed = replace(NOTICE, password_hash=hash_password("new password", CHEAP))
    holder.replace(Directory([Account("shop")], [changed]))
    assert await credentials.authenticate(LOGIN, PASSWORD, HOME) == WRONG
    assert await credentials.authenticate(LOGIN, "new password", HOME) == Authenticated(changed)


@pytest.mark.parametrize("after", [(), (replace(NOTICE, password_hash=hash_password("new", CHEAP)),)])
async def test_a_login_that_is_removed_or_changed_during_its_verification_is_not_let_in(
    credentials: Credentials, holder: DirectoryHolder, passwords: Counted, after: tuple[Sender, ...]
) -> None:
    passwords.go.clear()
    waiting = asyncio.create_task(credentials.authenticate(LOGIN, PASSWORD, HOME))
    await passwords.begun.acquire()
    holder.replace(Directory([Account("shop")], after))
    passwords.go.set()
    assert await waiting == WRONG


async def test_ip_protection_is_told_only_after_the_right_password(
    credentials: Credentials, holder: DirectoryHolder
) -> None:
    protected = Account("shop", allowlist=Allowlist(enabled=True, entries=(parse_entry(HOME),)))
    holder.replace(Directory([protected], [NOTICE]))
    assert await credentials.authenticate(LOGIN, "wrong", STRANGER) == WRONG
    for _ in range(2):  # the second time from the memory of verified logins
        refused = await credentials.authenticate(LOGIN, PASSWORD, STRANGER)
        assert isinstance(refused, Refuse)
        assert (refused.reply.code, refused.why) == (554, "ip_not_allowed")
        assert STRANGER in refused.reply.text
    assert await credentials.authenticate(LOGIN, PASSWORD, f"::ffff:{HOME}") == Authenticated(NOTICE)


async def test_a_frozen_account_logs_in_and_is_refused_at_mail(
    credentials: Credentials, holder: DirectoryHolder
) -> None:
    """So that the client is told 551, which says what is the matter, and not that its password is wrong."""
    holder.replace(Directory([Account("shop", Status.FROZEN)], [NOTICE]))
    assert await credentials.authenticate(LOGIN, PASSWORD, HOME) == Authenticated(NOTICE)


async def test_the_twenty_first_wrong_password_of_a_minute_is_not_even_looked_at(
    credentials: Credentials, passwords: Counted
) -> None:
    found = [await credentials.authenticate(f"user{n}@example.com", "guess", STRANGER) for n in range(25)]
    assert found == [WRONG] * 20 + [LATER] * 5
    assert len(passwords.hashes) == 20


async def test_a_login_that_was_right_before_passes_all_limits_even_at_the_address_of_the_guesser(
    credentials: Credentials,
) -> None:
    assert await credentials.authenticate(LOGIN, PASSWORD, HOME) == Authenticated(NOTICE)
    for _ in range(50):
        await credentials.authenticate(LOGIN, "guess", STRANGER)
    assert await credentials.authenticate(LOGIN, "guess", STRANGER) == LATER
    assert await credentials.authenticate(LOGIN, PASSWORD, STRANGER) == Authenticated(NOTICE)


async def test_strangers_do_not_lock_out_an_owner_who_was_never_here_before(credentials: Credentials) -> None:
    for _ in range(50):
        await credentials.authenticate(LOGIN, "guess", STRANGER)
    assert await credentials.authenticate(LOGIN, PASSWORD, HOME) == Authenticated(NOTICE)


async def test_a_swarm_does_not_keep_an_owner_from_logging_in_with_a_new_password_where_the_old_one_was_right(
    credentials: Credentials, holder: DirectoryHolder
) -> None:
    await credentials.authenticate(LOGIN, PASSWORD, HOME)
    changed = replace(NOTICE, password_hash=hash_password("new password", CHEAP))
    holder.replace(Directory([Account("shop")], [changed]))
    for n in range(100):
        await credentials.authenticate(LOGIN, "guess", f"198.51.100.{n}")
    assert await credentials.authenticate(LOGIN, "new password", "192.0.2.8") == LATER
    assert await credentials.authenticate(LOGIN, "new password", HOME) == Authenticated(changed)


async def test_who_is_over_the_limit_is_told_at_once_and_takes_no_place_in_the_line(
    credentials: Credentials, passwords: Counted
) -> None:
    for n in range(20):
        await credentials.authenticate(f"user{n}@example.com", "guess", STRANGER)
        await passwords.begun.acquire()
    passwords.go.clear()
    owner = asyncio.create_task(credentials.authenticate(LOGIN, PASSWORD, HOME))
    await passwords.begun.acquire()
    async with asyncio.timeout(5):
        assert await credentials.authenticate(LOGIN, "guess", STRANGER) == LATER
    passwords.go.set()
    assert await owner == Authenticated(NOTICE)


async def test_limits_do_not_tell_which_logins_exist(holder: DirectoryHolder) -> None:
    async def answers(login: str) -> list[object]:
        credentials = Credentials(holder, AuthLimits(20, lambda: 1000.0), passwords=Passwords(CHEAP), threads=1)
        sources = [f"198.51.100.{n % 30}" for n in range(60)]
        found: list[object] = [await credentials.authenticate(login, "guess", source) for source in sources]
        credentials.close()
        return found

    assert await answers(LOGIN) == await answers("nobody@example.com")


async def test_a_storm_of_guesses_keeps_no_one_else_waiting(holder: DirectoryHolder, passwords: Counted) -> None:
    """One thread, a line of guesses, and then others: they are verified in turn, and the guesses run out."""
    senders = [replace(NOTICE, login=f"user{n}@example.com") for n in range(50)]
    holder.replace(Directory([Account("shop")], senders))
    credentials = Credentials(holder, AuthLimits(20, lambda: 1000.0), passwords=passwords, threads=1)
    passwords.go.clear()
    storm = [
        asyncio.create_task(credentials.authenticate(f"user{n % 50}@example.com", "guess", STRANGER))
        for n in range(500)
    ]
    await passwords.begun.acquire()
    good = [asyncio.create_task(credentials.authenticate(sender.login, PASSWORD, HOME)) for sender in senders]
    await asyncio.sleep(0)
    passwords.go.set()
    assert await asyncio.gather(*good) == [Authenticated(sender) for sender in senders]
    found = await asyncio.gather(*storm)
    assert (found.count(WRONG), found.count(LATER)) == (20, 480)
    assert len(passwords.hashes) == 20 + 50
    credentials.close()


async def test_a_client_that_leaves_spares_itself_neither_the_count_nor_the_place(
    credentials: Credentials, passwords: Counted
) -> None:
    for n in range(20):
        passwords.go.clear()
        guess = asyncio.create_task(credentials.authenticate(f"user{n}@example.com", "guess", STRANGER))
        await passwords.begun.acquire()
        guess.cancel()
        with pytest.raises(asyncio.CancelledError):
            await guess
        assert credentials._turns._free == 0
        passwords.go.set()
        await asyncio.gather(*credentials._running)
    assert credentials._turns._free == 1
    assert await credentials.authenticate("user@example.com", "guess", STRANGER) == LATER


async def test_a_broken_stored_hash_is_an_error_and_frees_its_place(
    credentials: Credentials, holder: DirectoryHolder
) -> None:
    holder.replace(Directory([Account("shop")], [NOTICE, Sender("broken@example.com", "shop", "no hash")]))
    with pytest.raises(ValueError, match="stored password hash"):
        await credentials.authenticate("broken@example.com", PASSWORD, HOME)
    assert await credentials.authenticate(LOGIN, PASSWORD, HOME) == Authenticated(NOTICE)


async def test_what_was_registered_a_moment_ago_is_looked_for_before_a_password_is_called_wrong(
    holder: DirectoryHolder, passwords: Counted
) -> None:
    looks = 0

    async def look() -> None:
        nonlocal looks
        looks += 1
        holder.replace(Directory([Account("shop")], [NOTICE, DOMAIN]))

    holder.replace(Directory())
    credentials = Credentials(holder, AuthLimits(2, lambda: 1000.0), passwords=passwords, threads=1, look=look)
    assert await credentials.authenticate(LOGIN, PASSWORD, HOME) == Authenticated(NOTICE)
    assert await credentials.authenticate(LOGIN, PASSWORD, HOME) == Authenticated(NOTICE)
    assert looks == 1  # who was verified before is asked nothing
    # For known and unknown logins alike, lest the time tell which exist; and not for who may not try any more.
    for login in (LOGIN, "nobody@example.com", "nobody@example.com"):
        await credentials.authenticate(login, "wrong", HOME)
    assert looks == 3
    credentials.close()
