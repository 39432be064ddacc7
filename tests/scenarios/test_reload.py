"""SIGHUP: a good file is taken over at once, a bad one is refused and the old one stays."""

from __future__ import annotations

import copy
import signal

import pytest

from tests.fakes.relay_process import ACCOUNT, make_config, route_to, submit
from tests.scenarios.conftest import StartRelay

NEW_ACCOUNT = {
    "name": "new",
    "domains": [{"name": "new.test", "verified": True}],
    "addresses": [{"address": "a@new.test", "password": "fresh"}],
}


@pytest.mark.parametrize("workers", [1, 2])
async def test_accounts_passwords_and_states_change_with_sighup(start_relay: StartRelay, workers: int) -> None:
    relay = await start_relay(make_config(workers=workers, delivery=route_to(1)))
    sessions = [await relay.connect() for _ in range(4 * workers)]
    assert await sessions[0].ask("MAIL FROM:<test@test.com>") == b"250 Mail Ok\r\n"

    changed = copy.deepcopy(ACCOUNT)
    changed["addresses"][0]["password"] = "changed"
    relay.config["accounts"] = [changed, NEW_ACCOUNT]
    relay.write_config()
    relay.signal(signal.SIGHUP)
    await relay.log("config_taken_over", count=workers)

    for _ in range(2 * workers):  # whichever worker takes it
        await relay.connect("a@new.test", "fresh")
        await relay.connect("test@test.com", "changed")
        client = await relay.connect_unknown()
        assert await relay.log_in(client, "test@test.com", "test") == b"535 Authentication failure.\r\n"
    # A changed password is changed for those, too, who had logged in with the old one.
    for session in sessions[1:]:
        assert await session.ask("MAIL FROM:<test@test.com>") == b"551 Main account unavailable\r\n"
    sessions = [await relay.connect("test@test.com", "changed") for _ in range(4 * workers)]
    assert (await submit(sessions[0], "b@rcpt.test")).startswith(b"250 ")

    relay.config["accounts"][0]["status"] = "frozen"
    relay.write_config()
    relay.signal(signal.SIGHUP)
    await relay.log("config_taken_over", count=2 * workers)
    for session in sessions:
        assert await session.ask("MAIL FROM:<test@test.com>") == b"551 Main account unavailable\r\n"


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_bad_file_is_refused_and_the_old_one_stays(start_relay: StartRelay, workers: int) -> None:
    relay = await start_relay(make_config(workers=workers, delivery=route_to(1)))
    good = relay.file.read_text(encoding="utf-8")
    relay.file.write_text(good + "\nno_such_key: 1\n", encoding="utf-8")
    relay.signal(signal.SIGHUP)
    (refused,) = await relay.log("config_refused")
    assert any("no_such_key" in problem for problem in refused["problems"])
    assert (await submit(await relay.connect(), "b@rcpt.test")).startswith(b"250 ")

    relay.file.write_text("accounts: [", encoding="utf-8")
    relay.signal(signal.SIGHUP)
    await relay.log("config_refused", count=2)
    relay.file.unlink()
    relay.signal(signal.SIGHUP)
    await relay.log("config_refused", count=3)

    relay.file.write_text(good, encoding="utf-8")
    relay.signal(signal.SIGHUP)
    await relay.log("config_reloaded")
    await relay.log("config_taken_over", count=workers)
    assert (await submit(await relay.connect(), "b@rcpt.test")).startswith(b"250 ")


async def test_a_key_that_needs_a_restart_is_named(start_relay: StartRelay) -> None:
    relay = await start_relay(make_config(delivery=route_to(1)))
    relay.config["node"] = 7
    relay.write_config()
    relay.signal(signal.SIGHUP)
    (warning,) = await relay.log("config_needs_restart")
    assert warning["keys"] == ["node"]
