"""Prediction from text: the result file, labels, unknown features, filters, layers; against numpy."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nnlang.definition import check
from nnlang.diagnostics import Stop
from nnlang.network import DataFacts, Network
from nnlang.runtime.filters import FilterMode
from nnlang.runtime.model import Model, load, save
from nnlang.runtime.predict import Prediction, Request, predict
from nnlang.runtime.recs import Precision
from nnlang.source import Source

ITEMS = ("a", "b", "c", "d", "e", "f", "g")
DEFINITION = """{ "Version": 0.8, "Name": "small", "Kind": "FeedForward", "ErrorFunction": "CrossEntropy", "Layers": [
  { "Name": "Input", "Kind": "Input", "N": "auto", "DataSet": "gl_input", "Sparse": true },
  { "Name": "Hidden", "Kind": "Hidden", "Type": "FullyConnected", "N": 5, "Activation": "Tanh" },
  { "Name": "Output", "Kind": "Output", "Type": "FullyConnected", "DataSet": "gl_output", "N": "auto",
    "Activation": "Sigmoid", "Sparse": true } ] }"""


def network(width: int = 8, *, boolean: bool = True) -> Network:
    """Seven items in layers of `width` units: the rest is padding."""
    facts = {
        name: DataFacts(name, 10, width, sparse=True, boolean=boolean, entries=20) for name in ("gl_input", "gl_output")
    }
    found = check(Source("small.json", DEFINITION), facts, need_shapes=True).network
    assert found is not None
    return found


def trained(net: Network | None = None, *, labels: bool = True) -> Model:
    """A model with random weights; padding units would win if they were allowed to."""
    net = net or network()
    random = np.random.default_rng(3)
    weights = {w.index: random.normal(size=net.shape(w)).astype(np.float32) for w in net.weights}
    biases = {w.index: random.normal(size=net.shape(w)[1]).astype(np.float32) for w in net.weights}
    biases[1][len(ITEMS) :] = 9
    names = {"gl_input": ITEMS, "gl_output": ITEMS} if labels else {}
    return Model(net, weights, biases, labels=names)


def scores(model: Model, *features: str, value: float = 1.0) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    x = np.zeros(model.network.layers[0].units, np.float32)
    for feature in features:
        x[ITEMS.index(feature)] = value
    hidden = np.tanh(x @ model.weights[0] + model.biases[0])
    return 1 / (1 + np.exp(-(hidden @ model.weights[1] + model.biases[1])))  # type: ignore[no-any-return]


def listed(model: Model, *features: str, without: str = "", k: int = 3, value: float = 1.0) -> list[tuple[str, float]]:
    y = scores(model, *features, value=value)
    order = sorted((i for i in range(len(ITEMS)) if ITEMS[i] not in without), key=lambda i: -y[i])[:k]
    return [(ITEMS[i], float(y[i])) for i in order]


def text(rows: dict[str, list[tuple[str, float]]]) -> str:
    return "".join(s + "\t" + "".join(f"{f},{v:.3f}:" for f, v in pairs) + "\n" for s, pairs in rows.items())


def run(folder: Path, model: Model, signals: str, **options: object) -> tuple[str, Prediction]:
    (folder / "signals").write_text(signals)
    request = Request(folder / "signals", folder / "recs", k=3, batch=2)
    result = predict(model, replace(request, **options))  # type: ignore[arg-type]
    return (folder / "recs").read_text(), result


def codes(result: Prediction) -> list[str]:
    return [notice.code.code for notice in result.notices]


def test_the_best_of_each_sample_in_order_of_first_appearance(tmp_path: Path) -> None:
    model = trained()
    found, result = run(tmp_path, model, "u2\ta:b\nu1\tc\nu3\tg,5\nu1\td\n")
    rows = {"u2": listed(model, "a", "b"), "u1": listed(model, "d"), "u3": listed(model, "g")}
    assert found == text(rows)
    assert (result.samples, result.written, codes(result)) == (3, 9, ["NN468"])


def test_the_filter_removes_whatever_the_values_are(tmp_path: Path) -> None:
    model = trained()
    (tmp_path / "filter").write_text("u\ta,1112486027:b,1\nother\tc\n")
    found, _ = run(tmp_path, model, "u\ta:b\n", filter=tmp_path / "filter")
    assert found == text({"u": listed(model, "a", "b", without="ab")})


def test_scaling_by_times_is_warned_about(tmp_path: Path) -> None:
    (tmp_path / "filter").write_text("u\ta,1112486027\n")
    _, result = run(tmp_path, trained(), "u\ta\n", filter=tmp_path / "filter", filter_mode=FilterMode.SCALE)
    assert codes(result) == ["NN758"]


def test_more_than_there_is_gives_what_there_is(tmp_path: Path) -> None:
    model = trained()
    (tmp_path / "filter").write_text("u\ta\n")
    found, result = run(tmp_path, model, "u\ta\n", k=100, filter=tmp_path / "filter")
    assert found == text({"u": listed(model, "a", without="a", k=99)})
    assert result.written == len(ITEMS) - 1


def test_unknown_features_are_reported_and_nothing_known_is_answered(tmp_path: Path) -> None:
    model = trained()
    found, result = run(tmp_path, model, "u\tnope:a\nnew\tother:\n")
    assert found == text({"u": listed(model, "a"), "new": listed(model)})
    assert (result.unknown, result.nothing_known, codes(result)) == (2, 1, ["NN756", "NN757"])


def test_a_model_without_labels_takes_index_files(tmp_path: Path) -> None:
    model = trained(labels=False)
    index = tmp_path / "index"
    index.write_text("".join(f"{item}\t{number}\n" for number, item in reversed(list(enumerate(ITEMS)))))
    found, _ = run(tmp_path, model, "u\ta\n", input_index=index, output_index=index)
    assert found == text({"u": listed(model, "a")})


@pytest.mark.parametrize(
    ("index", "code"),
    [(None, "NN751"), ("b\t0\na\t1\n", "NN752"), ("a\tx\n", "NN475")],
)
def test_wrong_labels_stop(tmp_path: Path, index: str | None, code: str) -> None:
    path = None
    if index is not None:
        path = tmp_path / "index"
        path.write_text(index)
    with pytest.raises(Stop, match=code):
        run(tmp_path, trained(labels=index is not None), "u\ta\n", input_index=path)


def test_labels_beyond_the_layer_are_ignored_with_a_warning(tmp_path: Path) -> None:
    model = trained()
    index = tmp_path / "index"
    index.write_text("".join(f"{item}\t{n}\n" for n, item in enumerate((*ITEMS, "h", "late", "later"))))
    found, result = run(tmp_path, model, "u\ta:late\n", input_index=index)
    assert found == text({"u": listed(model, "a")})
    assert codes(result) == ["NN753", "NN756"]


@pytest.mark.parametrize(("analog", "value"), [(None, 2.5), (False, 1.0)])
def test_models_of_analog_data_see_values(tmp_path: Path, analog: bool | None, value: float) -> None:
    model = trained(network(boolean=False))
    found, _ = run(tmp_path, model, "u\ta,2.5:b,2.5\n", analog=analog)
    assert found == text({"u": listed(model, "a", "b", value=value)})


@pytest.mark.parametrize(("analog", "value"), [(None, 1.0), (True, 2.5)])
def test_models_of_dsstne_say_nothing_of_their_data(tmp_path: Path, analog: bool | None, value: float) -> None:
    model = trained(replace(network(), data=()), labels=False)
    index = tmp_path / "index"
    index.write_text("".join(f"{item}\t{number}\n" for number, item in enumerate(ITEMS)))
    found, _ = run(tmp_path, model, "u\ta,2.5\n", analog=analog, input_index=index, output_index=index)
    assert found == text({"u": listed(model, "a", value=value)})


def test_values_can_be_asked_for(tmp_path: Path) -> None:
    model = trained()
    found, _ = run(tmp_path, model, "u\ta,2.5\n", analog=True)
    assert found == text({"u": listed(model, "a", value=2.5)})


def test_json_and_header_and_precision(tmp_path: Path) -> None:
    model = trained()
    found, _ = run(tmp_path, model, "u\ta\n", json=True, precision=Precision(0, 6))
    pairs = [{"feature": f, "score": round(v, 6)} for f, v in listed(model, "a")]
    assert [p["feature"] for p in json.loads(found)["recommendations"]] == [p["feature"] for p in pairs]
    found, _ = run(tmp_path, model, "u\ta\n", header=True)
    assert found == "sample\tfeature,score:\n" + text({"u": listed(model, "a")})


def test_units_of_a_hidden_layer(tmp_path: Path) -> None:
    model = trained()
    found, _ = run(tmp_path, model, "u\ta:c\n", layer="Hidden", precision=Precision(0, 4))
    x = np.zeros(8, np.float32)
    x[[0, 2]] = 1
    hidden = np.tanh(x @ model.weights[0] + model.biases[0])
    label, *values = found.rstrip("\n").split("\t")
    assert label == "u"
    np.testing.assert_allclose([float(v) for v in values], hidden, atol=1e-4)


def test_raw_units_of_the_output(tmp_path: Path) -> None:
    model = trained()
    found, _ = run(tmp_path, model, "u\ta\n", raw=True, header=True)
    head, row = found.splitlines()
    assert head.split("\t")[:3] == ["sample", "0", "1"]
    np.testing.assert_allclose([float(v) for v in row.split("\t")[1:]], scores(model, "a"), atol=1e-3)


@pytest.mark.parametrize(
    ("options", "code"),
    [({"dataset": "ml"}, "NN750"), ({"layer": "Nope"}, "NN754"), ({"filter": "nowhere"}, "NN710")],
)
def test_wrong_requests_stop(tmp_path: Path, options: dict[str, object], code: str) -> None:
    with pytest.raises(Stop, match=code):
        run(tmp_path, trained(), "u\ta\n", **options)


@pytest.mark.parametrize("dataset", ["gl", "gl_input", None])
def test_the_prefix_or_the_name_of_the_data_set_is_taken(tmp_path: Path, dataset: str | None) -> None:
    model = trained()
    assert run(tmp_path, model, "u\ta\n", dataset=dataset)[0] == text({"u": listed(model, "a")})


def test_scores_that_are_not_finite_stop_and_leave_the_old_file(tmp_path: Path) -> None:
    model = trained()
    model.biases[1][2] = np.nan
    (tmp_path / "recs").write_text("old")
    with pytest.raises(Stop, match="NN755") as caught:
        run(tmp_path, model, "u\ta\n")
    assert caught.value.exit_code == 6
    assert (tmp_path / "recs").read_text() == "old"


def test_signals_without_a_good_line_stop(tmp_path: Path) -> None:
    with pytest.raises(Stop, match="NN463"):
        run(tmp_path, trained(), "no tab here\n")


def test_saved_and_loaded_models_predict_the_same(tmp_path: Path) -> None:
    model = trained()
    save(model, tmp_path / "model.nc")
    assert run(tmp_path, load(tmp_path / "model.nc"), "u\ta\n")[0] == run(tmp_path, model, "u\ta\n")[0]


def test_batches_do_not_change_the_result(tmp_path: Path) -> None:
    signals = "".join(f"u{n}\t{ITEMS[n % 7]}:{ITEMS[n % 5]}\n" for n in range(23))
    (tmp_path / "filter").write_text(signals)
    results = {run(tmp_path, trained(), signals, batch=b, filter=tmp_path / "filter")[0] for b in (1, 4, 23, 100)}
    assert len(results) == 1
