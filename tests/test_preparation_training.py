"""Feature preparation from end to end: a training stores what it learnt, predicts with it, and goes on with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nnlang.diagnostics import Stop
from nnlang.runtime import fitted, model
from nnlang.runtime.dataset import write as write_sets
from nnlang.runtime.library import predict, train
from nnlang.runtime.metrics import Rows
from nnlang.runtime.predict import Recommender, Wanted, input_layer, is_analog, signal_set
from nnlang.runtime.preparation import apply, fit, prepared, recorded
from nnlang.runtime.session import prepare
from tests.prepared import ITEMS, LAYERS, UNITS, Row, Table, network_of, rows_of, sparse

USERS = 60


def planted(folder: Path, steps: str, *, analog: bool = False) -> Path:
    """A folder with a definition, its data and their text: users like even or odd items; items 10 and 11 are rare."""
    random = np.random.default_rng(5)
    lines, rows = [], []
    for user in range(USERS):
        liked = random.choice(range(user % 2, 10, 2), 4, replace=False).tolist() + ([10 + user % 2] if user < 2 else [])
        rows.append({int(i): float(random.integers(1, 6)) for i in liked})
        points = ":".join(f"{ITEMS[i]},{v:g}" for i, v in sorted(rows[-1].items()))
        lines.append(f"u{user}\t{points}\n")
    (folder / "text").write_text("".join(lines))
    sets = [sparse(rows, "in", analog=analog), sparse(rows, "out", analog=False)]
    write_sets(folder / "data.nc", [replace(d, labels=ITEMS) for d in sets])
    (folder / "c.json").write_text(f'{{ "Preparation": {steps}, "Layers": {LAYERS} }}')
    return folder


def trained(folder: Path, name: str = "m.nc", **more: Any) -> model.Model:
    given: dict[str, Any] = {"epochs": 3, "batch": 16, "alpha": 0.1, "optimizer": None} | more
    given = {k: v for k, v in given.items() if v is not None}
    return train(folder / "c.json", [folder / "data.nc"], [], folder / name, **given).model


WEIGH = '[ { "Step": "KCore", "Users": 5, "Items": 4 }, { "Step": "TfIdf" }, { "Step": "RowNorm" } ]'


def test_a_training_stores_what_it_learnt_and_predicts_with_it(tmp_path: Path) -> None:
    folder = planted(tmp_path, WEIGH)
    trained(folder)
    found = model.load(folder / "m.nc")
    session = prepare(folder / "c.json", [folder / "data.nc"], {})
    assert found.preparation == recorded(session.datasets) and found.preparation["sets"]
    assert found.network.preparation == session.network.preparation
    assert found.progress["data"] == {d.name: d.sha256 for d in session.datasets.values()}
    text = {line.split("\t")[0]: line for line in (folder / "text").read_text().splitlines()}
    for values_of_text in ("as they are", "other ones"):
        lines = [text[f"u{u}"] if values_of_text == "as they are" else text[f"u{u}"].replace(",", ",9") for u in (7, 0)]
        (folder / "signals").write_text("\n".join(lines) + "\n")
        predict(found, folder / "signals", folder / values_of_text, k=4)
    recs = (folder / "as they are").read_text()
    assert recs == (folder / "other ones").read_text(), (
        "the data set held indicators, so numbers in texts are no values"
    )
    assert "i10" not in recs.split("\n")[1].split("\t")[0]
    assert len(recs.splitlines()) == 2, "nobody is left out, whatever KCore says"
    assert not is_analog(found, input_layer(found, None))


def test_prediction_sees_what_training_saw(tmp_path: Path) -> None:
    """The scores of signals are those of a model without steps on data that were prepared before."""
    folder = planted(
        tmp_path, '[ { "Step": "Threshold", "Least": 2 }, { "Step": "Log" }, { "Step": "ZScore" } ]', analog=True
    )
    trained(folder)
    found = model.load(folder / "m.nc")
    layer = input_layer(found, None)
    assert is_analog(found, layer)
    rows: list[Row] = [{0: 5.0, 2: 1.0}, {1: 3.0, 3: 2.0, 10: 4.0}]
    data = sparse(rows, "in")
    by_hand = apply(fitted.read(found.preparation, "in"), data)  # type: ignore[arg-type]
    bare = replace(found, preparation={})
    wanted = Wanted(3, torch.empty(0, dtype=torch.int64), None, ["a", "b"])
    target = found.network.outputs[0]
    scores = [
        [top.feature.tolist() + top.score.tolist() for _, top in Recommender(one, 8).best({"in": d}, target, wanted)]
        for one, d in ((found, data), (bare, replace(by_hand, prepared=None)), (found, by_hand))
    ]
    assert scores[0] == scores[1] == scores[2], "and preparing twice does no harm"
    assert rows_of(prepared(found, data)) == rows_of(by_hand)


def test_selection_changes_the_input_alone(tmp_path: Path) -> None:
    folder = planted(tmp_path, '{ "Step": "TopFrequency", "N": 4 }')
    trained(folder)
    found = model.load(folder / "m.nc")
    assert [layer.units for layer in (found.network.inputs[0], found.network.outputs[0])] == [UNITS, UNITS]
    kept = found.preparation["sets"]["in"]["steps"][0]["kept"]
    assert len(kept) == 4
    (folder / "signals").write_text(
        "a\ti0:i1\nb\t" + ":".join(ITEMS) + "\nc\t" + ":".join(ITEMS[k] for k in kept) + "\n"
    )
    predict(found, folder / "signals", folder / "recs", k=UNITS)
    lists = [line.split("\t")[1] for line in (folder / "recs").read_text().splitlines()]
    assert lists[1] == lists[2], "features that were left out say nothing"
    assert len(lists[0].strip(":").split(":")) == UNITS, "and are recommended all the same"


def test_a_training_goes_on_with_the_same_preparation(tmp_path: Path) -> None:
    for name in ("straight", "halves"):
        (tmp_path / name).mkdir()
        planted(tmp_path / name, WEIGH)
    trained(tmp_path / "straight", epochs=4)
    trained(tmp_path / "halves", epochs=2)
    trained(tmp_path / "halves", epochs=4, resume=True)
    one, other = (model.load(tmp_path / name / "m.nc") for name in ("straight", "halves"))
    assert one.preparation == other.preparation
    assert all(np.array_equal(one.weights[i], other.weights[i]) for i in one.weights)


def test_a_training_does_not_go_on_with_another_preparation(tmp_path: Path) -> None:
    folder = planted(tmp_path, WEIGH)
    trained(folder, epochs=2)
    planted(folder, '{ "Step": "TfIdf" }')
    with pytest.raises(Stop, match="preparation"):
        trained(folder, epochs=4, resume=True)


def test_findings_of_a_session_tell_what_was_left_out(tmp_path: Path) -> None:
    folder = planted(tmp_path, '[ { "Name": "core", "Step": "KCore", "Users": 5, "Items": 5 } ]')
    with pytest.raises(Stop, match="NN487"):
        prepare(folder / "c.json", [folder / "data.nc"], {})
    planted(folder, '[ { "Name": "core", "Step": "KCore", "Users": 5 } ]')
    session = prepare(folder / "c.json", [folder / "data.nc"], {})
    told = [d.message for d in session.findings if d.code.code == "NN489"]
    assert told == ["the preparation step KCore `core` of data set `in`: 2 of 242 entries go"]
    facts = {d.name: d for d in session.network.data}
    assert facts["in"].entries == 240 and facts["out"].entries == 242


def test_what_a_layer_reads_is_what_signals_are_made_for() -> None:
    """Signals of a set that a step makes analog are Boolean until then."""
    rows: list[Row] = [{0: 1.0, 1: 1.0}, {1: 1.0}]
    data, out = sparse(rows, analog=False), sparse(rows, "out", analog=False)
    network = network_of('{ "Step": "TfIdf" }', data, out)
    made, _ = fit(network, {"in": data, "out": out})
    one = model.Model(network, {}, {}, preparation=recorded(made))
    layer = network.inputs[0]
    signals = signal_set(layer, rows_as_metrics(rows), is_analog(one, layer))
    assert signals.facts.boolean
    assert rows_of(prepared(one, signals)) == rows_of(made["in"])


def rows_as_metrics(rows: Table) -> Rows:
    index = np.array([f for row in rows for f in sorted(row)], np.int64)
    return Rows(np.cumsum([0, *map(len, rows)]), index, np.full(len(index), 7, np.float32))
