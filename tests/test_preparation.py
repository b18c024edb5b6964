"""Feature preparation: each step against plain Python, rows apart, what is stored and what is refused."""

from __future__ import annotations

import json
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlang.definition import check
from nnlang.diagnostics import Stop
from nnlang.network import DataFacts, Preparation, Step
from nnlang.runtime import fitted, model, preparation_information
from nnlang.runtime.dataset import dense_set
from nnlang.runtime.preparation import apply, entries_of, fit, recorded
from nnlang.runtime.preparation_steps import Entries
from nnlang.source import Source
from tests.prepared import (
    ITEMS,
    LAYERS,
    REFERENCE,
    UNITS,
    Row,
    Table,
    core,
    fitted_on,
    information,
    network_of,
    rows_of,
    sparse,
)

values = st.one_of(st.integers(-3, 9).map(float), st.sampled_from((0.5, 0.7, 3.25, 1e-3, 2.5e4)))


row_lists = st.lists(st.dictionaries(st.integers(0, UNITS - 1), values, max_size=6), min_size=1, max_size=9)
single = st.one_of(
    st.sampled_from([Preparation(s) for s in REFERENCE if s not in (Step.THRESHOLD, Step.TOP_FREQUENCY, Step.K_CORE)]),
    st.builds(Preparation, st.just(Step.ROW_NORM), norm=st.sampled_from((1, 2))),
    st.builds(Preparation, st.just(Step.THRESHOLD), least=st.sampled_from((0.7, 0.0, 3.0, -1.0))),
    st.builds(Preparation, st.just(Step.TOP_FREQUENCY), n=st.integers(1, 9)),
    st.builds(Preparation, st.just(Step.K_CORE), users=st.integers(0, 3), items=st.integers(0, 3)),
)
chains = st.lists(single, min_size=1, max_size=4).map(tuple)


@settings(max_examples=150, deadline=None)
@given(rows=row_lists, other=row_lists, step=single, analog=st.booleans())
def test_each_step_is_what_its_formula_says(rows: list[Row], other: list[Row], step: Preparation, analog: bool) -> None:
    if not analog:
        rows, other = ([dict.fromkeys(row, 1.0) for row in table] for table in (rows, other))
    plain = [{f: float(np.float32(v)) for f, v in row.items()} for row in rows]
    expected = REFERENCE[step.step](step, plain, plain)
    if step.step is Step.K_CORE:
        expected = [expected[u] for u in core(step, plain)[1]]
    if (any(plain) and not any(expected)) or not expected:
        with pytest.raises(Stop, match="NN487"):
            fitted_on((step,), sparse(rows, analog=analog))
        return
    made = fitted_on((step,), sparse(rows, analog=analog))["in"]
    assert made.prepared is not None and made.prepared.analog == analog
    same(rows_of(made), expected)
    seen = [{f: float(np.float32(v)) for f, v in row.items()} for row in other]
    same(rows_of(apply(made.prepared, sparse(other, analog=analog))), REFERENCE[step.step](step, plain, seen))


def same(found: list[Row], expected: Table) -> None:
    """The same features in every row, with values that agree to float32."""
    assert [sorted(row) for row in found] == [sorted(row) for row in expected]
    for one, row in zip(found, expected, strict=True):
        assert [one[f] for f in sorted(row)] == pytest.approx([row[f] for f in sorted(row)], rel=1e-6, abs=1e-6)


@settings(max_examples=100, deadline=None)
@given(rows=row_lists, other=row_lists, steps=chains, data=st.data())
def test_a_row_hangs_on_no_other_row(rows: list[Row], other: list[Row], steps: Any, data: st.DataObject) -> None:
    """Bit for bit: alone, among others, in another order, and after the way through a model file's JSON."""
    try:
        made = fitted_on(steps, sparse(rows))["in"].prepared
    except Stop:
        return
    assert made is not None
    again = fitted.read(json.loads(json.dumps(fitted.record({"in": made}))), "in")
    assert again is not None
    whole = rows_of(apply(made, sparse(other)))
    chosen = data.draw(st.lists(st.integers(0, len(other) - 1), min_size=1, max_size=5))
    assert rows_of(apply(again, sparse([other[i] for i in chosen]))) == [whole[i] for i in chosen]


@settings(max_examples=50, deadline=None)
@given(rows=row_lists, steps=chains, data=st.data())
def test_a_data_set_of_shared_rows_is_as_one_written_out(rows: list[Row], steps: Any, data: st.DataObject) -> None:
    row = data.draw(st.lists(st.integers(0, len(rows) - 1), min_size=1, max_size=12))
    found: list[Any] = []
    for given_set in (sparse(rows, row=row), sparse([rows[r] for r in row])):
        try:
            made = fitted_on(steps, given_set)
            assert {d.facts.examples for d in made.values()} == {len(rows_of(made["in"]))}
            found.append((rows_of(made["in"]), recorded(made)))
        except Stop as stopped:
            found.append(str(stopped))
    if isinstance(found[0], tuple) and any(s.step is Step.Z_SCORE for s in steps):
        same(found[0][0], found[1][0])  # sums in another order
    else:
        assert found[0] == found[1]


@settings(max_examples=40, deadline=None)
@given(rows=row_lists, data=st.data())
def test_information_is_mutual_information(rows: list[Row], data: st.DataObject) -> None:
    n, entries = len(rows), entries_of(sparse(rows))
    classes = data.draw(st.lists(st.integers(0, 3), min_size=n, max_size=n))
    found = preparation_information.of_classes(entries, np.array(classes))
    expected = [information([f in row for row in rows], classes) for f in range(UNITS)]
    assert found.tolist() == pytest.approx(expected, abs=1e-12)
    targets = data.draw(st.lists(st.dictionaries(st.integers(0, 4), st.just(1.0), max_size=4), min_size=n, max_size=n))
    for itself in (False, True):
        sums = preparation_information.of_units(entries, entries_of(sparse(targets, units=5)), itself)
        pairs = [
            [
                information([f in r for r in rows], [u in t for t in targets])
                for u in range(5)
                if not (itself and u == f)
            ]
            for f in range(UNITS)
        ]
        assert sums.tolist() == pytest.approx([sum(pair) for pair in pairs], abs=1e-12)


def test_information_chooses_what_says_most() -> None:
    """Feature 3 decides the class, feature 7 is in most rows and says nothing, 5 says a little."""
    classes = np.array([0, 1] * 20)
    rows = [{7: 1.0} | ({3: 1.0} if i % 2 else {}) | ({5: 1.0} if i % 4 == 1 else {}) for i in range(40)]
    rows[0] = {0: 1.0}
    targets = dense_set("out", classes, classes=True, width=2)
    kept = [rows_of(fitted_on((Preparation(Step.TOP_INFORMATION, n=n),), sparse(rows), targets)["in"]) for n in (1, 2)]
    assert {f for row in kept[0] for f in row} == {3}
    assert {f for row in kept[1] for f in row} == {3, 5}


def test_of_its_own_target_a_feature_says_nothing() -> None:
    """An autoencoder: feature 0 is in half the rows and goes with nothing; 1 and 2 go together, in few rows."""
    rows: list[Row] = [({0: 1.0} if i % 2 else {}) | ({1: 1.0, 2: 1.0} if i < 2 else {}) for i in range(40)]
    step = (Preparation(Step.TOP_INFORMATION, n=1),)
    same_width = fitted_on(step, sparse(rows), sparse(rows, "out", analog=False))["in"]
    assert {f for row in rows_of(same_width) for f in row} == {1}, "as 2, of a lower number"
    other_width = fitted_on(step, sparse(rows), sparse(rows, "out", analog=False, units=UNITS + 1))["in"]
    assert {f for row in rows_of(other_width) for f in row} == {0}
    labelled = (
        replace(sparse(rows), labels=ITEMS),
        replace(sparse(rows, "out", analog=False), labels=tuple(reversed(ITEMS))),
    )
    assert {f for row in rows_of(fitted_on(step, *labelled)["in"]) for f in row} == {0}, "features of other names"


def test_kcore_takes_examples_out_of_all_data_sets() -> None:
    rows: list[Row] = [{0: 1.0, 1: 1.0}, {2: 1.0, 3: 1.0}, {0: 1.0, 1: 1.0, 2: 1.0}, {5: 1.0}, {0: 1.0, 1: 2.0}]
    data = sparse(rows)
    numbers = dense_set("out", np.arange(10, dtype=np.float32).reshape(5, 2), weight=np.arange(5))
    made = fitted_on((Preparation(Step.K_CORE, users=2, items=2),), data, numbers)
    assert rows_of(made["in"]) == [{0: 1.0, 1: 1.0}, {0: 1.0, 1: 1.0}, {0: 1.0, 1: 2.0}]
    assert made["out"].dense is not None and made["out"].dense.tolist() == [[0, 1], [4, 5], [8, 9]]
    assert made["out"].weight is not None and made["out"].weight.tolist() == [0, 2, 4]
    assert {d.facts.examples for d in made.values()} == {d.facts.unique for d in made.values()} == {3}
    assert (made["in"].sha256, made["out"].sha256) == (data.sha256, numbers.sha256), "digests are of the data given"
    assert made["in"].prepared is not None
    shown = apply(made["in"].prepared, sparse([{5: 1.0}, {0: 1.0, 5: 1.0}]))
    assert rows_of(shown) == [{}, {0: 1.0}], "nobody is left out of predictions"


def test_steps_change_the_facts_that_the_network_is_made_of() -> None:
    rows: list[Row] = [{0: 1.0, 1: 1.0}, {1: 1.0}]
    ones, numbers = sparse(rows, analog=False), sparse(rows)
    out = sparse(rows, "out", analog=False)
    for steps, data, boolean in (
        ('{ "Step": "TfIdf" }', ones, False),
        ('{ "Step": "Binarise" }', numbers, True),
        ('[ { "Step": "Log" }, { "Step": "Binarise" } ]', numbers, True),
        ('{ "Step": "TopFrequency", "N": 1 }', ones, True),
        ("[]", ones, True),
    ):
        network = network_of(steps, data, out)
        made, _ = fit(network, {"in": data, "out": out})
        assert network.data[0].boolean == made["in"].facts.boolean == boolean, steps
        assert (made["in"].values is None) == boolean
        assert made["out"] is out


def test_without_preparation_nothing_is_other_than_before() -> None:
    out = sparse([{0: 1.0}], "out")
    network = network_of("[]", sparse([{0: 1.0}]), out)
    assert "preparation" not in network.dump()
    assert "preparation 0 step=log" in network_of('{ "Step": "Log" }', sparse([{0: 1.0}]), out).dump()
    data = {"in": sparse([{0: 1.0}])}
    assert fit(network, data) == (data, ()) and recorded(data) == {}


def test_data_sets_of_other_lengths_are_told_before_examples_go() -> None:
    data = sparse([{0: 1.0}, {1: 1.0}, {2: 1.0}])
    network = network_of('{ "Step": "KCore", "Users": 1, "Items": 1 }', data, sparse([{0: 1.0}] * 3, "out"))
    with pytest.raises(Stop, match="data set `out` has 2 examples"):
        fit(network, {"in": data, "out": sparse([{0: 1.0}] * 2, "out")})


def test_dense_rows_cannot_be_prepared() -> None:
    made = fitted_on((Preparation(Step.LOG),), sparse([{0: 1.0}]))["in"].prepared
    assert made is not None
    with pytest.raises(Stop, match="NN315"):
        apply(made, dense_set("in", np.ones((1, UNITS), np.float32)))


def test_features_beyond_those_of_training() -> None:
    """A layer may be wider than the data set that it was trained on."""
    steps = (Preparation(Step.TF_IDF), Preparation(Step.Z_SCORE), Preparation(Step.MIN_MAX))
    for step in steps:
        made = fitted_on((step,), sparse([{0: 2.0, 1: 3.0}, {0: 4.0}]))["in"].prepared
        assert made is not None
        (row,) = rows_of(apply(made, sparse([{11: 5.0, 14: 5.0}], units=16)))
        assert row[11] == row[14], step


@pytest.mark.parametrize(
    "nonsense",
    [
        {"sets": []},
        {"sets": {"in": {"analog": 1, "steps": []}}},
        {"sets": {"in": {"analog": True, "steps": [{"step": {"step": "TURN"}}]}}},
        {"sets": {"in": {"analog": True, "steps": [{"step": {"step": "TF_IDF"}, "idf": []}]}}},
        {"sets": {"in": {"analog": True, "steps": [{"step": {"step": "TF_IDF"}, "idf": [1.0, "2"]}]}}},
        {"sets": {"in": {"analog": True, "steps": [{"step": {"step": "TF_IDF"}, "idf": [1.0, 1e999]}]}}},
        {"sets": {"in": {"analog": True, "steps": [{"step": {"step": "K_CORE"}, "kept": [3, 1]}]}}},
        {"sets": {"in": {"analog": True, "steps": [{"step": {"step": "K_CORE"}, "kept": [-1]}]}}},
    ],
    ids=repr,
)
def test_a_model_with_a_preparation_that_cannot_be_is_refused(nonsense: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"preparation|Preparation"):
        fitted.check(nonsense)
    out = sparse([{0: 1.0}], "out", analog=False)
    network = replace(network_of("[]", sparse([{0: 1.0}]), out))
    shapes = {w.index: np.zeros(network.shape(w), np.float32) for w in network.weights}
    biases = {w.index: np.zeros(network.shape(w)[1], np.float32) for w in network.weights}
    model.save(model.Model(network, shapes, biases, preparation=nonsense), tmp_path / "m.nc")
    with pytest.raises(Stop, match="NN72"):
        model.load(tmp_path / "m.nc")


def test_wide_counts_stay_small() -> None:
    """30,000 features against 30,000 units: one row of the counts at a time, never the product."""
    random = np.random.default_rng(3)
    index = np.sort(random.integers(0, 30_000, (400, 20)), axis=1)
    entries = Entries(np.repeat(np.arange(400), 20), index.ravel(), None, 400, 30_000)
    tracemalloc.start()
    preparation_information.of_units(replace(entries, index=entries.index % 300), entries, False)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6


def test_facts_that_are_only_named_are_prepared_too() -> None:
    facts = DataFacts("in", 10, UNITS, sparse=True, boolean=True, assumed=True)
    out = DataFacts("out", 10, UNITS, sparse=True, boolean=True, assumed=True)
    text = f'{{ "Preparation": {{ "Step": "TfIdf" }}, "Layers": {LAYERS} }}'
    checked = check(Source("c.json", text), {"in": facts, "out": out}, need_shapes=True)
    assert checked.network is not None and not checked.network.data[0].boolean


@pytest.mark.parametrize(
    ("step", "codes"), [('"N": 0', ["NN211"]), ('"n": "x"', ["NN210"]), ('"Name": "n"', ["NN223"])]
)
def test_a_wrong_number_is_not_called_missing_as_well(step: str, codes: list[str]) -> None:
    text = f'{{ "Preparation": [{{ "Step": "TopFrequency", {step} }}], "Layers": {LAYERS} }}'
    report = check(Source("p.json", text), {}, need_shapes=False).report
    assert [d.code.code for d in report.errors] == codes
