"""The docs are held against the code: what has a name for users stands in docs/, and the README keeps its length."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from directmail_relay.mail import replies
from directmail_relay.mail.event import FinalEvent
from directmail_relay.policy.bounces import Category

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "directmail_relay"
DOCS = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md")}
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(replies.table()))
def test_every_reply_of_ours_is_explained(name: str) -> None:
    reply = replies.table()[name]
    shown = " ".join(part for part in (f"`{reply.code}", reply.enhanced, f"{reply.text}`") if part).replace("|", "\\|")
    assert shown in DOCS["replies.md"]


@pytest.mark.parametrize("field", [field.name for field in fields(FinalEvent)])
def test_every_field_of_the_final_event_is_explained(field: str) -> None:
    assert f"`{field}`" in DOCS["message-path.md"]


@pytest.mark.parametrize("category", [category.value for category in Category])
def test_every_category_is_explained(category: str) -> None:
    assert f"\n| {category} |" in DOCS["bounces.md"]


def test_every_metric_is_explained() -> None:
    declared = set(re.findall(r'"(directmail_[a-z_]+)"', (PACKAGE / "telemetry" / "metrics.py").read_text()))
    assert len(declared) > 10
    assert {name for name in declared if f"`{name}" not in DOCS["operations.md"]} == set()


def test_every_command_is_explained() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "directmail_relay", "--help"], check=True, capture_output=True, text=True
    ).stdout
    commands = re.findall(r"^  ([a-z][a-z-]+)  ", shown, re.MULTILINE)
    assert {"serve", "demo", "queue", "classify", "check-config"} <= set(commands)
    known = DOCS["operations.md"] + README
    assert [name for name in commands if not re.search(rf"[`a-z] ?{name}\b", known)] == []


def test_every_event_of_the_log_is_explained() -> None:
    events = {name for path in PACKAGE.rglob("*.py") for name in _logged_events(path)}
    assert len(events) > 40
    assert {name for name in events if f"`{name}`" not in DOCS["operations.md"]} == set()


def test_links_between_the_pages_lead_somewhere() -> None:
    pages = {"README.md": README, **{f"docs/{name}": text for name, text in DOCS.items()}}
    broken = [
        f"{page}: {target}"
        for page, text in pages.items()
        for target in re.findall(r"\]\(([^)#:]+)\)", text)
        if not (ROOT / page).parent.joinpath(target).exists()
    ]
    assert broken == []


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 100


def _logged_events(path: Path) -> set[str]:
    """The first argument of every `log.info("…")` and the like."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in {"debug", "info", "warning", "error", "critical", "exception"}
            and node.args
            and isinstance(node.args[0], ast.Constant)
            and isinstance(node.args[0].value, str)
        ):
            found.add(node.args[0].value)
    return found
