"""The language's table: whole, free of contradictions, and in step with the types that hold what it describes."""

from __future__ import annotations

from dataclasses import fields
from enum import Enum

import pytest

from nnlang import ast, schema
from nnlang.network import Activation, ErrorFunction, Kind, Layer, LayerType, Loss, Network, Optimizer, Scheme, Training
from nnlang.schema import Choice, Many, Number, Record, Status, Table, Text, expects

TABLES = (*schema.TABLES, schema.PREDICTION, schema.JOB)
RECORDS = {
    schema.DEFINITION.what: ast.Definition,
    schema.LAYER.what: ast.Layer,
    schema.SPARSENESS.what: ast.Sparseness,
    schema.DENOISING.what: ast.Denoising,
    schema.DELTA_BOOST.what: ast.DeltaBoost,
    schema.SMCE.what: ast.Smce,
    schema.LRN.what: ast.Lrn,
    schema.MAX_OUT.what: ast.MaxOut,
    schema.WEIGHT_INIT.what: ast.WeightInit,
    schema.SHARED_WEIGHTS.what: ast.SharedWeights,
    schema.TRAINING.what: ast.Training,
    schema.PREDICTION.what: ast.Prediction,
    schema.PREPARATION.what: ast.Preparation,
    schema.JOB.what: ast.Job,
}


@pytest.mark.parametrize("table", TABLES, ids=lambda t: t.what)
def test_keys_and_fields_are_the_same(table: Table) -> None:
    names = {f.name for f in fields(RECORDS[table.what])} - {"source", "span", "key", "position", "penalty"}
    assert {key.field for key in table.keys} == names


@pytest.mark.parametrize("table", TABLES, ids=lambda t: t.what)
def test_spellings_are_unique_in_any_letter_case(table: Table) -> None:
    spellings = [s.lower() for s in table.spellings()] + [name.lower() for name, _ in table.reasons]
    assert len(set(spellings)) == len(spellings)
    for key in table.keys:
        assert all(table.find(s.upper()) is key for s in key.spellings)
        assert key.words.endswith(".")
        assert expects(key.type)


ENUMS: list[tuple[Choice, type[Enum]]] = [
    (schema.ACTIVATION, Activation),
    (schema.ERROR_FUNCTION, ErrorFunction),
    (schema.SCHEME, Scheme),
    (schema.OPTIMIZER, Optimizer),
    (schema.LAYER_TYPE, LayerType),
    (schema.LAYER_KIND, Kind),
]


@pytest.mark.parametrize(("choice", "enum"), ENUMS, ids=lambda x: getattr(x, "what", ""))
def test_every_member_has_a_spelling(choice: Choice, enum: type[Enum]) -> None:
    assert {o.value for o in choice.options if isinstance(o.value, Enum)} == set(enum)
    spellings = [s.lower() for o in choice.options for s in o.spellings]
    assert len(set(spellings)) == len(spellings)
    assert all(o.words or o.reason for o in choice.options)


def test_the_refused_activations() -> None:
    refused = {o.value for o in schema.ACTIVATION.options if o.reason}
    assert refused == {Activation.PRELU, Activation.RELUMAX, Activation.LINEARMAX, None}


def test_defaults_are_those_of_the_network() -> None:
    def default(cls: type[object], name: str) -> object:
        return next(f.default for f in fields(cls) if f.name == name)  # type: ignore[arg-type]

    for name in ("shuffle", "decay", "slope", "elu_alpha", "selu_lambda"):
        assert schema.DEFINITION.default(name) == default(Network, name)
    for name in ("one_target", "zero_target", "one_scale", "zero_scale"):
        assert schema.SMCE.default(name) == default(Loss, name)
    for name in ("one", "zero"):
        assert schema.DELTA_BOOST.default(name) == default(Loss, f"boost_{name}")
    for name in ("weight_norm", "delta_norm", "batch_normalization", "sparse", "dropout"):
        assert schema.LAYER.default(name) == default(Layer, name)
    assert tuple(schema.LRN.default(n) for n in ("k", "n", "alpha", "beta")) == default(Network, "lrn")
    assert schema.MAX_OUT.default("k") == default(Network, "maxout_k")
    for name in ("alpha_interval", "alpha_multiplier"):
        assert schema.TRAINING.default(name) == default(Training, name)


def test_training_parameters_are_those_of_training() -> None:
    assert {k.field for k in schema.TRAINING.keys} - {"checkpoint_name", "results"} == {
        f.name for f in fields(Training)
    }


def test_statuses() -> None:
    ours = {key.name for table in TABLES for key in table.keys if key.status is Status.OURS}
    assert ours >= {"TrainingParameters", "Mu1", "Lambda1"}
    assert {key.name for key in schema.DEFINITION.keys if key.status is Status.PARSED} == {
        "Kind",
        "WeightsData",
        "MaxOut",
    }


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Number(), "a number"),
        (Number(0), "a number, 0 or more"),
        (Number(0, 1), "a number from 0 to 1"),
        (Number(0, 1, below=True), "a number from 0 to below 1"),
        (Number(1, schema.INT_MAX, integer=True), "an integer, 1 or more"),
        (Text("a name"), "a name in double quotes"),
        (Many(Number(1, 9, integer=True), 3, "auto"), 'an integer from 1 to 9, or a list of at most 3, or "auto"'),
        (Record(schema.DENOISING), "an object with p"),
    ],
)
def test_expects(kind: schema.ValueType, words: str) -> None:
    assert expects(kind) == words
