from __future__ import annotations

from contextlib import AsyncExitStack

import pytest

from directmail_relay.mail import replies
from directmail_relay.mail.attempt import About, DeliveryAttempt, Stage
from tests.fakes.couriers import OK, ONE, TWO, courier_for, deliver_over, hosts
from tests.fakes.letters import ENV_ID, letter, settings
from tests.fakes.mx_script import Script, close
from tests.fakes.remote_mx import RemoteMx
from tests.fakes.sessions import always
from tests.fakes.zone import Zone


async def test_a_message_finds_its_mx_and_is_put_on_record() -> None:
    (mx,), attempt = await deliver_over(ONE, Script())
    assert attempt == DeliveryAttempt(
        env_id=ENV_ID,
        rcpt_index=0,
        stage=Stage.DATA,
        reply=OK,
        started_at=1001.0,
        ended_at=1002.0,
        mx_host="mx.rcpt.test",
        mx_ip="127.0.0.1",
        about=About.RECIPIENT,
    )
    assert len(mx.taken) == 1


async def test_each_recipient_has_an_attempt_under_its_own_index() -> None:
    script = Script(rcpt={"no@rcpt.test": "550 5.1.1 No such user"})
    async with Zone(ONE) as zone, RemoteMx(script) as mx, courier_for(zone, settings(port=mx.port)) as courier:
        attempts = await courier.deliver(letter("no@rcpt.test", "ok@rcpt.test", first_index=7), always)
    assert [(attempt.rcpt_index, attempt.reply.code) for attempt in attempts] == [(7, 550), (8, 250)]


@pytest.mark.parametrize(
    "first",
    [
        None,
        Script({"GREETING": "421 4.3.2 Busy"}),
        Script({"GREETING": "554 5.7.1 Go away"}),
        Script({"GREETING": close}),
        Script({"EHLO": "421 Busy"}),
        Script({"MAIL": "421 4.7.0 Rate limited"}),
        Script({"RCPT": close}),
        Script({"DATA": close}),
        Script({"END": "421 4.3.2 Going down"}),
    ],
)
async def test_what_is_about_the_host_sends_the_recipient_to_the_next(first: Script | None) -> None:
    # The second host listens on the port that the first one would have.
    async with (
        Zone(TWO) as zone,
        RemoteMx(Script(), ip="127.0.0.2") as second,
        AsyncExitStack() as stack,
    ):
        if first is not None:
            await stack.enter_async_context(RemoteMx(first, ip="127.0.0.1", port=second.port))
        courier = await stack.enter_async_context(courier_for(zone, settings(port=second.port)))
        (attempt,) = await courier.deliver(letter(), always)
    assert (attempt.reply, attempt.mx_host, attempt.mx_ip) == (OK, "mx2.rcpt.test", "127.0.0.2")
    assert len(second.taken) == 1


@pytest.mark.parametrize(
    "answers",
    [
        {"MAIL": "451 4.3.0 Later"},
        {"RCPT": "451 4.7.1 Greylisted"},
        {"RCPT": "550 5.1.1 No such user"},
        {"DATA": "451 4.3.0 Later"},
        {"END": "451 4.3.0 Later"},
    ],
)
async def test_what_is_about_the_message_or_the_recipient_is_asked_once(answers: dict[str, str]) -> None:
    (first, second), attempt = await deliver_over(TWO, Script({**answers}), Script())
    assert str(attempt.reply) == next(iter(answers.values()))
    assert attempt.mx_host == "mx1.rcpt.test"
    assert len(first.peers) == 1
    assert not second.peers


async def test_after_a_lost_final_reply_no_other_host_gets_the_message() -> None:
    (_, second), attempt = await deliver_over(TWO, Script({"END": close}), Script())
    assert attempt.maybe_duplicate
    assert (attempt.reply, attempt.stage) == (replies.CONNECTION_CUT, Stage.DATA)
    assert not second.peers


async def test_only_the_undecided_recipients_go_to_the_next_host() -> None:
    script = Script(rcpt={"no@rcpt.test": "550 5.1.1 No"}, answers={"DATA": "421 4.3.2 Going down"})
    async with (
        Zone(TWO) as zone,
        hosts(script, Script()) as ((_, second), port),
        courier_for(zone, settings(port=port)) as courier,
    ):
        attempts = await courier.deliver(letter("no@rcpt.test", "ok@rcpt.test"), always)
    assert [(attempt.reply.code, attempt.mx_host) for attempt in attempts] == [
        (550, "mx1.rcpt.test"),
        (250, "mx2.rcpt.test"),
    ]
    assert second.taken[0].rcpt == (b"RCPT TO:<ok@rcpt.test>",)


@pytest.mark.parametrize(
    ("first", "second", "counts"),
    [
        ("421 4.3.2 Busy", "554 5.7.1 Go away", "421 4.3.2 Busy"),
        ("554 5.7.1 Go away", "421 4.3.2 Busy", "421 4.3.2 Busy"),
        ("554 5.7.1 Go away", "521 5.3.2 No mail", "521 5.3.2 No mail"),
        ("421 4.3.2 Busy", None, "421 4.3.2 Busy"),
        (None, "421 4.3.2 Busy", "421 4.3.2 Busy"),
        ("554 5.7.1 Go away", None, "400 the mta server of unexpected closed"),
    ],
)
async def test_when_all_hosts_fail_a_temporary_reply_of_a_host_counts_most(
    first: str | None, second: str | None, counts: str
) -> None:
    scripts = [Script({"GREETING": text if text is not None else close}) for text in (first, second)]
    _, attempt = await deliver_over(TWO, *scripts)
    assert str(attempt.reply) == counts
    assert attempt.about is About.HOST


async def test_five_hosts_are_tried_and_two_addresses_of_each() -> None:
    zone_text = "\n".join(
        f"rcpt.test. 300 MX {n} mx{n}.rcpt.test.\n"
        + "\n".join(f"mx{n}.rcpt.test. 300 A 127.0.{n}.{place}" for place in (1, 2, 3))
        for n in range(1, 8)
    )
    async with RemoteMx() as unused, Zone(zone_text) as zone:
        port = unused.port  # on 127.0.0.1 alone: nobody listens on the others
        async with courier_for(zone, settings(port=port)) as courier:
            (attempt,) = await courier.deliver(letter(), always)
    assert (attempt.reply, attempt.stage, attempt.mx_host) == (replies.UNREACHABLE, Stage.CONNECT, "mx5.rcpt.test")
    assert zone.asked["mx5.rcpt.test", "A"] == 1
    assert zone.asked["mx6.rcpt.test", "A"] == 0


async def test_both_addresses_of_a_host_are_tried() -> None:
    zone_text = "rcpt.test. 300 MX 10 mx.rcpt.test.\nmx.rcpt.test. 300 A 127.0.0.1\nmx.rcpt.test. 300 A 127.0.0.2"
    async with (
        Zone(zone_text) as zone,
        RemoteMx(ip="127.0.0.2") as mx,
        courier_for(zone, settings(port=mx.port)) as courier,
    ):
        (attempt,) = await courier.deliver(letter(), always)
    assert (attempt.reply, attempt.mx_ip) == (OK, "127.0.0.2")
