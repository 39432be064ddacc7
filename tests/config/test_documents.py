"""config.example.yaml and docs/configuration.md say what the models say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from directmail_relay.config import Config, load_config
from directmail_relay.config.problems import find_models

ROOT = Path(__file__).parents[2]
EXAMPLE = (ROOT / "config.example.yaml").read_text()
DOCUMENT = (ROOT / "docs" / "configuration.md").read_text()
ROW = re.compile(r"^\| `([^`]+)` \| (.+?) \| (.+?) \|$", re.MULTILINE)


def list_keys(model: type[BaseModel], above: str = "") -> Iterator[str]:
    """`smtp.listeners[].port` and so on, for each value that is no mapping itself."""
    for name, field in model.model_fields.items():
        below = list(find_models(field.annotation))
        path = above + name + ("[]" if below and "tuple" in str(field.annotation) else "")
        if below:
            yield from list_keys(below[0], f"{path}.")
        else:
            yield path


def use_alternatives(text: str) -> str:
    """The example with what stands behind "# or:" in place of the defaults, and the commented lines uncommented."""
    text = re.sub(r"(?:null|\[\]) +# or:(.*)", r"\1", text)
    return re.sub(r"^#(  .*)", r"\1", text, flags=re.MULTILINE)


def find_values(data: Any, path: str) -> list[Any]:
    found = [data]
    for part in path.split("."):
        name = part.removesuffix("[]")
        found = [one[name] for one in found if isinstance(one, dict) and name in one]
        if part.endswith("[]"):
            found = [entry for one in found for entry in one]
    return found


def render(value: Any) -> Any:
    return yaml.safe_load(value.strip("`"))


def test_the_example_holds_the_defaults(files: Path) -> None:
    path = files / "example.yaml"
    path.write_text(EXAMPLE)
    bare = files / "bare.yaml"
    bare.write_text("hostname: mail.example.com\n")
    assert load_config(path) == load_config(bare)


def test_the_alternatives_in_the_example_load_too(files: Path) -> None:
    path = files / "alternatives.yaml"
    path.write_text(use_alternatives(EXAMPLE).replace("        tls: none", "        tls: starttls"))
    config = load_config(path)
    assert config.smtp.tls is not None
    assert config.smtp.listeners[0].auth_without_tls == "never"
    assert config.accounts[0].domains[0].dkim is not None
    assert config.accounts[0].daily_quota == 200_000
    assert len(config.accounts[0].ip_protection.entries) == 3
    assert config.delivery.routes[0].as_policy().matches("example.org")


def test_the_example_shows_every_key() -> None:
    data = yaml.safe_load(use_alternatives(EXAMPLE))
    assert [key for key in list_keys(Config) if not find_values(data, key)] == []


def test_the_document_has_a_row_for_every_key_and_no_other() -> None:
    keys = [row[0] for row in ROW.findall(DOCUMENT)]
    assert sorted(keys) == sorted(list_keys(Config))


def test_the_document_and_the_example_agree_about_the_defaults() -> None:
    data = yaml.safe_load(
        re.sub(r"^#(  .*)", r"\1", EXAMPLE.replace("[]                    # or:", ""), flags=re.MULTILINE)
    )
    assert data["accounts"][0]["name"] == "shop"
    for key, default, _ in ROW.findall(DOCUMENT):
        if default.startswith("`"):
            assert find_values(data, key)[:1] == [render(default)], key


def test_the_example_without_accounts_is_plain_yaml() -> None:
    assert yaml.safe_load(EXAMPLE)["accounts"] == []
