from __future__ import annotations

import re

import dns.rrset
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from directmail_relay.content.signing_keys import public_record
from directmail_relay.policy.domain_records import (
    OurNames,
    Purpose,
    Record,
    dkim_record,
    is_right,
    list_records,
    quote_txt,
    zone_line,
)

OURS = OurNames("spf.relay.test", "mx.relay.test", "track.relay.test")
RECORDS = {one.purpose: one for one in list_records("notice.shop.test", "shop.test", "4607bf8fb8f34d379663", OURS)}


def test_the_records_are_those_of_the_guide() -> None:
    assert {(one.type, one.name, one.expected, one.is_required) for one in RECORDS.values()} == {
        ("TXT", "aliyundm.notice.shop.test", "4607bf8fb8f34d379663", True),
        ("TXT", "notice.shop.test", "v=spf1 include:spf.relay.test -all", True),
        ("MX", "notice.shop.test", "10 mx.relay.test", True),
        ("CNAME", "dmtrace.notice.shop.test", "track.relay.test", False),
        ("TXT", "_dmarc.notice.shop.test", "v=DMARC1; p=none", False),
    }
    assert RECORDS[Purpose.DMARC].fallback == "_dmarc.shop.test"


@pytest.mark.parametrize("record", RECORDS.values(), ids=str)
def test_what_is_expected_is_right_when_it_is_found(record: Record) -> None:
    assert is_right(record, [record.expected])
    assert not is_right(record, [])


@pytest.mark.parametrize(
    ("purpose", "found", "right"),
    [
        (Purpose.OWNERSHIP, ["google-site-verification=1", "4607bf8fb8f34d379663"], True),
        (Purpose.OWNERSHIP, ["4607BF8FB8F34D379663"], False),
        (Purpose.OWNERSHIP, ["x4607bf8fb8f34d379663"], False),
        (Purpose.SPF, ["v=spf1 a mx include:SPF.relay.test. ~all"], True),
        (Purpose.SPF, ["V=SPF1 +include:spf.relay.test"], True),
        (Purpose.SPF, ["v=spf1 include:spf.relay.test -all", "v=spf1 -all"], False),
        (Purpose.SPF, ["v=spf1 -all include:spf.relay.test"], False),
        (Purpose.SPF, ["v=spf1 -include:spf.relay.test"], False),
        (Purpose.SPF, ["v=spf1 include:spf.relay.test.evil.test -all"], False),
        (Purpose.SPF, ["v=spf10 include:spf.relay.test -all"], False),
        (Purpose.MX, ["5 other.test", "10 MX.Relay.test"], True),
        (Purpose.MX, ["20 mx.relay.test."], True),
        (Purpose.MX, ["10 mx.relay.test.evil.test"], False),
        (Purpose.MX, ["0 ."], False),
        (Purpose.CNAME, ["TRACK.relay.test."], True),
        (Purpose.CNAME, ["elsewhere.test"], False),
        (Purpose.DMARC, ["v=DMARC1;p=reject; rua=mailto:a@shop.test"], True),
        (Purpose.DMARC, ["v=DMARC1; p=none", "v=DMARC1; p=reject"], False),
        (Purpose.DMARC, ["v=dmarc1; p=none"], False),
    ],
)
def test_only_what_serves_the_purpose_is_right(purpose: Purpose, found: list[str], *, right: bool) -> None:
    assert is_right(RECORDS[purpose], found) is right


def test_a_dkim_record_is_told_by_its_key_however_it_is_written(rsa_key: rsa.RSAPrivateKey) -> None:
    record = dkim_record("shop.test", "s1", public_record(rsa_key))
    key = record.expected.partition("p=")[2]
    assert record.name == "s1._domainkey.shop.test"
    assert is_right(record, [f"k=rsa;p={key[:40]} {key[40:]} ; t=s;"])
    assert not is_right(record, [f"v=DKIM2; p={key}"])
    assert not is_right(record, ["v=DKIM1; p="])
    assert not is_right(record, [f"v=DKIM1; p={key[:-8]}AAAAAAAA"])


@given(st.sampled_from(list(RECORDS.values())), st.lists(st.text(max_size=60), max_size=3))
def test_no_text_of_strangers_raises(record: Record, found: list[str]) -> None:
    assert is_right(record, found) in {True, False}


def test_a_zone_line_is_read_back_by_a_name_server(rsa_key: rsa.RSAPrivateKey) -> None:
    record = dkim_record("shop.test", "s1", public_record(rsa_key))
    for one in (*RECORDS.values(), record):
        name, ttl, _, rdtype, data = zone_line(one).split(maxsplit=4)
        read = dns.rrset.from_text(name, int(ttl), "IN", rdtype, data)
        assert read[0].to_text().replace('" "', "").strip('"').rstrip(".") == one.expected
    assert max(len(part) for part in re.findall(r'"([^"]*)"', quote_txt(record.expected))) == 255
