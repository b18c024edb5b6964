"""Every rule of lint: its bad example breaks it, its good one breaks nothing, its fix mends what it says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nnlang.codes import catalogue, sweeps
from nnlang.codes.training import NOT_YET_SUPPORTED
from nnlang.diagnostics import Code, Report
from nnlang.linting.check import Finding, lint
from nnlang.linting.edits import edited
from nnlang.linting.settings import Settings
from nnlang.rules import RULES
from nnlang.rules.rule import FRAMES, Example, Rule, Saved
from nnlang.source import Source
from tests.meaning import meaning_of

FAMILIES = ("NN1", "NN2", "NN3", "NN40", "NN41", "NN42", "NN43", "NN44", "NN5", "NN6", "NN730")


def found(example: Example) -> list[Finding]:
    """What lint says of an example, every rule asked for."""
    settings = Settings(extend_select=("NN",), memory=example.memory, strict=example.strict)
    saved = None
    if example.saved:
        network = lint_network(example.saved)
        saved = Saved("model.nc", network)
    facts = {d.name: d for d in example.data}
    return lint(Source("config.json", example.whole), settings, facts, saved)


def lint_network(text: str):  # type: ignore[no-untyped-def]
    """The network of a sound text whose sizes are written."""
    from nnlang.definition import check

    network = check(Source("saved.json", text), need_shapes=False).network
    assert network is not None
    return network


def told_by_shell(example: Example, folder: Path) -> str:
    """What the command lines of an example print, run in an empty folder with `nnlang` at hand."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path}
    ran = subprocess.run(
        ["sh", "-c", example.text], cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    return ran.stdout + ran.stderr


def test_every_code_of_the_language_is_a_rule() -> None:
    of_sweeps = {row.code for row in vars(sweeps).values() if isinstance(row, Code)}  # docs/sweeps.md has them all
    codes = {code for code in catalogue() if code.startswith(FAMILIES)} - of_sweeps
    assert codes - set(RULES) == set()
    assert set(RULES) - codes == set()
    assert len(RULES) >= 60


@pytest.mark.parametrize("code", RULES)
def test_the_bad_example_breaks_the_rule_and_the_good_one_none(code: str, tmp_path: Path) -> None:
    rule = RULES[code]
    if rule.bad.frame == "shell":
        assert f"[{code}]" in told_by_shell(rule.bad, tmp_path)
        assert f"[{code}]" not in told_by_shell(rule.good, tmp_path)
        return
    assert code in {f.diagnostic.code.code for f in found(rule.bad)}
    after = found(rule.good)
    assert code not in {f.diagnostic.code.code for f in after}
    errors = [f.diagnostic for f in after if f.diagnostic.code.severity == "error"]
    assert [d.message for d in errors if d.code.code != NOT_YET_SUPPORTED.code] == []


@pytest.mark.parametrize("code", [code for code, rule in RULES.items() if rule.fix])
def test_the_fix_mends_the_bad_example(code: str) -> None:
    example = RULES[code].bad
    before = found(example)
    finding = next(f for f in before if f.diagnostic.code.code == code)
    assert finding.fix is not None, "the bad example should be one that the fix can mend"
    assert finding.fix.safe == RULES[code].safe
    text = edited(example.whole, [finding.fix])
    after = found(Example(text, "whole", example.data, example.memory, example.saved, example.strict))
    count = [sum(f.diagnostic.code.code == code for f in fs) for fs in (before, after)]
    assert count[1] < count[0]
    errors = [sum(f.diagnostic.code.severity == "error" for f in fs) for fs in (before, after)]
    assert errors[1] <= errors[0]
    meaning = meaning_of(example.whole)
    if finding.fix.safe and meaning is not None:
        assert meaning_of(text) == meaning


@pytest.mark.parametrize("code", RULES)
def test_rules_are_told_in_full(code: str) -> None:
    rule: Rule = RULES[code]
    assert rule.bad.frame in {*FRAMES, "shell"} and rule.good.frame in {*FRAMES, "shell"}
    assert 80 <= len(rule.why) <= 900, "one paragraph"
    assert rule.why.endswith(".") and "\n" not in rule.why


def test_a_report_is_what_lint_sorts_by() -> None:
    text = '{ "Layers": [ {"N": 3, "Kind": "Hidden"} ], "Sparse": 1 }'
    places = [f.diagnostic.place.span.start for f in lint(Source("a", text)) if f.diagnostic.place.span]  # type: ignore[union-attr]
    assert places == sorted(places) and isinstance(Report(), Report)
