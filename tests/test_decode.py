"""Nodes to abstract syntax: every key, every wrong type, every limit, and nothing that raises."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlang import ast, schema
from nnlang.decode import decode, decode_job
from nnlang.definition import check
from nnlang.diagnostics import Report, render
from nnlang.network import Activation, DataFacts, ErrorFunction, Kind, LayerType, Optimizer, Scheme
from nnlang.source import Source
from nnlang.syntax import DEFAULTS, Limits, parse

LAYERS: list[dict[str, Any]] = [{"DataSet": "in", "N": 8}, {"N": 4}, {"DataSet": "out", "N": 8}]


def decoded(thing: Any, limits: Limits = DEFAULTS) -> tuple[ast.Definition | None, list[str]]:
    report = Report()
    source = Source("x.json", thing if isinstance(thing, str) else json.dumps(thing))
    root = parse(source, report, limits)
    assert root is not None
    definition = decode(root, source, report, limits)
    return definition, [d.code.code for d in report.sorted()]


def sound(thing: Any) -> ast.Definition:
    definition, codes = decoded(thing)
    assert codes == []
    assert definition is not None
    return definition


def layer(**keys: Any) -> ast.Layer:
    return sound({"Layers": [LAYERS[0], keys, LAYERS[2]]}).layers[1]


def test_nothing_written_is_none() -> None:
    definition = sound({"Layers": LAYERS})
    names = [f for f in vars(definition) if f not in ("source", "span", "layers")]
    assert [name for name in names if getattr(definition, name) is not None] == []
    first = definition.layers[0]
    written = {name for name, value in vars(first).items() if value is not None}
    assert written == {"span", "position", "n", "dataset"}


def test_every_key_of_the_top_level() -> None:
    definition = sound(
        {
            "Version": 0.8,
            "Name": "n",
            "Kind": "autoencoder",
            "WeightsData": "w.nc",
            "LRN": {"k": 1, "n": 3, "alpha": 0.5, "beta": 0.25},
            "MaxOut": {"k": 3},
            "SparsenessPenalty": {"p": 0.5, "beta": 2},
            "Denoising": {"p": 0.2},
            "DeltaBoost": {"one": 2, "zero": 3},
            "DataScaledMarginalCrossEntropy": {"oneTarget": 1, "zeroTarget": 0, "oneScale": 30, "zeroScale": 2},
            "ShuffleIndices": False,
            "Slope": 0.1,
            "EluAlpha": 2,
            "SeluLambda": 3,
            "Decay": 0.5,
            "ErrorFunction": "cross entropy",
            "Layers": LAYERS,
            "TrainingParameters": {"Epochs": 3, "Optimizer": "RMSPROP", "mu": 0.5},
            "Preparation": [{"Step": "topfrequency", "n": 20}, {"Step": "KCore", "Users": 5, "Name": "core"}],
        }
    )
    assert definition.preparation and definition.preparation[1].users and definition.preparation[1].users.value == 5
    assert [f for f, value in vars(definition).items() if value is None] == []
    assert definition.lrn and definition.lrn.n and definition.lrn.n.value == 3
    assert definition.smce and definition.smce.one_scale and definition.smce.one_scale.value == 30
    assert definition.error_function and definition.error_function.value is ErrorFunction.CROSS_ENTROPY
    assert definition.training and definition.training.optimizer
    assert definition.training.optimizer.value is Optimizer.RMSPROP
    assert definition.kind and definition.kind.value == "AutoEncoder"


def test_every_key_of_a_layer() -> None:
    found = layer(
        Name="h",
        Kind="HIDDEN",
        Type="convolutional",
        Sparse=True,
        N=[1, 2, 3],
        pDropout=0.5,
        Source=["a", "b"],
        Kernel=[3, 3],
        KernelStride=2,
        BatchNormalization=True,
        SparsenessPenalty={"p": 0.1},
        Skip="a",
        Activation="leakyrectifiedlinear",
        ReluSlope=0.1,
        EluAlpha=1,
        SeluLambda=1,
        WeightNorm=1,
        DeltaNorm=1,
        WeightInit={"Scheme": "gaussian", "Scale": 0.01, "Bias": -10.2},
        SharedWeights={"SourceInputLayer": "a", "SourceOutputLayer": "b", "InputLayer": "c", "Transposed": True},
    )
    assert {name for name, value in vars(found).items() if value is None} == {"penalty", "function", "dataset"}
    assert found.kind and found.kind.value is Kind.HIDDEN
    assert found.type and found.type.value is LayerType.CONVOLUTIONAL
    assert found.n and found.n.value == (1, 2, 3)
    assert [w.value for w in found.sources or ()] == ["a", "b"]
    assert [w.value for w in found.stride or ()] == [2]
    assert found.activation and found.activation.value is Activation.LEAKY_RELU
    assert found.init and found.init.scheme and found.init.scheme.value is Scheme.GAUSSIAN
    assert found.shared and found.shared[0].transposed and found.shared[0].transposed.value is True


def test_a_value_knows_its_place() -> None:
    text = '{ "layers": [ { "n": 12, "dataset": "in" } ] }'
    definition, _ = decoded(text)
    assert definition is not None
    n = definition.layers[0].n
    assert n is not None
    assert (text[n.span.start : n.span.end], text[n.key.start : n.key.end]) == ("12", '"n"')


@pytest.mark.parametrize(("written", "n"), [(3, (3,)), (3.0, (3,)), (1e3, (1000,)), ([1, 2], (1, 2)), ("AUTO", "auto")])
def test_sizes(written: Any, n: Any) -> None:
    found = layer(N=written).n
    assert found is not None
    assert found.value == n


def test_one_layer_need_not_be_a_list() -> None:
    assert len(sound({"Layers": LAYERS[0]}).layers) == 1


WRONG = {"object": {"x": 1}, "list": [[True]], "string": "\u2603", "number": 0.5, "boolean": True, "null": None}
# What some types of values do take.
TAKES = {
    schema.Flag: {"boolean"},
    schema.Text: {"string"},
    schema.Number: {"number"},
    schema.Choice: set(),
    schema.Record: set(),
    schema.Layers: set(),
}


def _taken(kind: schema.ValueType) -> set[str]:
    if isinstance(kind, schema.Many):
        return _taken(kind.of)
    return set() if isinstance(kind, schema.Number) and kind.integer else TAKES[type(kind)]


CASES = [
    (table.what, key.name, kind)
    for table in (*schema.TABLES, schema.PREDICTION, schema.JOB)
    for key in table.keys
    for kind in WRONG
    if kind not in _taken(key.type) and not (key.spare == "bool" and kind == "boolean")
]


@pytest.mark.parametrize(("what", "key", "kind"), CASES)
def test_every_key_refuses_every_wrong_type(what: str, key: str, kind: str) -> None:
    report = Report()
    wrong = {key: WRONG[kind]}
    if what == schema.JOB.what or what == schema.PREDICTION.what:
        thing: Any = wrong if what == schema.JOB.what else {"PredictionParameters": wrong}
        source = Source("x.json", json.dumps(thing))
        root = parse(source, report)
        assert root is not None
        assert decode_job(root, source, report) is None
    else:
        source = Source("x.json", json.dumps(_around(what, wrong)))
        root = parse(source, report)
        assert root is not None
        assert decode(root, source, report) is None
    start, end = source.text.index(json.dumps(key)), len(source.text)
    places = [d.place.span for d in report.errors if d.place and d.place.span and d.code.code != "NN206"]
    assert places
    assert all(start <= span.start <= span.end <= end for span in places)


def _around(what: str, wrong: dict[str, Any]) -> Any:
    if what == schema.DEFINITION.what:
        return {"Layers": LAYERS} | wrong
    if what in (schema.LAYER.what, schema.WEIGHT_INIT.what, schema.SHARED_WEIGHTS.what):
        inner = wrong if what == schema.LAYER.what else {what.strip("`"): wrong}
        if "DataSet" in inner:
            return {"Layers": [LAYERS[0] | inner, LAYERS[2]]}
        pooling = {"Type": "Pooling"} if "Function" in inner else {}
        return {"Layers": [LAYERS[0], pooling | inner, LAYERS[2]]}
    return {what.strip("`"): wrong, "Layers": LAYERS}


def test_unknown_keys_of_every_table() -> None:
    for table in schema.TABLES:
        assert "NN201" in decoded(_around(table.what, {"Zebra": 1}))[1]


@pytest.mark.parametrize(
    ("written", "codes", "read"),
    [
        ({"ErrorFunction": "SMCE"}, ["NN602"], ("error_function", ErrorFunction.SMCE)),
        ({"Version": "0.7"}, ["NN603"], ("version", 0.7)),
        ({"WeightData": "x.nc"}, ["NN601"], ("weights_data", "x.nc")),
    ],
)
def test_documented_spellings_of_the_top_level(written: Any, codes: list[str], read: tuple[str, Any]) -> None:
    definition, found = decoded({"Layers": LAYERS} | written)
    assert found == codes
    assert getattr(definition, read[0]).value == read[1]


def test_documented_spellings_of_layers() -> None:
    shared = {"SourceInputLayer": "a", "SourceOutputLayer": "b", "InputLayer": "c", "Transpose": True}
    definition, codes = decoded(
        {
            "Layers": [
                LAYERS[0],
                {"Kind": "pooling", "Function": "Max"},
                {"Type": "Convolution", "N": 3},
                {"N": 4, "SparsenessPenalty": True},
                LAYERS[2] | {"SharedWeights": [shared]},
            ]
        }
    )
    assert codes == ["NN602", "NN602", "NN604", "NN601"]
    assert definition is not None
    pooling, convolution, hidden, output = definition.layers[1:]
    assert pooling.kind and pooling.kind.value is Kind.HIDDEN
    assert pooling.type and pooling.type.value is LayerType.POOLING
    assert convolution.type and convolution.type.value is LayerType.CONVOLUTIONAL
    assert hidden.penalty and hidden.penalty.value is True
    assert output.shared and output.shared[0].transposed and output.shared[0].transposed.value is True


@pytest.mark.parametrize(
    "written",
    [
        {"Version": "seven"},
        {"Version": "nan"},
        {"Version": 0.6},
        {"Denoising": {"p": 1}},
        {"Denoising": {"p": -0.1}},
        {"SparsenessPenalty": {"beta": -1}},
        {"ScaledMarginalCrossEntropy": {"oneTarget": 1.1}},
        {"Decay": 3.5e38},
        {"EluAlpha": 10**39},
    ],
)
def test_values_out_of_range(written: Any) -> None:
    assert decoded({"Layers": LAYERS} | written)[1] in (["NN210"], ["NN211"])


def test_limits() -> None:
    layers = [LAYERS[0], *[LAYERS[1]] * 3]
    assert decoded({"Layers": layers}, Limits(layers=4))[1] == []
    assert decoded({"Layers": layers}, Limits(layers=3))[1] == ["NN220"]
    assert decoded({"Layers": LAYERS, "Name": "x" * 128})[1] == []
    assert decoded({"Layers": LAYERS, "Name": "x" * 129})[1] == ["NN216"]
    names = [f"n{i}" for i in range(1_025)]
    assert decoded({"Layers": [LAYERS[0], {"N": 1, "Source": names[1:]}, LAYERS[2]]})[1] == []
    assert decoded({"Layers": [LAYERS[0], {"N": 1, "Source": names}, LAYERS[2]]})[1] == ["NN218"]


def test_dump_shows_what_was_written_and_where() -> None:
    definition, _ = decoded('{"Layers": [{"N": "auto", "DataSet": "é"}], "ErrorFunction": "L2"}')
    assert definition is not None
    assert definition.dump() == (
        "definition @0:66\n"
        "  layers[0] @12:41\n"
        "    n 'auto' @18:24\n"
        "    dataset '\\xe9' @37:40\n"
        "  error_function l2 @61:65\n"
    )


KEYS = sorted({s for table in (*schema.TABLES, schema.JOB) for s in table.spellings()})
WORDS = sorted({o.spelling for c in (schema.ACTIVATION, schema.LAYER_KIND, schema.POOLING) for o in c.options})
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=12,
)


@settings(max_examples=40)
@given(
    st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=4), st.lists(st.dictionaries(st.sampled_from(KEYS), VALUES))
)
def test_nothing_raises(top: dict[str, Any], layers: list[Any]) -> None:
    source = Source("x.json", json.dumps({**top, "Layers": layers}))
    for need in (False, True):
        result = check(source, {"in": DataFacts("in", 3, 8)}, need_shapes=need)
        assert (result.network is not None) != bool(result.report.errors)
        render(result.report.sorted())
