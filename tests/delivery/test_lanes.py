"""The work in memory: ceilings that hold, turns that come round, and nothing left over."""

from __future__ import annotations

from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from directmail_relay.delivery.lanes import Ceilings, Lane, Lanes, share_of_batch
from directmail_relay.delivery.parcel import Parcel, Work
from directmail_relay.mail.address import Address
from directmail_relay.mail.message import Kind, Message, Recipient
from directmail_relay.queue.claim import Claim

_numbers = count(1)
MINE = Claim(32, 1)


def work(destination: str, recipients: int = 1, kind: Kind = Kind.TRIGGER, parcel: Parcel | None = None) -> Work:
    """A work of a new message of 100 octets, or of that of `parcel`."""
    parcel = parcel or Parcel(Message(next(_numbers), "shop", None, "<x@y>", 0.0, 100, kind), b"x" * 100)
    env_id = parcel.message.env_id
    return Work(
        parcel,
        tuple(
            Recipient(env_id, index, Address(f"user{index}", destination), destination, 0, 0.0)
            for index in range(recipients)
        ),
        MINE,
    )


def add(lanes: Lanes, *works: Work) -> None:
    for one in works:
        lanes.reserve(one.destination, len(one.recipients))
        lanes.add(one)


def next_work(lane: Lane) -> Work:
    found = lane.pop()
    assert found is not None
    return found


def is_empty(lanes: Lanes) -> bool:
    return (lanes.held, lanes.bytes_held, lanes.sessions, lanes._lanes) == (0, 0, 0, {})


def test_a_full_lane_leaves_room_to_the_others() -> None:
    lanes = Lanes(Ceilings(recipients=100, recipients_per_destination=10))
    add(lanes, work("slow.test", 10))
    assert lanes.room_of("slow.test", Kind.TRIGGER) == 0
    assert lanes.room_of("other.test", Kind.TRIGGER) == 10


def test_all_lanes_together_hold_no_more_than_the_ceiling() -> None:
    lanes = Lanes(Ceilings(recipients=25, recipients_per_destination=10))
    add(lanes, work("a.test", 10), work("b.test", 10))
    assert lanes.room_of("c.test", Kind.TRIGGER) == 5
    add(lanes, work("c.test", 5))
    assert lanes.room_of("d.test", Kind.TRIGGER) == lanes.room(Kind.TRIGGER) == 0


def test_what_is_offered_to_many_destinations_is_together_no_more_than_there_is() -> None:
    lanes = Lanes(Ceilings(recipients=30, recipients_per_destination=20))
    names = [f"d{number:03}.test" for number in range(200)]
    assert lanes.offer(names, Kind.TRIGGER) == dict.fromkeys(names[:30], 1)
    assert lanes.offer(names[:3], Kind.TRIGGER) == dict.fromkeys(names[:3], 10)
    assert lanes.offer(names[:1], Kind.TRIGGER) == {names[0]: 20}
    add(lanes, work(names[0], 20))
    assert lanes.offer(names[:2], Kind.TRIGGER) == {names[1]: 5}
    assert lanes.offer([], Kind.TRIGGER) == {}


@given(
    st.integers(0, 50),
    st.integers(1, 20),
    st.lists(st.text("abc", min_size=1, max_size=3), unique=True, max_size=30),
    st.sampled_from(Kind),
)
def test_no_offer_exceeds_any_ceiling(total: int, own: int, names: list[str], kind: Kind) -> None:
    lanes = Lanes(Ceilings(recipients=total, recipients_per_destination=own))
    offered = lanes.offer(names, kind)
    allowed = (total, own) if kind is Kind.TRIGGER else (share_of_batch(total), share_of_batch(own))
    assert sum(offered.values()) <= allowed[0]
    assert all(0 < room <= allowed[1] for room in offered.values())
    assert bool(offered) == bool(total and names)


def test_nothing_is_offered_while_the_memory_is_full() -> None:
    lanes = Lanes(Ceilings(size=150))
    add(lanes, work("a.test"))
    assert lanes.offer(["b.test"], Kind.TRIGGER) != {}
    add(lanes, work("a.test"))
    assert lanes.offer(["b.test"], Kind.TRIGGER) == {}


def test_octets_count_once_for_a_message_to_many_destinations_until_its_last_work_ends() -> None:
    lanes = Lanes(Ceilings())
    first = work("a.test")
    second = work("b.test", parcel=first.parcel)
    add(lanes, first, second)
    assert lanes.bytes_held == 100
    lanes.get("a.test").pop()
    lanes.end(first)
    assert lanes.bytes_held == 100
    lanes.get("b.test").pop()
    lanes.end(second)
    assert is_empty(lanes)


def test_trigger_mail_goes_before_batch_mail_and_each_in_its_order() -> None:
    lanes = Lanes(Ceilings())
    works = [work("a.test", kind=kind) for kind in (Kind.BATCH, Kind.TRIGGER, Kind.BATCH, Kind.TRIGGER)]
    add(lanes, *works)
    lane = lanes.get("a.test")
    assert [next_work(lane) for _ in works] == [works[1], works[3], works[0], works[2]]
    assert lane.pop() is None


def test_one_work_is_worth_one_session() -> None:
    lanes = Lanes(Ceilings())
    add(lanes, work("a.test"))
    lane = lanes.get("a.test")
    assert lanes.wants_session(lane)
    assert lanes.open_session(lane)
    assert not lanes.wants_session(lane), "somebody is coming for it already"
    add(lanes, work("a.test"))
    assert lanes.wants_session(lane)


def test_a_destination_has_no_more_sessions_than_its_ceiling() -> None:
    lanes = Lanes(Ceilings(sessions_per_destination=2))
    add(lanes, *(work("a.test") for _ in range(5)))
    lane = lanes.get("a.test")
    assert lanes.open_session(lane)
    assert lanes.wants_session(lane)
    assert lanes.open_session(lane)
    assert not lanes.wants_session(lane)
    assert lanes.open_sessions() == {"a.test": 2}


def test_lanes_that_wait_for_a_session_get_it_in_turn() -> None:
    lanes = Lanes(Ceilings(sessions=1))
    for name in ("a.test", "b.test", "c.test"):
        add(lanes, work(name), work(name))
    a, b, c = (lanes.get(name) for name in ("a.test", "b.test", "c.test"))
    assert lanes.open_session(a)
    assert not lanes.open_session(b)
    assert not lanes.open_session(c)
    assert lanes.others_wait(a)
    assert lanes.close_session(a) is b
    assert lanes.open_session(b)
    assert not lanes.open_session(a), "it waits behind the others now"
    assert lanes.close_session(b) is c
    assert lanes.open_session(c)
    assert not lanes.open_session(b)
    assert lanes.close_session(c) is a


def test_who_waits_in_vain_is_passed_over() -> None:
    lanes = Lanes(Ceilings(sessions=1))
    add(lanes, work("a.test"), work("b.test"))
    assert lanes.open_session(lanes.get("a.test"))
    assert not lanes.open_session(lanes.get("b.test"))
    lanes.clear()
    assert lanes.close_session(lanes.get("a.test")) is None
    assert not lanes.others_wait(lanes.get("a.test"))


def test_who_gives_a_session_up_asks_behind_those_who_wait() -> None:
    lanes = Lanes(Ceilings(sessions=1))
    add(lanes, work("busy.test"), work("busy.test"))
    busy = lanes.get("busy.test")
    assert lanes.open_session(busy)
    assert not lanes.open_session(busy)
    assert not lanes.others_wait(busy), "it need not make room for itself"
    add(lanes, work("other.test"))
    other = lanes.get("other.test")
    assert not lanes.open_session(other)
    assert lanes.others_wait(busy)
    assert lanes.close_session(busy) is other


def test_a_session_kept_for_trigger_mail_is_not_given_up_for_batch_mail_that_may_not_have_it() -> None:
    lanes = Lanes(Ceilings(sessions=10, sessions_per_destination=9))
    add(lanes, *(work("batch.test", kind=Kind.BATCH) for _ in range(20)))
    batch, trigger = lanes.get("batch.test"), lanes.get("trigger.test")
    assert all(lanes.open_session(batch) for _ in range(9))
    add(lanes, work("trigger.test"), work("waits.test", kind=Kind.BATCH))
    assert lanes.open_session(trigger)
    assert not lanes.open_session(lanes.get("waits.test"))
    assert not lanes.others_wait(trigger)
    assert lanes.close_session(batch) is None
    assert lanes.others_wait(trigger), "the next session that is given up is one for batch mail"
    assert lanes.close_session(batch) is lanes.get("waits.test")


def test_take_out_finds_only_what_has_not_begun() -> None:
    lanes = Lanes(Ceilings())
    begun, ready = work("a.test", 2), work("a.test", 3)
    add(lanes, begun, ready)
    lane = lanes.get("a.test")
    assert lane.pop() is begun
    wanted = {(one.env_id, one.index) for one in (*begun.recipients, *ready.recipients[:2])} | {(999_999, 0)}
    assert lanes.take_out(wanted) == {(one.env_id, one.index) for one in ready.recipients[:2]}
    left = next_work(lane)
    assert [one.index for one in left.recipients] == [2]
    assert left.claim == ready.claim
    assert lanes.held == 3
    lanes.end(begun)
    lanes.end(left)
    assert is_empty(lanes)


def test_a_work_whose_recipients_are_all_taken_out_leaves_nothing_behind() -> None:
    lanes = Lanes(Ceilings())
    one = work("a.test", 2)
    add(lanes, one)
    assert len(lanes.take_out({(two.env_id, two.index) for two in one.recipients})) == 2
    assert is_empty(lanes)


def test_clear_takes_out_all_that_has_not_begun_and_frees_its_room() -> None:
    lanes = Lanes(Ceilings())
    begun, ready, other = work("a.test"), work("a.test", 4), work("b.test", 2, Kind.BATCH)
    add(lanes, begun, ready, other)
    assert lanes.get("a.test").pop() is begun
    assert set(map(id, lanes.clear())) == {id(ready), id(other)}
    assert lanes.held == 1
    lanes.end(begun)
    assert is_empty(lanes)
