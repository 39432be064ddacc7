"""Health, metrics, and a log that tells the way of each message and no secret."""

from __future__ import annotations

import pytest

from tests.fakes.relay_process import make_config, route_to, submit
from tests.fakes.remote_mx import RemoteMx, Script
from tests.scenarios.conftest import StartRelay

PASSWORD = "correct-horse-battery"
SECRET = "the-content-of-the-letter"

# interface.md, "What the checks will do"
METRICS = {
    "directmail_smtp_sessions",
    "directmail_smtp_commands_total",
    "directmail_accepted_total",
    "directmail_refused_total",
    "directmail_auth_total",
    "directmail_queue_recipients",
    "directmail_attempts_total",
    "directmail_delivered_total",
    "directmail_failed_total",
    "directmail_accept_seconds_count",
    "directmail_delivery_seconds_count",
    "directmail_queue_age_seconds",
    "directmail_event_loop_lag_seconds",
}


@pytest.mark.parametrize("workers", [1, 2])
async def test_health_metrics_and_the_log_tell_what_happened(start_relay: StartRelay, workers: int) -> None:
    script = Script(rcpt={"later@rcpt.test": ["451 4.3.0 Try again later", "250 Ok"], "bad@rcpt.test": "550 5.1.1 No"})
    async with RemoteMx(script) as mx:
        config = make_config(workers=workers, delivery=route_to(mx.port))
        config["accounts"][0]["addresses"][0]["password"] = PASSWORD
        relay = await start_relay(config)
        client = await relay.connect("test@test.com", PASSWORD)
        content = f"From: test@test.com\r\nSubject: x\r\n\r\n{SECRET}\r\n".encode()
        env_id = await relay.send("later@rcpt.test", "bad@rcpt.test", client=client, content=content)
        refused = await submit(client, "a@rcpt.test", content=content.replace(b"From: test", b"From: other"))
        assert refused.startswith(b"553 ")
        await relay.log("delivered", env_id=env_id)
        await relay.log("failed", env_id=env_id)
        expected = {
            "directmail_smtp_sessions": 1,
            "directmail_accepted_total": 1,
            'directmail_auth_total{result="ok"}': 1,
            "directmail_delivered_total": 1,
            'directmail_failed_total{status="2"}': 1,
            'directmail_smtp_commands_total{code="235",command="AUTH"}': 1,
            "directmail_accept_seconds_count": 1,
            'directmail_queue_recipients{state="queued"}': 0,
        }
        await relay.until(lambda: expected.items() <= relay.metrics().items(), "the metrics tell it")
        assert {name.partition("{")[0] for name in relay.metrics()} >= METRICS
        assert relay.get("/healthz").status_code == 200
        assert relay.get("/readyz").json() == {"ready": True, "checks": {"database": True, "listeners": True}}
        assert await relay.stop() == 0

    story = [(line["event"], line.get("rcpt")) for line in relay.logs(env_id=env_id)]
    assert story[0] == ("accepted", None)
    assert sorted(story[1:]) == [
        ("deferred", "later@rcpt.test"),
        ("delivered", "later@rcpt.test"),
        ("failed", "bad@rcpt.test"),
    ]
    assert PASSWORD not in relay.output
    assert SECRET not in relay.output
    assert relay.logs("stopped")
