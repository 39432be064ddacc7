"""Who a message is from: one answer that every reader shares, or a refusal."""

from __future__ import annotations

import contextlib
import time
from email import message_from_bytes, policy
from email.headerregistry import AddressHeader

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directmail_relay.content.from_header import FromHeader, FromProblem, header_from, parse_mailbox
from directmail_relay.content.headers import split_header


def author(header: bytes) -> FromHeader:
    return header_from(split_header(header + b"\r\n").fields)


@pytest.mark.parametrize(
    "header",
    [
        b"From: b@y.com\r\n",
        b"from:b@y.com\r\n",
        b"FROM : b@y.com\r\n",
        b"From\t:b@Y.com \r\n",
        b"From: <b@y.com>\r\n",
        b"From:\r\n <b@y.com>\r\n",
        b"From: Joe Doe <b@y.com>\r\n",
        b"From: Joe\r\n\tDoe\r\n <b@y.com>\r\n",
        b"From: John Q. Public <b@y.com>\r\n",
        b'From: "Shop, Inc." <b@y.com>\r\n',
        b'From: "a@x.com" <b@y.com>\r\n',
        b'From: "a@x.com, <c@z.com>" <b@y.com>\r\n',
        b'From: "a \\" <c@z.com>" <b@y.com>\r\n',
        b"From: =?utf-8?Q?a=40x.com?= <b@y.com>\r\n",
        b"From: =?utf-8?B?5rWL6K+V?=<b@y.com>\r\n",
        b"From: =?utf-8?B?5rWL?=\r\n =?utf-8?B?6K+V?= <b@y.com>\r\n",
        "From: 测试 <b@y.com>\r\n".encode(),
        b"From: b@y.com (Joe, the boss; really)\r\n",
        b"From: (Joe) b@y.com\r\n",
        b"From: Joe (the boss) Doe <b@y.com> (today)\r\n",
        b"From: < b@y.com >\r\n",
        b"Subject: x\r\nFrom: b@y.com\r\nSender: a@x.com\r\nX-From: c@z.com\r\n",
    ],
)
def test_one_field_with_one_mailbox_names_the_author(header: bytes) -> None:
    found = author(header)
    assert found.problem is None
    assert str(found.address) == "b@y.com"


@pytest.mark.parametrize(
    ("header", "address"),
    [
        (b'From: "a b"@y.com\r\n', '"a b"@y.com'),
        (b'From: Joe <"a>b"@y.com>\r\n', '"a>b"@y.com'),
        ("From: 用户@例子.测试\r\n".encode(), "用户@xn--fsqu00a.xn--0zwm56d"),
        ("From: Bücher <a@bücher.example>\r\n".encode(), "a@xn--bcher-kva.example"),
    ],
)
def test_unusual_addresses_are_read_too(header: bytes, address: str) -> None:
    assert str(author(header).address) == address


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        (b"Subject: x\r\n", "missing"),
        (b"Subject: x\r\nFrom b@y.com\r\n", "missing"),
        (b"Subject: x\r\nno colon\r\nFrom: b@y.com\r\n", "missing"),
        (b"From: b@y.com\r\nFrom: b@y.com\r\n", "several_fields"),
        (b"From: b@y.com\r\nX: y\r\nfrom : a@x.com\r\n", "several_fields"),
        (b"From: a@x.com, b@y.com\r\n", "several_addresses"),
        (b"From: b@y.com,\r\n", "several_addresses"),
        (b"From: , b@y.com\r\n", "several_addresses"),
        (b"From: <a@x.com> <b@y.com>\r\n", "several_addresses"),
        (b"From: a@x.com\r\n b@y.com\r\n", "several_addresses"),
        (b"From: a@x.com <b@y.com>\r\n", "several_addresses"),
        (b"From: <a@x.com> b@y.com\r\n", "several_addresses"),
        (b"From: a@x.com; b@y.com\r\n", "several_addresses"),
        (b"From: Shop, Inc. <b@y.com>\r\n", "several_addresses"),
        (b"From: b@y.com@x.com\r\n", "several_addresses"),
        (b"From: Team: a@x.com, b@y.com;\r\n", "group"),
        (b"From: Nobody:;\r\n", "group"),
        (b"From: <@x.com:b@y.com>\r\n", "several_addresses"),
        (b"From:\r\n", "syntax"),
        (b"From: \r\n \r\n", "syntax"),
        (b"From: <>\r\n", "syntax"),
        (b"From: Joe\r\n", "syntax"),
        (b"From: b\r\n", "syntax"),
        (b"From: b@localhost\r\n", "syntax"),
        (b"From: b@[192.0.2.1]\r\n", "syntax"),
        (b"From: b@y.com.\r\n", "syntax"),
        (b"From: b@y..com\r\n", "syntax"),
        (b"From: .b@y.com\r\n", "syntax"),
        (b"From: b @y.com\r\n", "syntax"),
        (b"From: b@ y.com\r\n", "syntax"),
        (b"From: b@y.com>\r\n", "syntax"),
        (b"From: <b@y.com\r\n", "syntax"),
        (b"From: <<b@y.com>>\r\n", "syntax"),
        (b"From: <b@y.com> Joe\r\n", "syntax"),
        (b'From: "Joe <b@y.com>\r\n', "syntax"),
        (b"From: (Joe b@y.com\r\n", "syntax"),
        (b"From: Joe) <b@y.com>\r\n", "syntax"),
        (b"From: (a@x.com) b@y.com\r\n", "several_addresses"),
        (b"From: (<a@x.com>) <b@y.com>\r\n", "several_addresses"),
        (b"From: (one (two)) b@y.com\r\n", "syntax"),
        (b"From: b(x)@y.com\r\n", "syntax"),
        (b"From: =?utf-8?Q?a=40x.com?=@y.com\r\n", "syntax"),
        (b"From: =?utf-8?Q?b?=@y.com\r\n", "syntax"),
        (b"From: =?utf-8?Q?b=40y.com?=\r\n", "syntax"),
        (b"From: Joe <=?utf-8?Q?b?=@y.com>\r\n", "syntax"),
        (b"From: Joe\0 <b@y.com>\r\n", "syntax"),
        (b"From: b@y.com\0.x.com\r\n", "syntax"),
        (b"From: Joe\x1b[2J <b@y.com>\r\n", "syntax"),
        (b"From: \xb2\xe2\xca\xd4 <b@y.com>\r\n", "syntax"),  # GBK: its second octets can be ASCII
        (b"From: Joe\xc0\xbc <b@y.com>\r\n", "syntax"),  # an overlong <
        ("From: Joe\u2028 <b@y.com>\r\n".encode(), "syntax"),
        ("From: b＠y.com\r\n".encode(), "syntax"),
        (b"From: Joe\\ <b@y.com>\r\n", "syntax"),
    ],
)
def test_where_readers_could_differ_the_field_is_refused(header: bytes, problem: str) -> None:
    assert author(header) == FromHeader(None, FromProblem(problem))


hostile = st.one_of(
    st.binary(max_size=60),
    st.text(alphabet='ab@x.com,;:<>()[]"\\ \t=?é', max_size=30).map(str.encode),
    st.lists(
        st.sampled_from(['"', "<", ">", "a@x.com", "b@y.com", "(", ")", " ", ",", ":", ";", "\\", "Joe", "=?u?Q?a?="]),
        max_size=9,
    ).map(lambda parts: "".join(parts).encode()),
)


@given(hostile)
def test_no_field_raises_and_exactly_one_of_address_and_problem_is_given(value: bytes) -> None:
    field = b"From: " + value.replace(b"\r", b"").replace(b"\n", b"") + b"\r\n"
    found = author(field)
    assert (found.address is None) is (found.problem is not None)


@given(hostile)
def test_an_author_that_we_name_is_the_one_that_another_parser_finds(value: bytes) -> None:
    with contextlib.suppress(ValueError):
        address = parse_mailbox(value)
        if b"\\" in value or not value.isascii() or address.local.startswith('"'):
            return  # the other one unquotes
        header = message_from_bytes(b"From: " + value + b"\r\n\r\n", policy=policy.default)["from"]
        assert isinstance(header, AddressHeader)
        (other,) = header.addresses
        assert (other.username, other.domain.lower()) == (address.local, address.domain)


@pytest.mark.parametrize(
    "unit", [b"a", b" ", b'"', b"\\", b'\\"', b"(", b"()", b"<", b"@", b"a@", b".", b"=?", b'"a" ', b"(a) ", b"a "]
)
@pytest.mark.parametrize("prefix", [b"", b'"', b"(", b"<", b"a@", b"a <"])
def test_a_hostile_field_costs_no_more_than_its_length(prefix: bytes, unit: bytes) -> None:
    field = b"From: " + prefix + unit * (60_000 // len(unit)) + b"!\r\n"
    began = time.process_time()
    assert author(field).address is None
    # A quadratic match would take many seconds.
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize("domain", ["te\u00adst.com", "ｔｅｓｔ.com", "test。com"])
def test_a_domain_that_readers_may_see_as_another_is_refused(domain: str) -> None:
    with pytest.raises(ValueError, match="see another one"):
        parse_mailbox(f"test@{domain}".encode())


@pytest.mark.parametrize("domain", ["例子.测试", "Bücher.example", "test.com"])
def test_a_domain_in_its_proper_form_is_taken(domain: str) -> None:
    assert parse_mailbox(f"test@{domain}".encode()).local == "test"
