"""`directmail-relay demo`, as a CI job runs it: all that it shows."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.cli.demo_process import AT_MOST, COMMAND, environment

GUIDE_SESSION = """\
S: 220 relay.sandbox.test MX AliMail Server(127.0.0.1)
C: EHLO test.com
S: 250-relay.sandbox.test
S: 250-8BITMIME
S: 250-AUTH=PLAIN LOGIN
S: 250-AUTH PLAIN LOGIN
S: 250-PIPELINING
S: 250-SIZE 15728640
S: 250-STARTTLS
S: 250-SMTPUTF8
S: 250 DSN
C: AUTH LOGIN
S: 334 dXNlcm5hbWU6
C: dGVzdEB0ZXN0LmNvbQ==
S: 334 UGFzc3dvcmQ6
C: dGVzdA==
S: 235 Authentication successful
C: MAIL FROM: <test@test.com>
S: 250 Mail Ok
C: RCPT TO: <ok@sandbox.test>
S: 250 Rcpt Ok
C: DATA
S: 354 End data with <CR><LF>.<CR><LF>
C: subject: test
C: from: <test@test.com>
C: to: <ok@sandbox.test>
C:
C: test
C: .
S: 250 Data Ok: queued as freedom ###envid=ENVID
C: QUIT
S: 221 Bye
"""


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What `demo --once` prints when nobody watches."""
    folder = tmp_path_factory.mktemp("demo")
    ended = subprocess.run(
        [*COMMAND, "--once"],
        env=environment(folder),
        capture_output=True,
        encoding="utf-8",
        timeout=AT_MOST,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stdout
    assert list(folder.iterdir()) == []
    return ended.stdout


def test_the_guides_session_is_shown_as_it_happens(shown: str) -> None:
    assert GUIDE_SESSION in re.sub(r"envid=\d+", "envid=ENVID", shown)


def test_every_message_has_an_env_id_of_its_own(shown: str) -> None:
    found = re.findall(r"(\w+)@sandbox\.test +envid (\d+)", shown)
    assert [name for name, _ in found] == ["unknown", "full", "grey", "spam", "slow"]
    ids = {env_id for _, env_id in found} | set(re.findall(r"###envid=(\d+)", shown))
    assert len(ids) == 6


@pytest.mark.parametrize(
    ("mailbox", "cells"),
    [
        ("ok", r"1 250 2\.0\.0 Ok: queued as +delivered +0 成功 +mx2 +delivered"),
        ("unknown", r"1 550 5\.1\.1 .* recipient_not_found +no +2 无效地址 +mx2 +failed"),
        ("full", r"1 552 5\.2\.2 .* mailbox_full +no +4 失败 +mx2 +failed"),
        ("grey", r"[23] 250 2\.0\.0 .* delivered +0 成功 +mx2 +delivered"),
        ("spam", r"1 554 5\.7\.1 .* spam +no +3 垃圾邮件 +mx2 +failed"),
        ("slow", r"1 250 2\.0\.0 .* delivered +0 成功 +mx2 +delivered"),
    ],
)
def test_the_table_shows_what_became_of_each(shown: str, mailbox: str, cells: str) -> None:
    table = shown[shown.index("\nTo ") :]
    assert re.search(rf"^{mailbox} +{cells} *$", table, re.MULTILINE), table
    assert "TLSv1.3" in table


def test_greylisting_is_seen_before_it_gives_way(shown: str) -> None:
    assert re.search(r"grey +try 1 +450 4\.2\.0 .*Greylisted", shown)


def test_advice_is_given_for_each(shown: str) -> None:
    advice = shown[shown.index("What to do:") :]
    assert re.search(r"^  unknown: The recipient address does not exist", advice, re.MULTILINE)
    assert re.search(r"^  full: The recipient mailbox is full", advice, re.MULTILINE)


def test_what_arrived_carries_a_signature_that_dkimpy_accepts(shown: str) -> None:
    assert shown.endswith("\nDKIM: pass (d=test.com s=s1, rsa-sha256)\n")
    assert re.search(r"^  Received: from test\.com \(\[127\.0\.0\.1\]\) by relay\.sandbox\.test", shown, re.MULTILINE)
    assert re.search(r"^  Message-ID: <\S+@relay\.sandbox\.test>$", shown, re.MULTILINE)


def test_no_line_is_wider_than_promised(shown: str) -> None:
    own = shown[shown.index("\nTo ") : shown.index("== What arrived")]
    assert max(len(line) for line in own.splitlines()) <= 100


def test_an_output_that_cannot_show_the_guides_terms_does_not_stop_it(tmp_path: Path) -> None:
    env = environment(tmp_path, LC_ALL="C", PYTHONIOENCODING="ascii")
    ended = subprocess.run([*COMMAND, "--once"], env=env, capture_output=True, timeout=AT_MOST, check=False)
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert ended.stdout.isascii()
    assert b"DKIM: pass" in ended.stdout
