from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from tests.fakes.couriers import OK, ONE, TWO, courier_for, deliver_over, hosts
from tests.fakes.letters import CONTENT, PATIENT, impatient, letter, settings
from tests.fakes.mx_script import Answer, Script, close, silence
from tests.fakes.remote_mx import RemoteMx
from tests.fakes.sessions import always
from tests.fakes.zone import Zone


async def test_messages_for_one_destination_share_a_session() -> None:
    async with Zone(ONE) as zone, RemoteMx() as mx:
        async with courier_for(zone, settings(port=mx.port)) as courier:
            for _ in range(3):
                (attempt,) = await courier.deliver(letter(), always)
                assert attempt.reply == OK
                assert courier.has_session
        await mx.all_over()
    assert len(mx.peers) == 1
    assert len(mx.taken) == 3
    assert mx.commands[-1] == b"QUIT"


@pytest.mark.parametrize("answer", ["421 4.4.2 Idle too long", close, silence])
async def test_a_session_that_died_idle_is_replaced_and_nobodys_failure(answer: Answer) -> None:
    script = Script({"MAIL": ["250 Ok", answer, "250 Ok"]})
    chosen = settings(impatient("mail") if answer is silence else PATIENT)
    async with (
        Zone(ONE) as zone,
        RemoteMx(script) as mx,
        courier_for(zone, replace(chosen, port=mx.port)) as courier,
    ):
        for _ in range(2):
            (attempt,) = await courier.deliver(letter(), always)
            assert attempt.reply == OK
    assert [taken.connection for taken in mx.taken] == [0, 1]


async def test_a_session_that_the_host_has_closed_is_replaced() -> None:
    async with (
        Zone(ONE) as zone,
        RemoteMx() as mx,
        courier_for(zone, settings(port=mx.port)) as courier,
    ):
        await courier.deliver(letter(), always)
        mx.hang_up()
        (attempt,) = await courier.deliver(letter(), always)
    assert attempt.reply == OK
    assert [taken.connection for taken in mx.taken] == [0, 1]


async def test_a_kept_session_that_fails_later_is_followed_by_a_fresh_one() -> None:
    script = Script({"RCPT": ["250 Ok", "421 4.7.0 Enough", "250 Ok"]})
    async with (
        Zone(ONE) as zone,
        RemoteMx(script) as mx,
        courier_for(zone, settings(port=mx.port)) as courier,
    ):
        for _ in range(2):
            (attempt,) = await courier.deliver(letter(), always)
            assert attempt.reply == OK
    assert [taken.connection for taken in mx.taken] == [0, 1]


async def test_what_a_dying_session_says_does_not_stand_against_what_a_fresh_one_hears() -> None:
    script = Script({"MAIL": ["250 Ok", "421 4.4.2 Idle"], "GREETING": ["220 Hello", "554 5.7.1 Go away"]})
    async with Zone(ONE) as zone, RemoteMx(script) as mx, courier_for(zone, settings(port=mx.port)) as courier:
        await courier.deliver(letter(), always)
        (attempt,) = await courier.deliver(letter(), always)
    assert str(attempt.reply) == "554 5.7.1 Go away"


async def test_a_recipient_that_is_no_longer_ours_has_no_attempt() -> None:
    script = Script(rcpt={"no@rcpt.test": "550 5.1.1 No"})
    async with (
        Zone(TWO) as zone,
        hosts(script, Script()) as ((first, second), port),
        courier_for(zone, settings(port=port)) as courier,
    ):
        attempts = await courier.deliver(letter("no@rcpt.test", "ok@rcpt.test"), lambda: False)
    assert [(attempt.rcpt_index, attempt.reply.code) for attempt in attempts] == [(0, 550)]
    assert b"DATA" not in first.commands
    assert not second.peers


async def test_what_an_earlier_host_said_is_forgotten_with_a_recipient_that_is_put_back() -> None:
    async with (
        Zone(TWO) as zone,
        hosts(Script({"GREETING": "421 Busy"}), Script()) as (_, port),
        courier_for(zone, settings(port=port)) as courier,
    ):
        assert await courier.deliver(letter(), lambda: False) == ()


async def test_cancelling_a_delivery_leaves_a_courier_that_can_be_closed() -> None:
    async with Zone(ONE) as zone, RemoteMx(Script({"RCPT": silence})) as mx:
        async with courier_for(zone, settings(port=mx.port)) as courier:
            delivery = asyncio.create_task(courier.deliver(letter(), always))
            await mx.heard(b"RCPT")
            delivery.cancel()
            with pytest.raises(asyncio.CancelledError):
                await delivery
            assert not courier.has_session
        await mx.all_over()
    assert not mx.taken


async def test_the_content_is_not_changed_on_the_way() -> None:
    (mx,), _ = await deliver_over(ONE, Script())
    assert mx.taken[0].content.replace(b"\r\n..", b"\r\n.") == CONTENT
