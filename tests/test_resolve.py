"""Abstract syntax to networks: defaults, order, sizes, shared weights, penalties, and every example."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnlang.definition import Checked, check, load
from nnlang.diagnostics import Stop, render
from nnlang.legality import PAIRS, refusal
from nnlang.network import (
    Activation,
    DataFacts,
    ErrorFunction,
    Init,
    Kind,
    LayerType,
    Network,
    Optimizer,
    Scheme,
    Sparseness,
)
from nnlang.source import Source

IN = {"Name": "Input", "DataSet": "in", "N": 8}
HIDDEN = {"Name": "Hidden", "N": 4}
OUT = {"Name": "Output", "DataSet": "out", "N": 8}
EXAMPLES = sorted(path for path in Path("examples").glob("*/*.json") if '"Axes"' not in path.read_text("utf-8"))


def checked(*layers: Any, data: Iterable[DataFacts] = (), need_shapes: bool = False, **top: Any) -> Checked:
    text = json.dumps({"Layers": list(layers), **top})
    return check(Source("x.json", text), {d.name: d for d in data}, need_shapes=need_shapes)


def network(*layers: Any, data: Iterable[DataFacts] = (), **top: Any) -> Network:
    result = checked(*layers, data=data, **top)
    assert result.network is not None, render(result.report.sorted())
    return result.network


def codes(*layers: Any, data: Iterable[DataFacts] = (), **top: Any) -> list[str]:
    return [d.code.code for d in checked(*layers, data=data, **top).report.sorted()]


def test_the_article_s_definition() -> None:
    facts = {n: DataFacts(n, 100, 26_752, sparse=True, boolean=True) for n in ("gl_input", "gl_output")}
    net = load("examples/movielens/config.json", facts).network
    assert net is not None
    assert [layer.units for layer in net.layers] == [26_752, 128, 26_752]
    assert [layer.denoising for layer in net.layers] == [True, False, False]
    assert [layer.sparseness for layer in net.layers] == [None, Sparseness(0.5, 2.0), None]
    assert (net.version, net.denoising, net.shuffle) == (0.7, 0.2, False)
    loss = net.loss
    assert loss.function is ErrorFunction.SMCE
    assert (loss.one_target, loss.zero_target, loss.one_scale, loss.zero_scale) == (1, 0, 1, 1)
    assert net.facts(net.inputs[0]) == facts["gl_input"]


@pytest.mark.parametrize("path", EXAMPLES, ids=str)
def test_examples_are_sound(path: Path) -> None:
    result = load(path, need_shapes=False)
    assert [d for d in result.report.diagnostics if d.code.severity != "note"] == []
    assert result.network is not None


def test_defaults() -> None:
    net = network({"DataSet": "in", "N": 8}, {"N": 4}, {"DataSet": "out", "N": 8})
    assert [layer.name for layer in net.layers] == ["Input0", "Hidden1", "Output2"]
    assert [layer.kind for layer in net.layers] == [Kind.INPUT, Kind.HIDDEN, Kind.OUTPUT]
    assert [layer.sources for layer in net.layers] == [(), (0,), (1,)]
    assert net.loss.function is ErrorFunction.CROSS_ENTROPY
    hidden = net.layers[1]
    assert (hidden.activation, hidden.init, hidden.type) == (Activation.SIGMOID, Init(), LayerType.FULLY_CONNECTED)
    assert (net.name, net.version, net.kind, net.shuffle) == ("", 0.9, "FeedForward", True)


def test_layers_stand_in_propagation_order_and_weights_in_construction_order() -> None:
    net = network(
        {"Name": "Out", "Kind": "Output", "Source": ["B", "A"], "DataSet": "o", "N": 2},
        {"Name": "B", "Kind": "Hidden", "Source": "A", "N": 3},
        {"Name": "A", "Kind": "Hidden", "Source": ["I", "J"], "N": 4},
        {"Name": "I", "Kind": "Input", "DataSet": "i", "N": 5},
        {"Name": "J", "Kind": "Input", "DataSet": "j", "N": 6},
    )
    assert [layer.name for layer in net.layers] == ["I", "J", "A", "B", "Out"]
    assert [layer.position for layer in net.layers] == [3, 4, 2, 1, 0]
    assert [net.shape(w) for w in net.weights] == [(3, 2), (4, 2), (4, 3), (5, 4), (6, 4)]
    assert [w.index for w in net.weights_into(net.layers[4])] == [0, 1]


def test_several_outputs_and_an_output_as_a_source() -> None:
    net = network(
        IN,
        {"Name": "First", "Kind": "Output", "DataSet": "out", "N": 8, "Source": "Input"},
        {"Name": "Second", "DataSet": "other", "N": 3, "Source": ["First", "Input"]},
    )
    assert [layer.name for layer in net.outputs] == ["First", "Second"]
    assert net.layers[2].sources == (1, 0)


def test_a_skip_counts_for_the_order() -> None:
    net = network(
        IN,
        {"Name": "Late", "N": 4, "Source": "Input", "Skip": "Early"},
        {"Name": "Early", "N": 4, "Source": "Input"},
        OUT | {"Source": "Late"},
    )
    assert [layer.name for layer in net.layers] == ["Input", "Early", "Late", "Output"]
    assert net.layers[2].skips == (1,)


def test_a_layer_with_skips_alone() -> None:
    net = network(IN, {"Name": "Sum", "N": 8, "Source": [], "Skip": "Input"}, OUT)
    assert (net.layers[1].sources, net.layers[1].skips) == ((), (0,))
    assert len(net.weights) == 1


def test_more_than_four_sources() -> None:
    inputs = [{"Name": f"I{i}", "Kind": "Input", "DataSet": f"d{i}", "N": 2} for i in range(6)]
    net = network(*inputs, HIDDEN | {"Source": [f"I{i}" for i in range(6)]}, OUT)
    assert len(net.weights_into(net.layers[6])) == 6


def test_sizes_come_from_data() -> None:
    data = [DataFacts("in", 5, 20, 30, 3, 3), DataFacts("out", 5, 7)]
    net = network(IN | {"N": "auto"}, HIDDEN, OUT | {"N": "AUTO"}, data=data)
    assert (net.layers[0].dims, net.layers[0].dimensions) == ((20, 30, 3, 1), 3)
    assert (net.layers[2].dims, net.layers[2].dimensions) == ((7, 1, 1, 1), 1)
    assert net.data == tuple(data)


def test_without_data_sizes_stay_open_or_are_an_error() -> None:
    net = network(IN | {"N": "auto"}, HIDDEN, OUT)
    assert net.layers[0].dims == (0, 0, 0, 0)
    needed = checked(IN | {"N": "auto"}, HIDDEN, OUT, need_shapes=True)
    assert [d.code.code for d in needed.report.errors] == ["NN404"]
    assert checked(IN, HIDDEN, OUT, need_shapes=True).network is not None


def test_a_layer_may_be_wider_than_its_data() -> None:
    data = [DataFacts("in", 5, 7), DataFacts("out", 5, 8)]
    assert network(IN, HIDDEN, OUT, data=data).layers[0].units == 8
    assert codes(IN | {"N": 6}, HIDDEN, OUT, data=data) == ["NN406"]


def test_one_data_set_may_feed_both_ends() -> None:
    net = network(IN, HIDDEN, OUT | {"DataSet": "in"}, data=[DataFacts("in", 5, 8)])
    assert len(net.data) == 1


SHARE = {"SourceInputLayer": "Input", "SourceOutputLayer": "Hidden", "InputLayer": "Hidden", "Transposed": True}


def test_transposed_weights_are_shared() -> None:
    net = network(IN, HIDDEN, OUT | {"SharedWeights": SHARE})
    assert [(w.owner, w.transposed) for w in net.weights] == [(None, False), (0, True)]
    assert len(net.users(net.weights[0])) == 2


def test_weights_may_be_shared_before_they_are_defined() -> None:
    share = {"SourceInputLayer": "Input", "SourceOutputLayer": "Late", "InputLayer": "Input"}
    net = network(
        IN,
        {"Name": "Early", "N": 4, "SharedWeights": [share]},
        {"Name": "Late", "N": 4, "Source": "Input"},
        OUT | {"Source": ["Early", "Late"]},
    )
    assert net.weights[0].owner == 1
    assert net.weights[1].owner is None


def test_shared_weights_of_unknown_size_are_not_judged() -> None:
    net = network(IN | {"N": "auto"}, HIDDEN, OUT | {"N": "auto", "SharedWeights": SHARE})
    assert net.weights[1].owner == 0


def test_parameters_of_activations() -> None:
    layers = [
        IN,
        {"N": 4, "Activation": "Selu"},
        {"N": 4, "Activation": "Elu"},
        {"N": 4, "Activation": "LRelu"},
        {"N": 4, "Activation": "Selu", "EluAlpha": 1.5, "SeluLambda": 2},
        OUT,
    ]
    selu, elu, leaky, own = network(*layers).layers[1:5]
    assert (selu.elu_alpha, selu.selu_lambda) == (1.6732632, 1.050701)
    assert (elu.elu_alpha, leaky.slope) == (1.0, 0.01)
    assert (own.elu_alpha, own.selu_lambda) == (1.5, 2.0)
    selu, elu, leaky, own = network(*layers, EluAlpha=3, ReluSlope=0.2).layers[1:5]
    assert (selu.elu_alpha, elu.elu_alpha, leaky.slope, own.elu_alpha) == (3, 3, 0.2, 1.5)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, None),
        ({"Sparse": True}, Sparseness(0.5, 2)),
        ({"SparsenessPenalty": True}, Sparseness(0.5, 2)),
        ({"Sparse": True, "SparsenessPenalty": False}, None),
        ({"Sparse": True, "SparsenessPenalty": {"p": 0.1}}, Sparseness(0.1, 2)),
        ({"Sparse": True, "SparsenessPenalty": {"p": 0, "beta": 3}}, Sparseness(0.5, 3)),
    ],
)
def test_sparseness_penalties(keys: Any, expected: Sparseness | None) -> None:
    net = network(IN, HIDDEN | keys, OUT, SparsenessPenalty={"p": 0.5, "beta": 2})
    assert net.layers[1].sparseness == expected
    assert network(IN, HIDDEN | keys, OUT).layers[1].sparseness is None


@pytest.mark.parametrize(("sparse", "known", "expected"), [(True, None, True), (False, None, False)])
def test_denoising_without_data(sparse: bool, known: None, expected: bool) -> None:
    net = network(IN | {"Sparse": sparse}, HIDDEN, OUT, Denoising={"p": 0.2})
    assert net.layers[0].denoising is expected


@pytest.mark.parametrize(
    ("sparse", "stored", "expected"), [(True, True, True), (True, False, False), (False, True, False)]
)
def test_denoising_takes_what_the_data_say(sparse: bool, stored: bool, expected: bool) -> None:
    data = [DataFacts("in", 5, 8, sparse=stored), DataFacts("out", 5, 8)]
    net = network(IN | {"Sparse": sparse}, HIDDEN, OUT, Denoising={"p": 0.2}, data=data)
    assert net.layers[0].denoising is expected


def test_dropout_of_a_sparse_input_is_off() -> None:
    def data(sparse: bool) -> list[DataFacts]:
        return [DataFacts("in", 5, 8, sparse=sparse), DataFacts("out", 5, 8)]

    assert network(IN | {"pDropout": 0.3}, OUT, data=data(True)).layers[0].dropout == 0
    assert network(IN | {"pDropout": 0.3}, OUT, data=data(False)).layers[0].dropout == 0.3


IMAGE = {"Name": "Image", "DataSet": "in", "N": [32, 32, 3]}


def test_shapes_of_a_convolutional_network() -> None:
    convolution = {"Type": "Convolutional", "Kernel": [7, 7], "KernelStride": [1, 1], "N": 32}
    pooling = {"Type": "Pooling", "Function": "Max", "Kernel": [4, 4], "KernelStride": [2, 2]}
    small = {"Type": "Convolutional", "Kernel": [5, 5], "N": 64}
    net = network(IMAGE, convolution, pooling, small, pooling | {"Kernel": [2, 2]}, {"N": 100}, OUT)
    assert [layer.dims for layer in net.layers[:5]] == [
        (32, 32, 3, 1),
        (32, 32, 32, 1),
        (15, 15, 32, 1),
        (15, 15, 64, 1),
        (7, 7, 64, 1),
    ]
    assert net.layers[1].kernel == (7, 7, 1)
    assert net.layers[1].kernel_dimensions == 2
    assert len(net.weights) == 4


@pytest.mark.parametrize(
    ("keys", "dims"),
    [
        ({"Function": "LRN"}, (8, 1, 1, 1)),
        ({"Function": "MaxOut", "Source": ["Input", "Twin"]}, (8, 1, 1, 1)),
        ({"Function": "DotProduct", "Source": ["Input", "Twin"]}, (1, 1, 1, 1)),
        ({"Function": "Cosine", "Source": ["Input", "Twin", "Third"]}, (2, 1, 1, 1)),
        ({"Function": "Average", "Kernel": 2, "KernelStride": 2}, (4, 1, 1, 1)),
        ({"Function": "Max", "Kernel": 9}, (1, 1, 1, 1)),
    ],
)
def test_shapes_of_pooling_layers(keys: Any, dims: tuple[int, ...]) -> None:
    inputs = [IN, *({"Name": n, "Kind": "Input", "DataSet": n, "N": 8} for n in ("Twin", "Third"))]
    net = network(*inputs, {"Name": "Pool", "Type": "Pooling", "Source": "Input", **keys}, OUT)
    assert next(layer for layer in net.layers if layer.name == "Pool").dims == dims


@pytest.mark.parametrize("function", ErrorFunction)
@pytest.mark.parametrize("activation", Activation)
def test_legality(function: ErrorFunction, activation: Activation) -> None:
    """Pairs for which DSSTNE has a delta (dsstne.md 3.4), or with a gradient, are allowed; others have a reason."""
    undefined = activation in (Activation.PRELU, Activation.RELUMAX, Activation.LINEARMAX)
    logarithmic = function in (ErrorFunction.CROSS_ENTROPY, ErrorFunction.SMCE, ErrorFunction.DSMCE)
    soft = function in (ErrorFunction.L2, ErrorFunction.L2_HINGE, ErrorFunction.CROSS_ENTROPY, ErrorFunction.SMCE)
    allowed = not undefined and (activation is not Activation.SOFTMAX or soft)
    allowed = allowed and (not logarithmic or activation in (Activation.SIGMOID, Activation.SOFTMAX))
    assert (activation in PAIRS[function][0]) == allowed
    if not undefined:
        assert bool(refusal(function, activation)) != allowed


@pytest.mark.parametrize(
    ("function", "facts", "expected"),
    [
        ("Hinge", {"sparse": True}, ["NN341"]),
        ("Hinge", {}, []),
        ("DataScaledMarginalCrossEntropy", {}, ["NN341"]),
        ("DataScaledMarginalCrossEntropy", {"sparse": True, "boolean": True}, ["NN341"]),
        ("DataScaledMarginalCrossEntropy", {"sparse": True}, []),
        ("CrossEntropy", {"sparse": True, "boolean": True}, []),
    ],
)
def test_targets(function: str, facts: Any, expected: list[str]) -> None:
    data = [DataFacts("in", 5, 8), DataFacts("out", 5, 8, **facts)]
    found = checked(IN, HIDDEN, OUT, data=data, ErrorFunction=function)
    assert [d.code.code for d in found.report.errors] == expected


def test_training_parameters() -> None:
    parameters = {
        "Epochs": 3, "MiniBatch": 16, "Alpha": 0.1, "AlphaInterval": 2, "AlphaMultiplier": 0.8, "Mu": 0.5, "Mu1": 0.99,
        "Lambda": 0.001, "Lambda1": 0.002, "Optimizer": "Adam", "CheckpointInterval": 5, "CheckpointName": "c",
        "Results": "r.nc", "ShuffleIndices": False, "RandomSeed": 7,
    }  # fmt: skip
    assert checked(IN, OUT, TrainingParameters=parameters).training == {
        "epochs": 3, "batch": 16, "alpha": 0.1, "alpha_interval": 2, "alpha_multiplier": 0.8, "mu": 0.5, "mu1": 0.99,
        "lambda_": 0.001, "lambda1": 0.002, "optimizer": Optimizer.ADAM, "checkpoint_interval": 5, "shuffle": False,
        "seed": 7,
    }  # fmt: skip
    assert checked(IN, OUT).training == {}


def test_weight_initialisation() -> None:
    net = network(IN, HIDDEN | {"WeightInit": {"Scheme": "CaffeXavier", "Bias": -10.2}}, OUT)
    assert net.layers[1].init == Init(Scheme.CAFFE_XAVIER, 1.0, -10.2)


def test_all_errors_of_a_phase_are_reported() -> None:
    data = [DataFacts("in", 5, 8), DataFacts("out", 5, 8)]
    found = codes(IN | {"N": "auto", "DataSet": "inn"}, HIDDEN | {"N": "auto"}, OUT | {"N": 1}, data=data)
    assert found == ["NN404", "NN402", "NN406"]


def test_load_stops_with_every_error(tmp_path: Path) -> None:
    path = tmp_path / "net.json"
    path.write_text('{ "Layers": [ {}, {} ], "Nam": 1 }', encoding="utf-8")
    with pytest.raises(Stop, match="NN201"):
        load(path)


def test_names_may_be_anything() -> None:
    wild = '"; import os #'
    net = network(IN | {"Name": wild, "DataSet": wild}, HIDDEN | {"Source": wild}, OUT, Name=wild)
    assert net.layers[0].name == net.layers[0].dataset == net.name == wild


@st.composite
def definitions(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Lists of layers with random edges in any direction; some have circles."""
    count = draw(st.integers(2, 8))
    layers: list[dict[str, Any]] = []
    for i in range(count):
        kind = draw(st.sampled_from(["Input", "Hidden", "Output"]))
        layer: dict[str, Any] = {"Name": f"L{i}", "Kind": kind, "N": 4}
        if kind != "Hidden":
            layer["DataSet"] = f"d{i}"
        if kind != "Input":
            others = st.lists(st.integers(0, count - 1).map(lambda n: f"L{n}"), unique=True, max_size=3)
            layer["Source"], layer["Skip"] = draw(others), draw(others)
        layers.append(layer)
    return layers


@given(definitions())
def test_order_follows_the_edges(layers: list[dict[str, Any]]) -> None:
    result = checked(*layers)
    if result.network is None:
        assert {d.code.code for d in result.report.errors} <= {"NN304", "NN305", "NN306", "NN308"}
        return
    net = result.network
    assert sorted(layer.position for layer in net.layers) == list(range(len(layers)))
    for index, layer in enumerate(net.layers):
        assert layer.index == index
        assert all(source < index for source in (*layer.sources, *layer.skips))
        assert [net.layers[s].name for s in layer.sources] == layers[layer.position].get("Source", [])
    assert len(net.weights) == sum(len(layer.sources) for layer in net.layers)
