"""`suppress …`: the list by hand and by file, in the encodings and shapes that people's files have."""

from __future__ import annotations

import io
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from directmail_relay.accounts.accounts import add_account
from directmail_relay.accounts.changes import Change, list_audit
from directmail_relay.cli import suppress_work
from directmail_relay.cli.address_file import find_encoding, read_rows
from directmail_relay.cli.suppress import suppress_app
from directmail_relay.database.engine import Database
from tests.queue.mail import NOW

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, database_url: str) -> Run:
    path = tmp_path / "config.yaml"
    path.write_text(json.dumps({"hostname": "mail.example.com", "database": {"url": database_url}}))

    def ask(*words: str) -> Result:
        return CliRunner().invoke(suppress_app, [*words, "--account", "shop", "-c", str(path)])

    return ask


@pytest.fixture(autouse=True)
def account(database: Database) -> None:
    database.write_now(add_account, Change("cli:root", NOW), "shop")


def document(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def listed(run: Run) -> list[str]:
    return [one["address"] for one in document(run("list", "--json"))]


def test_add_list_and_delete(run: Run) -> None:
    assert "is empty" in run("list").stdout
    assert document(run("add", "Anna@x.test", "--json"))["address"] == "anna@x.test"
    assert listed(run) == ["anna@x.test"]
    assert "anna@x.test" in run("list").stdout
    assert run("delete", "ANNA@x.test").exit_code == 0
    assert listed(run) == []
    result = run("delete", "anna@x.test", "--json")
    assert json.loads(result.stdout)["error"]["code"] == "suppression_not_found"


CHINESE = "姓名,邮箱,备注\r\n张三,zhang@x.test,退订\r\n李四,li@x.test,\r\n"


@pytest.mark.parametrize(
    "content",
    [
        CHINESE.encode(),
        CHINESE.encode("utf-8-sig"),
        CHINESE.encode("gbk"),
        CHINESE.encode("utf-16"),
        CHINESE.encode("utf-16-be"),
        "zhang@x.test\nli@x.test".encode("utf-16-le"),
        b"zhang@x.test\nli@x.test",
        b"name;Email\r\nZ;zhang@x.test\r\nL;li@x.test\r\n",
        b"Address\tname\r\n\r\nzhang@x.test\tZ\r\n \r\nLI@X.TEST\tL\r\n",
        b'"zhang@x.test","a ""quoted"" cell"\n" li@x.test "\n',
    ],
)
def test_files_as_people_have_them(run: Run, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(content)
    assert document(run("import", str(path), "--json")) == {"added": 2, "known": 0, "refused": 0, "rows": []}
    assert listed(run) == ["li@x.test", "zhang@x.test"]


def test_what_is_no_address_is_told_by_row_and_the_others_are_taken(
    run: Run, tmp_path: Path, database: Database
) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(b"email,x\na@x.test,\nnonsense,1\n,2\n'+b@x.test,\n=cmd(),\nA@x.test,\n\xff\xfe@x.test\n")
    found = document(run("import", str(path), "--json"))
    assert (found["added"], found["known"], found["refused"]) == (2, 1, 4)
    assert [one["row"] for one in found["rows"]] == [3, 4, 6, 8]
    assert all(one["why"] for one in found["rows"])
    assert listed(run) == ["+b@x.test", "a@x.test"]
    shown = run("import", str(path)).stdout
    assert "0 added, 3 known already, 4 refused" in shown
    assert "nonsense" in shown
    end, begin = database.read_now(list_audit)[:2]
    assert (begin["what"], end["what"], end["object"]) == ("suppress.import", "suppress.imported", "list.csv")


def test_a_long_file_is_taken_in_bite_by_bite_and_names_only_the_first_refusals(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suppress_work, "BITE", 3)
    monkeypatch.setattr(suppress_work, "TOLD", 2)
    path = tmp_path / "list.csv"
    path.write_text("".join(f"n{n}@x.test\nno{n}\n" for n in range(10)))
    result = run("import", str(path))
    assert "10 added, 0 known already, 10 refused" in result.stdout
    assert "first 2 that were refused" in result.stderr


def test_a_file_that_cannot_be_read_is_refused_in_a_sentence(run: Run, tmp_path: Path) -> None:
    result = run("import", str(tmp_path / "none.csv"))
    assert result.exit_code == 1
    assert "cannot be read" in result.stderr
    assert "cannot be read" in run("import", str(tmp_path)).stderr


def test_a_line_without_end_costs_no_memory(tmp_path: Path) -> None:
    """A hundred million octets without a line end, with room for far less."""
    path = tmp_path / "long.csv"
    with path.open("wb") as file:
        file.write(b"a@x.test\n")
        file.truncate(100_000_000)
    tracemalloc.start()
    with path.open("rb") as source, io.TextIOWrapper(source, find_encoding(source), errors="replace") as text:
        rows = list(read_rows(text))
        _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert rows[0].address == "a@x.test"
    assert len(rows) <= 2
    assert peak < 20_000_000


@given(st.binary(max_size=300))
def test_no_file_is_too_odd_to_be_read(content: bytes) -> None:
    file = io.BytesIO(content)
    encoding = find_encoding(file)
    assert file.tell() == 0
    rows = list(read_rows(io.TextIOWrapper(file, encoding=encoding, errors="replace", newline=None)))
    assert all(bool(row.address) != bool(row.problem) for row in rows)
