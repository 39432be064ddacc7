from __future__ import annotations

from tests.fakes.relay_process import make_config, route_to
from tests.fakes.remote_mx import RemoteMx, Script
from tests.scenarios.conftest import StartRelay


async def test_a_greylisted_recipient_is_tried_again_and_delivered(
    start_relay: StartRelay, storage: dict[str, str]
) -> None:
    script = Script(rcpt={"new@rcpt.test": ["451 4.7.1 Greylisted, please try again later", "250 2.1.5 Ok"]})
    async with RemoteMx(script) as mx:
        delivery = {**route_to(mx.port), "retry": {"schedule": ["300ms"], "lifetime": "1h"}}
        relay = await start_relay(make_config(database=storage, delivery=delivery))
        env_id = await relay.send("new@rcpt.test", "old@rcpt.test")
        (deferred,) = await relay.log("deferred", env_id=env_id)
        await relay.log("delivered", count=2, env_id=env_id)

    assert deferred["rcpt"] == "new@rcpt.test"
    assert deferred["category"] == "greylisted"
    assert 0.3 <= deferred["retry_in"] <= 0.4
    assert {line["rcpt"]: line["attempts"] for line in relay.logs("delivered")} == {
        "old@rcpt.test": 1,
        "new@rcpt.test": 2,
    }
    assert [len(taken.rcpt) for taken in mx.taken] == [1, 1]
