"""The processes of a node: how a start fails, and that nobody is left behind."""

from __future__ import annotations

from pathlib import Path

from tests.fakes.relay_process import RelayProcess, make_config, route_to, submit
from tests.fakes.remote_mx import RemoteMx
from tests.scenarios.conftest import StartRelay


def lives(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "\nState:\tZ" not in status.read_text(encoding="utf-8")


async def test_a_port_that_is_taken_ends_the_start_with_one_sentence(start_relay: StartRelay, tmp_path: Path) -> None:
    relay = await start_relay(make_config(delivery=route_to(1)))
    second = RelayProcess(tmp_path, {**relay.config, "database": {"url": "sqlite:///second.db"}})
    second.write_config()
    second.launch()
    assert await second.exit_code() == 1
    *_, sentence = second.output.splitlines()
    assert sentence == f"directmail-relay: cannot listen on 127.0.0.1:{relay.smtp_port}: address already in use"
    assert "Traceback" not in second.output


async def test_workers_whose_parent_was_killed_stop_in_good_order(start_relay: StartRelay) -> None:
    async with RemoteMx() as mx:
        relay = await start_relay(make_config(workers=2, delivery=route_to(mx.port)))
        assert (await submit(await relay.connect(), "a@rcpt.test")).startswith(b"250 ")
        await relay.until(lambda: mx.taken, "it is delivered")
        workers = relay.worker_pids().values()
        assert all(lives(pid) for pid in workers)
        relay.kill_parent()
        await relay.log("worker_stopped", count=2)
        await relay.until(lambda: not any(lives(pid) for pid in workers), "both workers are gone")
        await relay.start()
        assert (await submit(await relay.connect(), "b@rcpt.test")).startswith(b"250 ")
        await relay.until(lambda: len(mx.taken) == 2, "it is delivered")


async def test_a_database_that_cannot_be_opened_ends_the_start_with_one_sentence(tmp_path: Path) -> None:
    relay = RelayProcess(tmp_path, make_config(database={"url": "sqlite:////proc/relay.db"}))
    relay.write_config()
    relay.launch()
    assert await relay.exit_code() == 1
    *_, sentence = relay.output.splitlines()
    assert sentence.startswith("directmail-relay: the database sqlite:////proc/relay.db cannot be used: ")
    assert "Traceback" not in relay.output


async def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    relay = RelayProcess(tmp_path, make_config(database={"url": "sqlite:///nowhere/relay.db"}))
    relay.write_config()
    relay.launch()
    assert await relay.exit_code() == 1
    assert f"the folder of the database, {tmp_path / 'nowhere'}, does not exist" in relay.output.splitlines()[-1]
