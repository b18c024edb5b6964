"""The parts of a sweep's report: axes as numbers, intervals, importance, colours."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nnlang.reports import bounds, columns, definitions, evidence, importance
from nnlang.reports.plots import SCALE, colour_at, figure_text
from nnlang.search.study import State, Trial
from tests import studies


def test_intervals_come_from_users() -> None:
    values = [0.0, 1.0] * 50
    found = evidence.over_users(values)
    assert found is not None and (found.mean, found.count) == (0.5, 100)
    assert found.high - 0.5 == pytest.approx(1.959964 * (25 / 99) ** 0.5 / 10)
    assert evidence.over_users([1.0]) is None
    repeated = evidence.over_repeats([1.0, 3.0])
    assert repeated is not None and repeated.high - 2.0 == pytest.approx(12.706 * 1.0, rel=1e-3)


def test_who_cannot_be_told_from_the_best() -> None:
    def bar(value: float, reach: float) -> bounds.Bar:
        return bounds.Bar("", value, evidence.Interval(value, value - reach, value + reach, 9))

    assert bounds.told_apart_not([bar(5, 1), bar(4, 0.5), bar(3.5, 0.6), bar(2, 0.9)]) == {0, 1, 2}
    assert bounds.told_apart_not([bounds.Bar("", 1.0, None)]) == set()


def test_folds_are_repeats_of_one_setting(tmp_path: Path) -> None:
    def draw(source: random.Random) -> dict[str, Any]:
        return {"Denoising.p": source.choice([0.1, 0.35]), "split.fold": source.randrange(5)}

    study = replace(studies.study(tmp_path, 60, draw=draw), axes=("Denoising.p", "split.fold"))
    plot = bounds.bounds(study, {})
    assert "the mean of" in plot.caption and "Student" in plot.caption
    assert sum(len(trace["x"]) for trace in plot.traces) == 2


def test_importance_finds_what_matters(tmp_path: Path) -> None:
    made = studies.study(tmp_path, 120)
    axes = columns.columns(made, {})
    plot = importance.importance(made, axes)
    (trace,) = plot.traces
    assert trace["y"][-1] == "Layers.Hidden.N" and sum(trace["x"]) == pytest.approx(1)
    assert plot == importance.importance(made, axes)
    flat = replace(made, trials=tuple(replace(t, value=0.1 if t.value else None) for t in made.trials))
    assert importance.importance(flat, axes).traces == ()


def test_axes_become_numbers() -> None:
    def column(values: list[Any], kind: str = "") -> columns.Column:
        return columns.column("a", [Trial(n, State.FINISHED, {"a": v}) for n, v in enumerate(values, 1)], kind)

    assert column([64, 128, 4096]).logarithmic and not column([64, 128, 512]).logarithmic
    assert column([0.001, 0.002], "LogUniform").logarithmic and not column([-1, 200]).logarithmic
    assert column(["b", None, "a"]).labels == ("a", "b", "null")
    assert column([True, False]).labels == ("false", "true")
    assert column([3, 10, "x"]).labels == ("3", "10", "x")
    assert column([0.1, 0.33333]).ticks()[1] == ["0.1", "0.2", "0.3"]
    assert column([0.0013131, 0.0571], "LogUniform").ticks()[1] == ["0.002", "0.005", "0.01", "0.02", "0.05"]
    assert column([5]).bounds == (4.45, 5.55)


def test_colours_run_along_the_scale() -> None:
    assert [colour_at(at) for at, _ in SCALE] == [colour for _, colour in SCALE]
    assert colour_at(-1) == SCALE[0][1] and colour_at(2) == SCALE[-1][1]
    assert figure_text(0.25) == "0.25000" and figure_text(1.5e-7) == "1.5e-07" and figure_text(None) == ""


def test_a_difference_has_a_key_a_line() -> None:
    old = '{ "Denoising": { "p": 0.2 }, "N": 16, "Name": "AE" }'
    new = json.dumps({"Denoising": {"p": 0.2}, "N": 32, "Name": "AE"}, indent=2)
    found = definitions.difference(old, new, ("base", "trial 1"))
    assert found.count('class="minus"') == found.count('class="plus"') == 1
    assert definitions.difference(old, old, ("base", "trial 1")) == ""
    assert "// a" in definitions.difference("// a\n{", "// b\n{", ("base", "trial 1"))
