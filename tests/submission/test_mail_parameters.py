"""The parameters of MAIL and RCPT, as RFC 1870, 6152, 6531, 4954 and 3461 write them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directmail_relay.submission.mail_parameters import (
    MailParameters,
    ParameterError,
    RcptParameters,
    parse_mail_parameters,
    parse_rcpt_parameters,
)

WORDS = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=30),
    st.builds(
        "{}={}".format,
        st.sampled_from(["SIZE", "BODY", "RET", "ENVID", "AUTH", "NOTIFY", "ORCPT", "SMTPUTF8", "size", "X"]),
        st.one_of(
            st.text(max_size=20),
            st.sampled_from(["1", "8BITMIME", "FULL", "NEVER", "FAILURE,DELAY", "rfc822;a@b", "<>", "a+2B"]),
        ),
    ),
)


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        ("", MailParameters()),
        ("   ", MailParameters()),
        ("SIZE=0", MailParameters(size=0)),
        ("size=00000000000000000012", MailParameters(size=12)),
        ("BODY=7bit", MailParameters()),
        ("body=8BitMime SMTPUTF8", MailParameters(body_8bit=True, smtputf8=True)),
        ("RET=full ENVID=QQ+3D+2b1", None),
        ("RET=full ENVID=QQ+3D+2B1", MailParameters(ret="FULL", envid="QQ+3D+2B1")),
        ("ENVID=" + "x" * 100, MailParameters(envid="x" * 100)),
        ("ENVID=" + "x" * 101, None),
        ("ENVID=", None),
        ("ENVID=a+0D", None),
        ("ENVID=a+7F", None),
        ("ENVID=a+8A", None),
        ("AUTH=<>", MailParameters()),
        ("AUTH=e+3Dmc2@example.com", MailParameters()),
        ("AUTH=", None),
        ("AUTH=" + "a" * 501, None),
        ("SIZE=1 BODY=7BIT size=1", None),
        ("SIZE=１", None),
        ("SIZE=+1", None),
        ("SMTPUTF8=", None),
        ("NOTIFY=NEVER", None),
        ("=1", None),
    ],
)
def test_mail_takes_what_the_rfcs_allow(text: str, parameters: MailParameters | None) -> None:
    if parameters is None:
        with pytest.raises(ParameterError):
            parse_mail_parameters(text)
    else:
        assert parse_mail_parameters(text) == parameters


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        ("", RcptParameters()),
        ("NOTIFY=never", RcptParameters(notify="NEVER")),
        ("NOTIFY=delay,SUCCESS,Delay", RcptParameters(notify="DELAY,SUCCESS")),
        ("NOTIFY=NEVER,NEVER", None),
        ("NOTIFY=SUCCESS,", None),
        ("NOTIFY=,SUCCESS", None),
        ("ORCPT=rfc822;a+2Bb@example.com", RcptParameters(orcpt="rfc822;a+2Bb@example.com")),
        ("ORCPT=rfc822;" + "a" * 493, RcptParameters(orcpt="rfc822;" + "a" * 493)),
        ("ORCPT=rfc822;" + "a" * 494, None),
        ("ORCPT=rfc822;", None),
        ("ORCPT=;a", None),
        ("ORCPT=rfc822", None),
        ("ORCPT=rfc822;测", None),
        ("ORCPT=utf-8;测", None),
        ("SIZE=1", None),
    ],
)
def test_rcpt_takes_what_the_rfcs_allow(text: str, parameters: RcptParameters | None) -> None:
    if parameters is None:
        with pytest.raises(ParameterError):
            parse_rcpt_parameters(text)
    else:
        assert parse_rcpt_parameters(text) == parameters


def test_an_international_orcpt_needs_smtputf8_and_no_invisible_characters() -> None:
    assert parse_rcpt_parameters("ORCPT=UTF-8;测@b.c", smtputf8=True).orcpt == "UTF-8;测@b.c"
    for broken in ("ORCPT=utf-8;a\u2028b", "ORCPT=utf-8;\udcff", "ORCPT=utf-8;a\u200bb"):
        with pytest.raises(ParameterError):
            parse_rcpt_parameters(broken, smtputf8=True)


@given(st.lists(WORDS, max_size=6).map(" ".join))
def test_any_text_is_parameters_or_a_reply(text: str) -> None:
    for parse in (parse_mail_parameters, parse_rcpt_parameters):
        outcome = outcome_of(parse, text)
        if isinstance(outcome, ParameterError):
            assert outcome.reply.code in {501, 555}
            assert outcome.reply.text.isprintable()
        else:
            assert repr(outcome).isprintable()
            assert repr(outcome).isascii()


def outcome_of(parse: Callable[[str], object], text: str) -> object:
    try:
        return parse(text)
    except ParameterError as error:
        return error
