"""docs/bounces.md says what the code does: its tables are read and compared."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from directmail_relay.mail.attempt import Stage
from directmail_relay.mail.reply import Origin, Reply
from directmail_relay.policy.bounce_files import effects, read_rules
from directmail_relay.policy.classify import Category, classify

DOC = (Path(__file__).parents[2] / "docs" / "bounces.md").read_text("utf-8")


def table(heading: str) -> list[list[str]]:
    """The cells of the table under a heading, without its first two lines."""
    section = DOC.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_every_category_stands_in_the_table_once() -> None:
    assert sorted(row[0] for row in table("The categories")) == sorted(Category)


@pytest.mark.parametrize("row", table("The categories"), ids=lambda row: row[0])
def test_a_category_does_what_the_table_says(row: list[str]) -> None:
    name, rows, _, temporary, permanent, suppress, status = row
    category = Category(name)
    effect = effects()[category]
    assert (effect.temporary, effect.permanent) == (temporary, permanent)
    assert suppress == ("yes" if category.names_a_bad_address else "no")
    assert int(status) == (2 if category.names_a_bad_address else effect.status)
    listed: dict[Category, set[str]] = defaultdict(set)
    for rule in read_rules():
        if rule.row:
            listed[rule.category].add(rule.row)
    assert set(rows.replace(",", " ").split()) == listed[category]


@pytest.mark.parametrize("row", table("What the relay finds out itself"), ids=lambda row: row[0])
def test_our_own_codes_do_what_the_table_says(row: list[str]) -> None:
    code, text, guide_row, retry, suppress, status = row
    found = classify(Reply(int(code), text, origin=Origin.LOCAL), Stage.RESOLVE)
    assert found.rule.startswith(f"{guide_row}/")
    assert (retry.split(",")[0], suppress, int(status)) == (found.retry, found.suppress, found.status)


def test_every_contradiction_has_its_line() -> None:
    assert [row[0] for row in table("How the contradictions of the guide's table are settled")] == [
        f"A{n}" for n in range(1, 32)
    ]
