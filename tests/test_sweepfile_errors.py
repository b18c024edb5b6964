"""Every mistake that a sweep file can hold, and how it is told: tests/sweepfile_errors, a text beside each file."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnlang.codes import sweeps
from nnlang.diagnostics import Code, Stop, render
from nnlang.linting.check import lint
from nnlang.sweeps.sweepfile import load_sweep
from nnlang.syntax import read_source
from tests.conftest import Golden

ERRORS = Path(__file__).parent / "sweepfile_errors"
CASES = sorted(path.stem for path in ERRORS.glob("NN*.json"))
# Told by the command line alone: tests/test_sweep_generate.py.
ELSEWHERE = {sweeps.ADAPTIVE.code, sweeps.FOLDER_TAKEN.code, sweeps.TOO_MANY_COMBINATIONS.code}


@pytest.mark.parametrize("case", CASES)
def test_findings_read_as_blessed(case: str, golden: Golden, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ERRORS)
    found = [finding.diagnostic for finding in lint(read_source(f"{case}.json"))]
    golden(ERRORS / f"{case}.err", render(found) + "\n")
    assert case.partition("_")[0] in {d.code.code for d in found}


def test_every_code_of_sweeps_has_a_case() -> None:
    codes = {row.code for row in vars(sweeps).values() if isinstance(row, Code)}
    assert codes - {case.partition("_")[0] for case in CASES} == ELSEWHERE
    assert {path.stem for path in ERRORS.glob("*.err")} == set(CASES)


def test_a_definition_without_axes_is_told() -> None:
    with pytest.raises(Stop, match="NN249"):
        load_sweep(ERRORS / "base.json")


def test_the_page_lists_every_code() -> None:
    page = (ERRORS.parent.parent / "docs" / "sweeps.md").read_text(encoding="utf-8")
    rows = [row for row in vars(sweeps).values() if isinstance(row, Code)]
    assert [row.code for row in rows if f"| {row.code} | {row.name} | {row.severity} |" not in page] == []


def test_every_error_says_what_to_do() -> None:
    assert [row.code for row in vars(sweeps).values() if isinstance(row, Code) and not row.help] == []


def test_loading_tells_what_is_wrong_with_the_definition_at_its_own_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ERRORS)
    with pytest.raises(Stop) as stopped:
        load_sweep("NN230_wrong.json")
    assert [str(d.place).partition(":")[0] for d in stopped.value.diagnostics] == ["NN230_wrong.json", "wrong.json"]
