"""`queue …` as operators and scripts use it: through the command line, on both engines, beside a relay or without."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text, update
from typer.testing import CliRunner, Result

from directmail_relay.cli.queue import queue_app
from directmail_relay.database import schema
from directmail_relay.database.engine import Database
from directmail_relay.policy.verdict import Delivered, RetryAt
from directmail_relay.queue.orders import BITE
from directmail_relay.queue.put import put
from directmail_relay.queue.settle import settle
from tests.queue.mail import NOW, new_mail, row, settled

Run = Callable[..., Result]


def write_config(folder: Path, url: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(json.dumps({"hostname": "mail.example.com", "database": {"url": url}}))
    return path


@pytest.fixture
def config(tmp_path: Path, database_url: str) -> Path:
    return write_config(tmp_path, database_url)


@pytest.fixture
def run(config: Path) -> Run:
    """Runs `queue …` with the configuration; the result has stdout and stderr apart."""

    def ask(*words: str) -> Result:
        return CliRunner().invoke(queue_app, [*words, "-c", str(config)])

    return ask


@pytest.fixture
def filled(database: Database) -> Database:
    """A small queue: 1 waits for two, 2 (another account) is held, 3 is being delivered, 4 has ended."""
    database.write_now(
        put,
        [
            new_mail(1, "anna@one.test", "bert@two.test", claimed={1}),
            new_mail(2, "carl@two.test", account="other"),
            new_mail(3, "anna@one.test", claimed={0}),
            new_mail(4, "dora@one.test", claimed={0}),
        ],
    )
    r = schema.recipients
    hold = update(r).where(r.c.env_id == 2).values(state="held")
    database.write_now(lambda connection: connection.execute(hold))
    database.write_now(settle, [settled(4, Delivered()), settled(1, RetryAt(NOW + 9e8), index=1)])
    return database


def document(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    assert result.stdout.count("\n") == 1
    return json.loads(result.stdout)


def error(result: Result) -> tuple[str, str]:
    assert result.exit_code == 1
    assert result.stderr == ""
    found = json.loads(result.stdout)
    assert list(found) == ["error"]
    return found["error"]["code"], found["error"]["message"]


def refused(result: Result) -> str:
    """The one line on stderr."""
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    return result.stderr


def states(database: Database) -> list[str]:
    keys = ((1, 0), (1, 1), (2, 0), (3, 0), (4, 0))
    rows = [database.read_now(row, *key) for key in keys]
    return [one["state"] + (f" ({one['wanted']})" if one["wanted"] else "") for one in rows]


def test_list_as_json_is_the_promised_array(run: Run, filled: Database) -> None:
    found = document(run("list", "--json"))
    assert [(one["env_id"], one["rcpt"], one["state"]) for one in found] == [
        ("1", "anna@one.test", "queued"),
        ("1", "bert@two.test", "queued"),
        ("2", "carl@two.test", "held"),
        ("3", "anna@one.test", "delivering"),
    ]
    assert set(found[0]) == {"env_id", "rcpt", "destination", "account", "state", "attempts", "due_at", "age_seconds"}


@pytest.mark.parametrize(
    ("words", "env_ids"),
    [
        (["--env-id", "1"], ["1", "1"]),
        (["1"], ["1", "1"]),
        (["--rcpt", "ANNA@ONE.test"], ["1", "3"]),
        (["anna@one.test"], ["1", "3"]),
        (["--destination", "Two.Test"], ["1", "2"]),
        (["two.test"], ["1", "2"]),
        (["--account", "other"], ["2"]),
        (["--state", "delivering"], ["3"]),
        (["two.test", "--state", "held"], ["2"]),
        (["--limit", "2"], ["1", "1"]),
        (["--account", "nobody"], []),
    ],
)
def test_list_is_narrowed_by_what_is_named(run: Run, filled: Database, words: list[str], env_ids: list[str]) -> None:
    assert [one["env_id"] for one in document(run("list", *words, "--json"))] == env_ids


def test_list_for_people_is_a_table_of_whole_words(run: Run, filled: Database) -> None:
    result = run("list")
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["env_id", "rcpt", "account", "state", "attempts", "due_at", "age_seconds"]
    assert lines[1].split()[:5] == ["1", "anna@one.test", "shop", "queued", "0"]
    assert len(lines) == 5


def test_list_says_when_there_is_more(run: Run, filled: Database) -> None:
    assert run("list", "--limit", "2").stderr == "these are the first 2; --limit N shows more\n"


def test_list_of_nothing_says_so(run: Run) -> None:
    assert run("list").stdout == "nothing is open\n"
    assert run("list", "x.test").stdout == "nothing that is open matches\n"
    assert document(run("list", "--json")) == []


def test_show_as_json_is_the_promised_object(run: Run, filled: Database) -> None:
    found = document(run("show", "4", "--json"))
    assert found == document(run("show", "--env-id", "4", "--json"))
    assert (found["env_id"], found["account"], found["mail_from"]) == ("4", "shop", "notice@example.com")
    (recipient,) = found["recipients"]
    assert (recipient["rcpt"], recipient["state"], recipient["status"]) == ("dora@one.test", "delivered", 0)
    assert [(one["stage"], one["code"]) for one in recipient["attempts"]] == [("DATA", 250)]


def test_show_for_people_prints_what_a_host_said_and_obeys_none_of_it(run: Run, filled: Database) -> None:
    hostile = {"text": "[red]no[/red] \x1b]0;title\x07 such user"}
    a = schema.attempts
    filled.write_now(lambda connection: connection.execute(update(a).where(a.c.env_id == 4).values(**hostile)))
    result = run("show", "4")
    assert result.exit_code == 0
    assert "[red]no[/red] \\x1b]0;title\\x07 such user" in result.stdout
    assert "\x1b" not in result.stdout


def test_show_of_what_is_not_there_is_an_error(run: Run) -> None:
    assert refused(run("show", "77")) == "directmail-relay: there is no message 77, or no longer\n"
    assert error(run("show", "77", "--json")) == ("not_found", "there is no message 77, or no longer")


def test_show_without_a_number_lacks_an_argument(run: Run) -> None:
    assert run("show").exit_code == 2


def test_stats_as_json_is_the_promised_object(run: Run, filled: Database) -> None:
    found = document(run("stats", "--json"))
    assert found["recipients"] == {"queued": 2, "delivering": 1, "held": 1}
    one, two = found["destinations"]
    assert set(one) == {
        "destination", "queued", "delivering", "held", "oldest_seconds", "sessions", "paused_until"
    }  # fmt: skip
    assert [one[key] for key in ("destination", "queued", "delivering", "held")] == ["one.test", 1, 1, 0]
    assert [two[key] for key in ("destination", "queued", "delivering", "held")] == ["two.test", 1, 0, 1]
    assert len(document(run("stats", "--limit", "1", "--json"))["destinations"]) == 1


def test_stats_for_people(run: Run, filled: Database) -> None:
    lines = run("stats").stdout.splitlines()
    assert [line.split() for line in lines[:3]] == [["queued", "2"], ["delivering", "1"], ["held", "1"]]
    assert lines[5].split()[:4] == ["one.test", "1", "1", "0"]


def test_stats_for_people_say_when_there_is_more(run: Run, filled: Database) -> None:
    assert run("stats", "--limit", "1").stderr == "these are the 1 fullest; --limit N shows more\n"


def test_a_machine_gets_everything_unless_it_asks_for_less(run: Run, database: Database) -> None:
    database.write_now(put, [new_mail(n, f"u@x{n}.test") for n in range(1, 121)])
    assert len(document(run("list", "--json"))) == 120
    assert len(document(run("stats", "--json"))["destinations"]) == 120
    assert len(document(run("list", "--limit", "7", "--json"))) == 7


@pytest.mark.parametrize(
    ("words", "counts", "after"),
    [
        (["retry", "1"], (2, 0), ["queued", "queued", "held", "delivering", "delivered"]),
        (["hold", "one.test"], (1, 1), ["held", "queued", "held", "delivering (hold)", "delivered"]),
        (["release", "carl@two.test"], (1, 0), ["queued", "queued", "queued", "delivering", "delivered"]),
        (["drop", "--account", "other"], (1, 0), ["queued", "queued", "failed", "delivering", "delivered"]),
        (["drop", "--all"], (3, 1), ["failed", "failed", "failed", "delivering (drop)", "delivered"]),
        (["drop", "--all", "--limit", "1"], (1, 0), ["failed", "queued", "held", "delivering", "delivered"]),
        (["drop", "--state", "held"], (1, 0), ["queued", "queued", "failed", "delivering", "delivered"]),
        (["drop", "4"], (0, 0), ["queued", "queued", "held", "delivering", "delivered"]),
    ],
)
def test_orders(run: Run, filled: Database, words: list[str], counts: tuple[int, int], after: list[str]) -> None:
    assert document(run(*words, "--json")) == {"changed": counts[0], "marked": counts[1]}
    assert states(filled) == after


def test_an_order_tells_people_what_it_did(run: Run, filled: Database) -> None:
    assert run("hold", "--all").stdout == "changed 2, marked 1: being delivered now, their worker will obey\n"
    assert run("retry", "2").stdout == "changed 0: nothing that is open matches, or it is so already\n"


def test_a_large_order_goes_bite_by_bite_to_the_end(run: Run, database: Database) -> None:
    total = 2 * BITE + 7
    database.write_now(put, [new_mail(n, "u@x.test") for n in range(1, total + 1)])
    assert document(run("hold", "x.test", "--json")) == {"changed": total, "marked": 0}
    assert document(run("stats", "--json"))["recipients"] == {"queued": 0, "delivering": 0, "held": total}


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["drop", "--all", "one.test"], "contradict"),
        (["drop", "1", "--env-id", "1"], "twice"),
        (["drop", "77"], "there is no message 77"),
        (["drop", "--env-id", "one"], "an env_id is a number"),
        (["drop", "9" * 19], "an env_id is a number"),
        (["list", "--state", "delivered"], "--state is one of queued, delivering, held"),
        (["list", "--limit", "0"], "--limit takes a whole number above zero"),
        (["list", "--limit", "many"], "--limit takes a whole number above zero"),
        (["list", "--limit", "-1"], "--limit takes a whole number above zero"),
        (["list", "a b@one.test"], "is no address"),
        (["list", "--destination", "localhost"], "is no domain"),
        (["show", "one.test"], "an env_id is a number"),
    ],
)
def test_what_means_nothing_is_refused_in_one_sentence_and_does_nothing(
    run: Run, filled: Database, words: list[str], complaint: str
) -> None:
    before = states(filled)
    assert complaint in refused(run(*words))
    code, message = error(run(*words, "--json"))
    assert complaint in message
    assert code in {"bad_value", "not_found"}
    assert states(filled) == before


@pytest.mark.parametrize("words", [["list", "--colour"], ["drip"], ["drop"], ["drop", "--limit", "3"]])
def test_an_unknown_word_or_a_missing_argument_is_exit_code_2(run: Run, words: list[str]) -> None:
    assert run(*words).exit_code == 2


def test_international_addresses_are_named_as_people_write_them(run: Run, database: Database) -> None:
    database.write_now(put, [new_mail(1, "用户@xn--fsqu00a.test"), new_mail(2, '"a@b"@one.test')])
    assert [one["env_id"] for one in document(run("list", "用户@例子.test", "--json"))] == ["1"]
    assert [one["env_id"] for one in document(run("list", "例子.test", "--json"))] == ["1"]
    assert [one["env_id"] for one in document(run("list", '"a@b"@one.test', "--json"))] == ["2"]


def test_a_bad_configuration_is_exit_code_78(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("hostname: 7\n")
    assert CliRunner().invoke(queue_app, ["list", "-c", str(path)]).exit_code == 78
    missing = CliRunner().invoke(queue_app, ["list", "--json", "-c", str(tmp_path / "none.yaml")])
    assert missing.exit_code == 78
    assert json.loads(missing.stdout)["error"]["code"] == "config"


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    path = write_config(tmp_path, f"sqlite:///{tmp_path / 'relay.db'}")
    result = CliRunner().invoke(queue_app, ["list", "-c", str(path)])
    assert "there is no database at" in refused(result)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("content", [b"", b"this is no database" * 500])
def test_a_file_that_is_no_database_of_ours_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "relay.db").write_bytes(content)
    path = write_config(tmp_path, f"sqlite:///{tmp_path / 'relay.db'}")
    result = CliRunner().invoke(queue_app, ["drop", "--all", "--json", "-c", str(path)])
    assert error(result)[0] in {"schema", "database"}


def test_a_server_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    path = write_config(tmp_path, f"postgresql://relay:pass-word@/relay?host={tmp_path}")
    complaint = refused(CliRunner().invoke(queue_app, ["list", "-c", str(path)]))
    assert "the database cannot be used" in complaint
    assert "pass-word" not in complaint


def test_a_schema_of_another_version_is_refused(run: Run, tmp_path: Path, sqlite_url: str) -> None:
    database = Database(sqlite_url)
    newer = text("UPDATE alembic_version SET version_num = '9999'")
    database.write_now(lambda connection: connection.execute(newer))
    database.close()
    path = write_config(tmp_path, sqlite_url)
    code, message = error(CliRunner().invoke(queue_app, ["stats", "--json", "-c", str(path)]))
    assert code == "schema"
    assert "newer program" in message


@pytest.fixture
def service_folder() -> Iterator[Path]:
    """Outside of pytest's own folders, which only their maker may enter."""
    folder = Path(tempfile.mkdtemp(prefix="relay-cli-"))
    yield folder
    shutil.rmtree(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can work as somebody else")
def test_run_by_root_it_works_as_the_databases_owner(service_folder: Path, migrated_file: Path) -> None:
    path = service_folder / "relay.db"
    shutil.copyfile(migrated_file, path)
    database = Database(f"sqlite:///{path}")
    database.write_now(put, [new_mail(1)])
    database.close()
    (service_folder / "relay.db-lock").unlink()
    for each in (service_folder, path):
        os.chown(each, 12345, 12346)
    config = write_config(service_folder, f"sqlite:///{path}")
    config.chmod(0o600)  # root's alone
    script = (
        "import os, sys\n"
        "from directmail_relay.cli.queue import queue_app\n"
        "queue_app(['hold', '--all', '-c', sys.argv[1]], standalone_mode=False)\n"
        "print(os.geteuid(), os.getegid())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(config)], capture_output=True, text=True, check=False, timeout=30
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["changed 1", "0 0"]
    made = {each.name: (each.stat().st_uid, each.stat().st_gid) for each in service_folder.iterdir()}
    assert made.pop("config.yaml") == (0, 0)
    assert set(made) >= {"relay.db", "relay.db-lock"}
    assert set(made.values()) == {(12345, 12346)}
