"""Sweep files: what combinations make of the base definition, layers repeated or taken out, texts, digests."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlang.definition import check
from nnlang.diagnostics import Report, Stop
from nnlang.editor.completion import offers
from nnlang.editor.documents import Document
from nnlang.editor.hover import hover
from nnlang.editor.loose import grow
from nnlang.formatter import format_text
from nnlang.linting.check import lint
from nnlang.measures import Metric
from nnlang.source import Source
from nnlang.sweeps.covering import covering
from nnlang.sweeps.layers import repeated
from nnlang.sweeps.sweepfile import Sweep, data_path, definition_text, is_sweep, load_sweep, setting
from nnlang.syntax import read_source
from tests import definitions

BASE: dict[str, Any] = {
    "Name": "base",
    "denoising": {"P": 0.2},
    "Layers": [
        {"Name": "In", "Kind": "Input", "N": "auto", "DataSet": "in", "Sparse": True},
        {"Name": "A", "Kind": "Hidden", "N": 128},
        {"Name": "B.1", "n": 64},
        {"Kind": "Output", "N": "auto", "DataSet": "out", "Source": ["B.1", "A"]},
    ],
    "TrainingParameters": {"Epochs": 3, "ALPHA": 0.1},
}


def sweep(tmp_path: Path, axes: dict[str, Any], base: Any = BASE, **more: Any) -> Sweep:
    """The sweep over some axes of a base definition, in a file of its own."""
    (tmp_path / "base.json").write_text(json.dumps(base))
    path = tmp_path / "sweep.json"
    path.write_text(json.dumps({"Sweep": "s", "Definition": "base.json", "Axes": axes, **more}))
    return load_sweep(path)


def made(tmp_path: Path, axes: dict[str, Any], base: Any = BASE, **more: Any) -> list[Any]:
    """The definitions of all combinations of a sweep."""
    whole = sweep(tmp_path, axes, base, **more)
    return [setting(whole, params).definition for params in whole.space.combinations()]


def test_values_go_where_paths_lead(tmp_path: Path) -> None:
    (one,) = made(
        tmp_path,
        {
            "layers.A.n": [256],
            "Layers.B.1.Activation": ["Relu"],
            "Layers.3.pDropout": [0.5],
            "Denoising.p": [0.3],
            "training.alpha": [0.2],
            "Training.MiniBatch": [32],
            "ScaledMarginalCrossEntropy.oneScale": [30],
        },
    )
    assert one["Layers"][1] == {"Name": "A", "Kind": "Hidden", "N": 256}
    assert one["Layers"][2] == {"Name": "B.1", "n": 64, "Activation": "Relu"}
    assert one["Layers"][3]["pDropout"] == 0.5
    assert one["denoising"] == {"P": 0.3}
    assert one["TrainingParameters"] == {"Epochs": 3, "ALPHA": 0.2, "MiniBatch": 32}
    assert one["ScaledMarginalCrossEntropy"] == {"oneScale": 30}


def test_paths_into_lists_that_other_axes_replace(tmp_path: Path) -> None:
    ends = BASE["Layers"][0], {**BASE["Layers"][3], "Source": ["In"]}
    lists = [[ends[0], ends[1]], [ends[0], {"Name": "C"}, {"Name": "A", "N": 1}, ends[1]]]
    axes = {"Layers": lists, "Layers.A.Name": ["D"], "Layers.A.N": [5], "Layers.A.Repeat": [2]}
    short, long = made(tmp_path, axes)
    assert short["Layers"] == lists[0]  # nothing there is called A
    assert [(layer.get("Name"), layer.get("N")) for layer in long["Layers"]][1:4] == [("C", None), ("D", 5), ("D_2", 5)]
    base = {**BASE, "Preparation": [{"Step": "Log"}, {"Name": "norm", "Step": "RowNorm"}]}
    axes = {"Preparation": [[], [{"Step": "RowNorm"}, {"Step": "Log"}]], "Preparation.norm.Norm": ["L1"]}
    short, long = made(tmp_path, axes, base)
    assert short["Preparation"] == [{"Name": "norm", "Norm": "L1"}]
    assert long["Preparation"][2:] == [{"Name": "norm", "Norm": "L1"}]


def test_copies_are_counted_by_floats_too(tmp_path: Path) -> None:
    one, two = made(tmp_path, {"Layers.A.Repeat": [1.0, 2.0]})
    assert len(two["Layers"]) == len(one["Layers"]) + 1


def test_the_base_is_not_changed(tmp_path: Path) -> None:
    whole = sweep(tmp_path, {"Layers.A.N": [1, 2], "Denoising": [None, {"p": 0.1}], "Layers.B.1.Repeat": [0, 3]})
    before = json.dumps(whole.base)
    for params in whole.space.combinations():
        setting(whole, params)
    assert json.dumps(whole.base) == before == json.dumps(BASE)
    assert setting(whole, {}).definition == BASE


def test_null_takes_out_and_whole_trees_go_in(tmp_path: Path) -> None:
    found = made(tmp_path, {"Denoising": [None, {"p": 0.4}], "Layers.A": [{"N": 7}, {"Name": "A", "N": 8}]})
    assert ["denoising" in d for d in found] == [False, False, True, True]
    assert found[2]["denoising"] == {"p": 0.4}
    assert [d["Layers"][1] for d in found[:2]] == [{"Name": "A", "N": 7}, {"Name": "A", "N": 8}]


def test_steps_of_preparation(tmp_path: Path) -> None:
    """Items that the base has not are made in the order of the axes; null leaves them out, and no empty list behind."""
    axes = {
        "Preparation.select": [None, {"Step": "TopFrequency", "N": 5}],
        "Preparation.select.N": {"Choice": [6], "When": {"Preparation.select": [{"Step": "TopFrequency", "N": 5}]}},
        "Preparation.weigh": [None, {"Step": "Log"}],
    }
    found = made(tmp_path, axes)
    select, weigh = {"Name": "select", "Step": "TopFrequency", "N": 6}, {"Name": "weigh", "Step": "Log"}
    assert [d.get("Preparation") for d in found] == [None, [weigh], [select], [select, weigh]]
    with_one = BASE | {"Preparation": [{"Name": "weigh", "Step": "TfIdf"}]}
    found = made(tmp_path, axes, with_one)
    assert [d.get("Preparation") for d in found] == [None, [weigh], [select], [weigh, select]]


def test_several_paths_and_texts(tmp_path: Path) -> None:
    axes = {
        "day": {"Integer": [9, 10], "Path": ["Layers.In.DataSet", "Layers.3.DataSet"], "Text": ["d{}_in", "{}/d{}"]},
        "size": {"Choice": [1], "Path": ["Layers.A.N", "Layers.B.1.N"]},
        "Name": {"Choice": ["x", 2], "Text": "run {}"},
    }
    found = made(tmp_path, axes)
    assert [(d["Layers"][0]["DataSet"], d["Layers"][3]["DataSet"], d["Name"]) for d in found] == [
        ("d9_in", "9/d9", "run x"),
        ("d9_in", "9/d9", "run 2"),
        ("d10_in", "10/d10", "run x"),
        ("d10_in", "10/d10", "run 2"),
    ]
    assert all(d["Layers"][1]["N"] == d["Layers"][2]["n"] == 1 for d in found)


def test_data_and_split_vary_too(tmp_path: Path) -> None:
    axes = {"split.fold": {"Integer": [0, 1]}, "DATA.ratings": ["a.txt", "b/c.txt"]}
    whole = sweep(
        tmp_path,
        axes,
        Data={"ratings": "x.txt", "Second": "Value", "MinValue": 3.5},
        Split={"Protocol": "KFold", "Folds": 2, "By": "Users"},
    )
    found = [setting(whole, params) for params in whole.space.combinations()]
    assert [(s.split["fold"], s.data["ratings"]) for s in found] == [
        (0, "a.txt"),
        (0, "b/c.txt"),
        (1, "a.txt"),
        (1, "b/c.txt"),
    ]
    assert found[0].split == {"name": "kfold", "folds": 2, "by": "users", "fold": 0}
    assert whole.data == {"ratings": "x.txt", "second": "value", "least": 3.5}
    assert data_path(whole, "b/c.txt") == tmp_path / "b" / "c.txt"


def sources(layers: list[Any]) -> list[tuple[str, Any]]:
    """Names and sources of layers."""
    return [(layer.get("Name"), layer.get("Source")) for layer in layers]


def test_copies_of_a_layer(tmp_path: Path) -> None:
    axes = {"Layers.A.Repeat": {"Integer": [0, 3]}, "Layers.A.N": [5]}
    none, once, _, thrice = made(tmp_path, axes)
    assert sources(none["Layers"]) == [("In", None), ("B.1", ["In"]), ("Output3", ["B.1", "In"])]
    assert once == BASE | {"Layers": [BASE["Layers"][0], {"Name": "A", "Kind": "Hidden", "N": 5}, *BASE["Layers"][2:]]}
    assert sources(thrice["Layers"]) == [
        ("In", None),
        ("A", None),
        ("A_2", ["A"]),
        ("A_3", ["A_2"]),
        ("B.1", None),
        ("Output3", ["B.1", "A_3"]),
    ]
    assert [layer["N"] for layer in thrice["Layers"][1:4]] == [5, 5, 5]
    network = check(Source("x", json.dumps(thrice)), need_shapes=False).network
    assert network is not None
    names = [layer.name for layer in network.layers]
    taken = {layer.name: [names[s] for s in layer.sources] for layer in network.layers}
    assert taken["B.1"] == ["A_3"] and taken["Output3"] == ["B.1", "A_3"]


def test_skips_and_shared_weights_keep_naming_the_layer_itself() -> None:
    layers = [
        {"Name": "In", "Kind": "Input"},
        {"Name": "A", "Kind": "Hidden", "N": 4, "Skip": "In", "SharedWeights": {"x": 1}},
        {"Name": "B", "Kind": "Hidden", "N": 4, "Source": "A", "Skip": ["A"]},
        {"Name": "Out", "Kind": "Output", "SharedWeights": {"SourceOutputLayer": "A", "InputLayer": "A"}},
    ]
    found = repeated(layers, {1: 2})
    assert [layer["Name"] for layer in found] == ["In", "A", "A_2", "B", "Out"]
    assert found[1] == layers[1]
    assert found[2] == {"Name": "A_2", "Kind": "Hidden", "N": 4, "Source": ["A"]}
    assert found[3] == {**layers[2], "Source": "A_2"}
    assert found[4] == layers[3]


def test_several_layers_taken_out_and_kinds_kept() -> None:
    layers: list[Any] = [{"Name": "In"}, {"N": 3}, {"Name": "B", "N": 4}, {"Name": "Out", "Kind": "Output"}, {"N": 2}]
    layers[4] |= {"Kind": "Hidden", "Source": "In"}
    found = repeated(layers, {1: 0, 2: 0, 4: 0})
    assert found == [{"Name": "In"}, {"Name": "Out", "Kind": "Output", "Source": ["In"]}]
    twice = repeated(
        [{"Name": "In"}, {"Name": "Out", "Kind": "Output"}, {"Name": "H", "N": 2, "Kind": "Hidden"}, {}], {2: 2}
    )
    assert [layer.get("Kind") for layer in twice] == [None, "Output", "Hidden", "Hidden", None]


@given(st.integers(0, 4), st.integers(0, 4), st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_repeated_chains_are_chains(a: int, b: int, c: int) -> None:
    """A chain stays one, as long as the copies say, whichever of its layers name their sources."""
    for written in range(8):
        layers: list[dict[str, Any]] = [{"Name": "In", "Kind": "Input", "N": 3, "DataSet": "i"}]
        for number, name in enumerate(("A", "B", "C")):
            layers.append({"Name": name, "Kind": "Hidden", "N": 4})
            if written >> number & 1:
                layers[-1]["Source"] = layers[-2]["Name"]
        layers.append({"Name": "Out", "Kind": "Output", "N": 2, "DataSet": "o"})
        found = repeated(layers, {1: a, 2: b, 3: c})
        network = check(Source("x", json.dumps({"Layers": found})), need_shapes=False).network
        assert network is not None
        assert len(network.layers) == 2 + a + b + c
        assert [layer.sources for layer in network.layers] == [(), *((n,) for n in range(1 + a + b + c))]


def test_training_of_the_sweep_lies_over_that_of_the_definition(tmp_path: Path) -> None:
    whole = sweep(tmp_path, {"Layers.A.N": [1]}, TrainingParameters={"epochs": 9, "Optimizer": "Adam"})
    assert whole.base["TrainingParameters"] == {"Epochs": 9, "ALPHA": 0.1, "Optimizer": "Adam"}


def test_a_definition_inside(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    path.write_text(json.dumps({"Sweep": "s", "Definition": BASE, "Axes": {"Layers.A.N": [1, 2]}}))
    whole = load_sweep(path)
    assert (whole.definition, whole.base, whole.space.count()) == (None, BASE, 2)


def test_axes_inside_a_definition(tmp_path: Path) -> None:
    layers = [dict(layer) for layer in BASE["Layers"]]
    layers[1] |= {"N": {"$sweep": [5, 6]}, "Activation": {"$sweep": {"Choice": [None, "Relu"]}}}
    layers[3] |= {"pDropout": {"$sweep": {"Integer": [0, 0]}}}
    inline = BASE | {"Layers": layers, "denoising": {"$sweep": [{"p": 0.5}, None]}}
    path = tmp_path / "config.json"
    path.write_text(json.dumps(inline))
    whole = load_sweep(path)
    assert [axis.name for axis in whole.space.axes] == [
        "denoising",
        "Layers.A.N",
        "Layers.A.Activation",
        "Layers.3.pDropout",
    ]
    assert whole.name == "base" and whole.method == "Grid" and whole.space.count() == 8
    assert whole.base["Layers"][1] == {"Name": "A", "Kind": "Hidden", "N": 5}
    found = [setting(whole, params).definition for params in whole.space.combinations()]
    assert [(d["Layers"][1]["N"], d["Layers"][1].get("Activation"), "denoising" in d) for d in found[:5]] == [
        (5, None, True),
        (5, "Relu", True),
        (6, None, True),
        (6, "Relu", True),
        (5, None, False),
    ]
    assert [f.diagnostic.code.code for f in lint(read_source(path))] == []
    path.write_text(json.dumps(BASE | {"TrainingParameters": {"Alpha": {"$sweep": [1]}}}))
    assert load_sweep(path).base["TrainingParameters"] == {"Alpha": 1}
    assert lint(read_source(path)) == []


def test_inline_ranges_stand_in_by_their_middle(tmp_path: Path) -> None:
    training = {"Alpha": {"$sweep": {"LogUniform": [1e-4, 1e-2]}}, "Mu": {"$sweep": {"Uniform": [0.2, 0.4]}}}
    inline = BASE | {"TrainingParameters": {**training, "Epochs": {"$sweep": {"Integer": [2, 5]}}}}
    path = tmp_path / "s.json"
    path.write_text(json.dumps({"Sweep": "s", "Definition": inline, "Method": "Random", "Trials": 3}))
    whole = load_sweep(path)
    assert whole.base["TrainingParameters"] == {"Alpha": 0.001, "Mu": 0.3, "Epochs": 3}
    assert [axis.name for axis in whole.space.axes] == [f"TrainingParameters.{n}" for n in ("Alpha", "Mu", "Epochs")]


def test_given_values_take_the_place_of_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep(tmp_path, {"Layers.A.N": [1, 2], "Denoising.p": [0.1]}, Metric="recall@5", Method="TPE", Trials=3)
    monkeypatch.chdir(tmp_path)
    given_values = {"method": "random", "trials": 9, "seed": 4, "metric": "rmse", "ratings": Path("r.txt")}
    whole = load_sweep("sweep.json", given_values | {"training": {"epochs": 1}})
    assert (whole.method, whole.trials, whole.seed, str(whole.metric)) == ("Random", 9, 4, "rmse")
    assert whole.data == {"ratings": str(tmp_path / "r.txt")}
    assert whole.base["TrainingParameters"]["Epochs"] == 1
    wrong: dict[str, object]
    for wrong in ({"method": "Rand"}, {"trials": 0}, {"metric": "x"}, {"seed": -1}):
        with pytest.raises(Stop, match="NN703"):
            load_sweep("sweep.json", wrong)


def test_defaults(tmp_path: Path) -> None:
    whole = sweep(tmp_path, {"Layers.A.N": [1]})
    assert isinstance(whole.metric, Metric) and str(whole.metric) == "ndcg@100"
    assert (whole.method, whole.trials, whole.seed, whole.seeds, whole.patience) == ("Grid", None, 1, "Same", 0)
    assert vars(whole.pruning) == {
        "method": "None",
        "first": 1,
        "factor": 3,
        "warmup": 0,
        "interval": 1,
        "percent": 25.0,
    }
    assert (whole.data, whole.split) == ({}, {})


AXES: dict[str, Any] = {
    "training.Optimizer": ["SGD", "Adam"],
    "training.Mu1": {"Choice": [0.9, 0.99], "When": {"training.Optimizer": ["Adam"]}},
    "Layers.A.N": {"Integer": [2, 3]},
}


def test_digests_follow_what_is_said_and_not_how(tmp_path: Path) -> None:
    first = sweep(tmp_path, AXES, Constraints=[["Layers.A.N", ">", 1]])
    text = json.dumps(json.loads(first.source.text), indent=7).replace("{", "{ // so\n", 1)
    (tmp_path / "sweep.json").write_text(text)
    again = load_sweep(tmp_path / "sweep.json")
    assert (again.space.digest(), again.digest()) == (first.space.digest(), first.digest())
    others: list[dict[str, Any]] = [
        AXES | {"training.Optimizer": ["SGD", "Nesterov", "Adam"]},
        AXES | {"training.Mu1": {"Choice": [0.9, 0.999], "When": {"training.Optimizer": ["Adam"]}}},
        AXES | {"training.Mu1": {"Choice": [0.9, 0.99]}},
        AXES | {"Layers.A.N": {"Integer": [2, 4]}},
        AXES | {"Layers.A.N": [2, 3]},
        {**AXES, "Denoising.p": [0.1]},
    ]
    found = [sweep(tmp_path, axes, Constraints=[["Layers.A.N", ">", 1]]).space.digest() for axes in others]
    found.append(sweep(tmp_path, AXES, Constraints=[["Layers.A.N", ">=", 1]]).space.digest())
    assert len({first.space.digest(), *found}) == len(found) + 1
    changed = sweep(tmp_path, AXES, BASE | {"Name": "other"}, Constraints=[["Layers.A.N", ">", 1]])
    assert changed.space.digest() == first.space.digest() and changed.digest() != first.digest()


def test_texts_are_laid_out_as_format_does() -> None:
    for seed in range(150):
        tree = definitions.definitions(Random(seed))
        text = definition_text(tree)
        assert json.loads(text) == tree
        assert text == definition_text(json.loads(text))
        report = Report()
        formatted = format_text(Source("x", text), report)
        assert formatted == text


@pytest.mark.parametrize(
    "tree", [{}, {"a": []}, {"a": {}}, {"a": [{}]}, {"a": [1.5, True, None, 'é\n"\u2028']}, {"n": 1e-300}]
)
def test_odd_trees_are_laid_out_as_format_does(tree: Any) -> None:
    text = definition_text(tree)
    assert json.loads(text) == tree and format_text(Source("x", text), Report()) == text


def test_half_a_pair_is_escaped() -> None:
    text = definition_text({"Name": "\ud800 é"})
    assert text.isascii() and json.loads(text) == {"Name": "\ud800 é"}


def test_what_is_a_sweep() -> None:
    assert is_sweep(["sweep"]) and is_sweep(["Definition", "AXES"])
    assert not is_sweep(["Layers", "Axes"]) and not is_sweep(["Network", "Command"]) and not is_sweep([])


def test_all_of_a_covering_is_sound(tmp_path: Path) -> None:
    whole = sweep(tmp_path, AXES | {"Layers.A.Repeat": [0, 1, 2]})
    for params, _, _ in covering(whole.space, 1):
        assert params is not None
        text = definition_text(setting(whole, params).definition)
        assert check(Source("x", text), need_shapes=False).report.errors == []


def offered(text: str) -> set[str]:
    """What an editor offers at the `|` of a text."""
    offset = text.index("|")
    found = offers(grow(text.replace("|", "", 1)), offset)
    return {item.label for item in found.items} if found else set()


def test_editors_know_sweeps() -> None:
    start = '{ "Sweep": "s", "Definition": "d.json", '
    assert {"Axes", "Method", "Pruning", "Trials"} <= offered(start + '"|" }')
    assert "Sweep" not in offered(start + '"|" }')
    assert offered(start + '"Axes": { "a": { "|" } } }') >= {"Choice", "Uniform", "When", "Path"}
    assert offered(start + '"Axes": { "|" } }') == set()
    assert offered(start + '"Pruning": { "Method": "|" } }') == {"None", "ASHA", "Hyperband", "Median", "Percentile"}
    assert {"Epochs", "Alpha"} <= offered(start + '"TrainingParameters": { "|" } }')
    text = start + '"Axes": { "Layers.H.N": { "LogUniform": [1, 2] } } }'
    found = hover(grow(text), text.index("LogUniform"))
    assert found is not None and "all magnitudes alike" in found.markdown
    assert Document("x.json", "json", 1, text).is_ours
    assert not Document("x.json", "json", 1, '{ "sweep": 3, "angle": 4 }').is_ours
