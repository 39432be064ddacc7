"""Each file in tests/bad_configs is refused with exactly the problems that its first lines name.

`{folder}` stands for the folder with the files that a configuration may name (see conftest.py).
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from directmail_relay.config import ConfigError, load_config

FOLDER = Path(__file__).parents[1] / "bad_configs"
MARK = b"# error: "


def read_expected(path: Path, folder: Path) -> list[str]:
    lines = [line for line in path.read_bytes().splitlines() if line.startswith(MARK)]
    return [line.removeprefix(MARK).decode().replace("{folder}", str(folder)) for line in lines]


@pytest.mark.parametrize("path", sorted(FOLDER.iterdir()), ids=lambda path: path.stem)
def test_a_bad_config_is_refused_with_its_problems(path: Path, files: Path) -> None:
    expected = read_expected(path, files)
    assert expected, "the first line must name the error"
    shutil.copy(path, files / "bad.yaml")
    with pytest.raises(ConfigError) as caught:
        load_config(files / "bad.yaml")
    assert [str(problem) for problem in caught.value.problems] == expected


def test_there_are_enough_of_them() -> None:
    assert len(list(FOLDER.glob("*.yaml"))) >= 25
