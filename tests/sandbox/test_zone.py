"""What the sandbox's DNS answers, octets in and octets out."""

from __future__ import annotations

import dns.flags
import dns.message
import dns.opcode
import dns.rcode
from hypothesis import example, given
from hypothesis import strategies as st

from directmail_relay.sandbox.zone import Zone, txt_line

LONG = "v=DKIM1; k=rsa; p=" + "A" * 900
ZONE = Zone(
    ["a.test. MX 10 mx1.a.test.", "a.test. MX 20 mx2.a.test.", "mx1.a.test. A 127.0.0.1", txt_line("l.test", LONG)]
)


def ask(name: str, kind: str, *, tcp: bool = False, edns: bool = False) -> dns.message.Message:
    query = dns.message.make_query(name, kind, use_edns=0 if edns else -1, payload=4096)
    wire = ZONE.answer(query.to_wire(), tcp=tcp)
    assert wire is not None
    reply = dns.message.from_wire(wire)
    assert query.is_response(reply)
    return reply


def test_all_records_of_a_name_and_type_are_answered() -> None:
    (found,) = ask("a.test.", "MX").answer
    assert sorted(record.to_text() for record in found) == ["10 mx1.a.test.", "20 mx2.a.test."]


def test_names_are_compared_without_their_case() -> None:
    assert len(ask("MX1.a.TEST.", "A").answer) == 1


def test_a_name_without_the_type_has_no_data_and_an_unknown_one_does_not_exist() -> None:
    for name, kind, rcode in (
        ("a.test.", "A", dns.rcode.NOERROR),
        ("test.", "MX", dns.rcode.NOERROR),  # there are names below it
        ("b.test.", "MX", dns.rcode.NXDOMAIN),
        ("gmail.com.", "MX", dns.rcode.NXDOMAIN),
    ):
        reply = ask(name, kind)
        assert (reply.rcode(), reply.answer, len(reply.authority)) == (rcode, [], 1)


def test_a_long_text_comes_whole_by_tcp_or_edns_and_is_marked_truncated_otherwise() -> None:
    for reply in (ask("l.test.", "TXT", tcp=True), ask("l.test.", "TXT", edns=True)):
        assert b"".join(reply.answer[0][0].strings) == LONG.encode()
        assert not reply.flags & dns.flags.TC
    cut = ask("l.test.", "TXT")
    assert cut.flags & dns.flags.TC
    assert not cut.answer


def test_other_operations_are_not_implemented() -> None:
    query = dns.message.make_query("a.test.", "MX")
    query.set_opcode(dns.opcode.STATUS)
    wire = ZONE.answer(query.to_wire(), tcp=False)
    assert wire is not None
    assert dns.message.from_wire(wire).rcode() == dns.rcode.NOTIMP


@given(st.binary(max_size=64))
@example(dns.message.make_response(dns.message.make_query("a.test.", "A")).to_wire())
@example(dns.message.make_query("a.test.", "A").to_wire()[:-1])
def test_what_is_no_question_gets_silence_or_an_answer_that_can_be_read(wire: bytes) -> None:
    reply = ZONE.answer(wire, tcp=False)
    assert reply is None or dns.message.from_wire(reply).flags & dns.flags.QR
