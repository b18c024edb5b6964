"""Every diagnostic of the language, whole: tests/errors/<code>_<case>.json says it, .err is what people read.

Beside a case may lie `.data` (facts of data sets: the case is checked as training would) and `.limits`. Cases of
job files are called <code>_job_<case>. Rules that look at a definition as a whole are asked for in `.settings`:
then the case is linted, for that code alone.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nnlang.codes import advice, catalogue, compat, keys, names, shapes, syntax
from nnlang.definition import check
from nnlang.diagnostics import Code, Diagnostic, Report, Stop, render
from nnlang.job import check_job
from nnlang.linting.check import lint
from nnlang.linting.settings import Settings
from nnlang.network import DataFacts
from nnlang.rules.rule import Saved
from nnlang.source import Source
from nnlang.syntax import Limits, read_source
from tests.conftest import Golden

ERRORS = Path(__file__).parent / "errors"
CASES = sorted(path.stem for path in ERRORS.glob("NN*.json"))
OURS = [row for family in (syntax, keys, names, shapes, advice, compat) for row in vars(family).values()]


def _beside(case: str, suffix: str) -> Any:
    path = ERRORS / (case + suffix)
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def _findings(case: str) -> list[Diagnostic]:
    facts, limits = _beside(case, ".data"), Limits(**(_beside(case, ".limits") or {}))
    try:
        source = read_source(f"{case}.json", limits)
    except Stop as stopped:
        return list(stopped.diagnostics)
    if (settings := _beside(case, ".settings")) is not None:
        return _linted(case, source, settings, facts)
    if "_job_" in case:
        report = Report()
        check_job(source, report, limits)
        return report.sorted()
    data = {f["name"]: DataFacts(**f) for f in facts or ()}
    return check(source, data, need_shapes=facts is not None, limits=limits).report.sorted()


def _linted(
    case: str, source: Source, settings: dict[str, Any], facts: list[dict[str, Any]] | None
) -> list[Diagnostic]:
    """The findings of the case's own code."""
    code, saved = case[:5], settings.pop("saved", None)
    network = saved and check(Source("saved.json", saved), need_shapes=False).network
    model = Saved("model.nc", network) if network else None
    found = lint(
        source, Settings(extend_select=(code,), **settings), {f["name"]: DataFacts(**f) for f in facts or ()}, model
    )
    return [f.diagnostic for f in found if f.diagnostic.code.code == code]


@pytest.mark.parametrize("case", [*CASES, "NN101_missing"])
def test_findings_read_as_blessed(case: str, golden: Golden, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ERRORS)
    found = _findings(case)
    golden(ERRORS / f"{case}.err", render(found) + "\n")
    code = case.split("_", maxsplit=1)[0]
    assert code not in catalogue() or code in {d.code.code for d in found}


def test_every_code_of_the_language_has_a_case() -> None:
    codes = {row.code for row in OURS if isinstance(row, Code)}
    assert codes - {path.name.split("_")[0] for path in ERRORS.glob("*.err")} == set()


def test_texts_of_cases_that_do_not_exist_are_not_kept() -> None:
    assert {path.stem for path in ERRORS.glob("*.err")} - {*CASES, "NN101_missing"} == set()


@pytest.mark.parametrize("code", sorted(catalogue()))
def test_codes_are_well_formed(code: str) -> None:
    row = catalogue()[code]
    assert row.code[:2] == "NN" and row.code[2:].isdigit() and len(row.code) == 5
    assert row.message and not row.message.endswith(".")


def test_every_error_of_the_language_says_what_to_do() -> None:
    assert [row.code for row in OURS if isinstance(row, Code) and row.severity == "error" and not row.help] == []
