"""What README says can be typed: its shell blocks and its Python block run, on a small sample, in order."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from nnlang.rules import RULES
from nnlang.runtime.sample import taste_groups

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def commands(after: str) -> list[list[str]]:
    """The nnlang commands of the indented blocks of one section."""
    section = README.split(f"## {after}\n", 1)[1].split("\n## ", 1)[0].replace("\\\n", " ")
    lines = re.findall(r"^    (nnlang .*)$", section, re.MULTILINE)
    return [shlex.split(line, comments=True) for line in lines]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place with a `ratings` file of a hundred users, and the examples where README looks for them."""
    made: Path = tmp_path_factory.mktemp("readme")
    taste_groups(100, 150, 2500, seed=3).write(made / "ratings")
    (made / "examples").symlink_to(ROOT / "examples")
    (made / "config.json").write_text((ROOT / "examples/movielens/config.json").read_text())
    return made


def run(words: list[str], folder: Path) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "nnlang", *words[1:]] if words[0] == "nnlang" else [sys.executable, *words]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, f"{shlex.join(words)}\n{done.stdout}\n{done.stderr}"


def test_the_commands_for_ones_own_data_run(folder: Path) -> None:
    found = commands("With your own data")
    assert [words[1] for words in found] == ["generate", "generate", "train", "predict", "evaluate"]
    for words in found:
        run(words, folder)
    assert len((folder / "recs").read_text().splitlines()) == 100


def test_the_python_block_runs(folder: Path) -> None:
    for name in ("gl.nc", "recs"):
        (folder / name).unlink(missing_ok=True)
    run(["-c", PYTHON[0]], folder)
    assert len((folder / "recs").read_text().splitlines()) == 100


def test_the_commands_that_judge_and_try_out_run(folder: Path) -> None:
    found = commands("Numbers that can be trusted, definitions that are tried out")
    sweeping = [["sweep", word] for word in ("generate", "run", "best", "report")]
    judging = [["data", "describe"], ["data", "split"], ["generate"], ["generate"], ["train"], ["evaluate"], ["report"]]
    for words, began in zip(found, [*judging, ["lint"], *sweeping], strict=True):
        assert words[1 : 1 + len(began)] == began
        run([*words, "--trials", "3"] if began == ["sweep", "run"] else words, folder)
    assert "<html" in (folder / "report.html").read_text()


def test_the_commands_for_several_devices_run(folder: Path) -> None:
    found = commands("More than one device")
    assert [words[1] for words in found] == ["train", "compile"]
    for words in found:
        run(words, folder)
    assert (folder / "shared.nc").is_file()


def test_the_commands_about_definitions_run(folder: Path) -> None:
    (folder / "networks").mkdir()
    text = (ROOT / "examples/movielens/config.json").read_text()
    (folder / "networks" / "wide.json").write_text(text.replace('"auto"', "27278").replace('"Sparse"', '"sparse"'))
    found = commands("Definitions that are right")
    assert [words[1] for words in found] == ["lint", "lint", "explain", "format", "graph"]
    for words in found:
        run(words, folder)
    assert (folder / "config.svg").read_text().startswith("<svg")


def test_the_number_of_rules_is_right() -> None:
    assert f"| checking | {len(RULES)} rules" in README


def test_the_compile_commands_run(folder: Path) -> None:
    for words in commands("How to read the code"):
        run(words, folder)
    assert "def step(" in (folder / "out" / "source.py").read_text()
