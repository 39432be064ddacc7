"""The parser at the door: RFC 5321 §4.1.2 and nothing beside it."""

from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from directmail_relay.mail.address import (
    Address,
    AddressLiteralError,
    LocalNameError,
    parse_address,
    parse_domain,
    parse_path,
)

SPECIAL = '<>()[]\\,;: @".\t\r\n\0ab1-_%=é。ａ\u200d\u212a\ud800'
hostile_text = st.one_of(
    st.text(max_size=300), st.text(alphabet=SPECIAL, max_size=40), st.text(alphabet='"\\@<>a. ', max_size=20)
)


@pytest.mark.parametrize(
    ("text", "local", "domain"),
    [
        ("notice@example.com", "notice", "example.com"),
        ("Notice@Example.COM", "Notice", "example.com"),
        ("a.b+tag@mail.example.com", "a.b+tag", "mail.example.com"),
        ("!#$%&'*+/=?^_`{|}~-@example.com", "!#$%&'*+/=?^_`{|}~-", "example.com"),
        ("a%b@example.com", "a%b", "example.com"),
        ('"a b"@example.com', '"a b"', "example.com"),
        ('"a@b"@example.com', '"a@b"', "example.com"),
        ('"a\\"b\\\\"@example.com', '"a\\"b\\\\"', "example.com"),
        ('""@example.com', '""', "example.com"),
        ("a@1.example.c0m", "a", "1.example.c0m"),
        ("a@xn--fsqu00a.xn--0zwm56d", "a", "xn--fsqu00a.xn--0zwm56d"),
        ("a" * 64 + "@example.com", "a" * 64, "example.com"),
        ("a@" + "b" * 63 + ".com", "a", "b" * 63 + ".com"),
    ],
)
def test_a_mailbox_gives_its_local_part_verbatim_and_its_domain_in_lower_case(
    text: str, local: str, domain: str
) -> None:
    assert parse_address(text) == Address(local, domain)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@",
        "@example.com",
        "a@",
        ".a@example.com",
        "a.@example.com",
        "a..b@example.com",
        "a b@example.com",
        "a@b@example.com",
        "a@example.com.",
        "a@.example.com",
        "a@example..com",
        "a@-example.com",
        "a@example-.com",
        "a@my_host.example.com",
        "a@example.com\n",
        "a@example.com\r\nRCPT TO:<b@example.com>",
        "a\0@example.com",
        "a@exa\0mple.com",
        "a@example.com ",
        " a@example.com",
        "a@[192.0.2.1",
        "a@[]",
        "a@[a b]",
        '"a"b@example.com',
        '"a\r\nb"@example.com',
        '"a\tb"@example.com',
        '"a@example.com',
        '"a\\"@example.com',
        '"a""b"@example.com',
        "@a,@b:c@example.com",
        "a(comment)@example.com",
        "é@example.com",
        "a@é.example.com",
        "a" * 65 + "@example.com",
        '"' + "a" * 63 + '"@example.com',
        "a@" + "b" * 64 + ".com",
        "a@" + ".".join(["b" * 60] * 4) + ".example.com",
    ],
)
def test_what_is_no_mailbox_is_refused(text: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 -- the subclasses mean something else; see below
        parse_address(text)
    assert type(caught.value) is ValueError


@pytest.mark.parametrize("text", ["a@[192.0.2.1]", "a@[IPv6:2001:db8::1]", '"a b"@[192.0.2.1]', "a@[x.y]"])
def test_an_address_literal_has_its_own_error(text: str) -> None:
    with pytest.raises(AddressLiteralError):
        parse_address(text)


@pytest.mark.parametrize("text", ["a@localhost", "a@10.0.0.1", "a@example.1", "a@1", "postmaster", '"a b"'])
def test_a_local_name_has_its_own_error(text: str) -> None:
    with pytest.raises(LocalNameError):
        parse_address(text)


@pytest.mark.parametrize(
    ("text", "local", "domain"),
    [
        ("用户@例子.测试", "用户", "xn--fsqu00a.xn--0zwm56d"),
        ("é@EXAMPLE.com", "é", "example.com"),
        ("a@BÜCHER.example", "a", "xn--bcher-kva.example"),
        ("a@ｅｘａｍｐｌｅ。com", "a", "example.com"),
        ('"é é"@example.com', '"é é"', "example.com"),
    ],
)
def test_international_addresses_keep_the_local_part_and_get_an_ascii_domain(
    text: str, local: str, domain: str
) -> None:
    address = parse_address(text, smtputf8=True)
    assert address == Address(local, domain)
    assert address.needs_smtputf8 is not local.isascii()
    assert address.is_ascii is local.isascii()


@pytest.mark.parametrize(
    "text",
    [
        "a\x85b@example.com",  # a C1 line end
        "a\u2028b@example.com",
        "a\u202eb@example.com",  # turns the display around
        "a\u3000b@example.com",
        "a\ud800@example.com",
        "a@\ud800.com",
        "a@é_b.example",
        "a@a\uff20b.example",  # maps to an @
        "a@é.example.com。",
        "a@" + "é" * 300 + ".com",
        "a@" + "é" * 62 + ".com",
        "é" * 33 + "@example.com",
    ],
)
def test_international_addresses_that_hide_something_or_are_too_long_are_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 -- the parser promises no more than this type
        parse_address(text, smtputf8=True)


@given(hostile_text, st.booleans())
@example("a@xn--.com", True)
def test_no_text_raises_anything_but_value_error_and_what_parses_is_stable(text: str, smtputf8: bool) -> None:  # noqa: FBT001 -- hypothesis and parametrize pass by name
    with contextlib.suppress(ValueError):
        address = parse_address(text, smtputf8=smtputf8)
        assert parse_address(str(address), smtputf8=smtputf8) == address
        assert len(str(address).encode()) <= 254
        assert address.domain.isascii()
        assert not set(str(address)) & set("\r\n\0\t")


atoms = st.text(alphabet="abzAZ09!#$%&'*+/=?^_`{|}~-", min_size=1, max_size=10)
quoted = st.text(alphabet='ab @.,;:<>()[]\\"', max_size=10).map(
    lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
)
locals_ = st.one_of(st.lists(atoms, min_size=1, max_size=4).map(".".join), quoted)
labels = st.from_regex(r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,8}[a-zA-Z0-9])?", fullmatch=True)
domains = st.tuples(st.lists(labels, min_size=1, max_size=3), st.sampled_from(["com", "CN", "x1", "xn--fiqs8s"])).map(
    lambda parts: ".".join([*parts[0], parts[1]])
)


@given(locals_, domains)
def test_every_mailbox_of_the_grammar_is_taken_with_or_without_brackets(local: str, domain: str) -> None:
    expected = Address(local, domain.lower())
    mailbox = f"{local}@{domain}"
    assert parse_address(mailbox) == expected
    assert parse_path(f"<{mailbox}> SIZE=1") == (expected, "SIZE=1")
    assert parse_path(f"{mailbox} SIZE=1") == (expected, "SIZE=1")


@pytest.mark.parametrize(
    ("text", "mailbox", "rest"),
    [
        ("<>", None, ""),
        (" <>", None, ""),
        ("<> BODY=8BITMIME", None, "BODY=8BITMIME"),
        ("<a@b.example>", "a@b.example", ""),
        (" <a@b.example>", "a@b.example", ""),
        ("<a@b.example>  SIZE=5 BODY=7BIT ", "a@b.example", "SIZE=5 BODY=7BIT"),
        ("a@b.example", "a@b.example", ""),
        (" a@b.example  SIZE=1", "a@b.example", "SIZE=1"),
        ('<"a> b"@b.example> SIZE=1', '"a> b"@b.example', "SIZE=1"),
        ('"a> b"@b.example SIZE=1', '"a> b"@b.example', "SIZE=1"),
    ],
)
def test_a_path_gives_its_address_and_the_parameters(text: str, mailbox: str | None, rest: str) -> None:
    address, parameters = parse_path(text)
    assert (None if address is None else str(address)) == mailbox
    assert parameters == rest


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "<",
        ">",
        "<a@b.example",
        "a@b.example>",
        "<a@b.example>SIZE=1",
        "<a@b.example>>",
        "<<a@b.example>>",
        "< a@b.example>",
        "<a@b.example >",
        "< >",
        "<>x",
        "SIZE=1",
        "Joe <a@b.example>",
        "<@a.example,@b.example:c@d.example>",
        "<@a.example:c@d.example>",
        '<"a@b.example>',
        "\t<a@b.example>",
        "<a@b.example>\tSIZE=1",
        "<a@b.example> \r\nDATA\r\n<c@d.example",
    ],
)
def test_what_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 -- the subclasses mean something else; see below
        parse_path(text)
    assert type(caught.value) is ValueError


def test_a_path_to_a_literal_or_a_local_name_has_its_own_error() -> None:
    with pytest.raises(AddressLiteralError):
        parse_path("<a@[192.0.2.1]>")
    with pytest.raises(LocalNameError):
        parse_path("<postmaster>")
    with pytest.raises(LocalNameError):
        parse_path("a@localhost SIZE=1")


@given(hostile_text, st.booleans())
def test_no_path_raises_anything_but_value_error(text: str, smtputf8: bool) -> None:  # noqa: FBT001 -- hypothesis and parametrize pass by name
    with contextlib.suppress(ValueError):
        address, rest = parse_path(text, smtputf8=smtputf8)
        assert rest in text
        if address is not None:
            assert parse_path(f"<{address}>", smtputf8=smtputf8) == (address, "")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("a@b.example", "A@B.EXAMPLE", True),
        ("a@b.example", "b@b.example", False),
        ("a@b.example", "a@c.example", False),
        ("k@b.example", "\u212a@b.example", False),
        ("é@b.example", "é@b.example", True),
        ("é@b.example", "É@b.example", False),
    ],
)
def test_a_login_may_send_as_the_same_mailbox_only(one: str, other: str, same: bool) -> None:  # noqa: FBT001 -- hypothesis and parametrize pass by name
    first, second = parse_address(one, smtputf8=True), parse_address(other, smtputf8=True)
    assert first.same_mailbox(second) is same
    assert second.same_mailbox(first) is same


@pytest.mark.parametrize("unit", ["a", "a.", "1.", "-", '"', "\\", "a-", '"a', "a@", "(", " ", '\\"', "é.", "1"])
@pytest.mark.parametrize("prefix", ["", '"', "a@", "<", '<"'])
def test_a_long_hostile_text_costs_no_more_than_its_length(prefix: str, unit: str) -> None:
    text = prefix + unit * 200_000 + "!"
    began = time.process_time()
    for parse in (parse_address, parse_path, parse_domain):
        with pytest.raises(ValueError):  # noqa: PT011 -- any of them, quickly
            parse(text)
    # A quadratic match would take minutes.
    assert time.process_time() - began < 1
