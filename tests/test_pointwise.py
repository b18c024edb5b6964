"""Error, accuracy, AUC and RMSE against plain loops in float64, for every way that targets can be stored."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from nnlang.codes import training as codes
from nnlang.diagnostics import Stop
from nnlang.measures import MEASURES, Metric
from nnlang.network import Activation, ErrorFunction, Loss
from nnlang.runtime import pointwise
from nnlang.runtime.dataset import DataSet, dense_set, sparse_set
from nnlang.runtime.devices import find
from nnlang.runtime.model import Model
from nnlang.runtime.pointwise import Side, measure, side_of
from tests import networks

Array = NDArray[Any]
ALL = [Metric(MEASURES[name]) for name in ("error", "accuracy", "auc", "rmse")]
ROWS, INPUTS, UNITS = 23, 3, 5

ACTIVATE = {
    Activation.SIGMOID: lambda z: 1 / (1 + np.exp(-z)),
    Activation.TANH: np.tanh,
    Activation.LINEAR: lambda z: z,
    Activation.SOFTMAX: lambda z: np.exp(z) / np.exp(z).sum(1, keepdims=True),
}
ERRORS = {
    ErrorFunction.L2: lambda a, t, p: 0.5 * (a - t) ** 2,
    ErrorFunction.L1: lambda a, t, p: abs(a - t),
    ErrorFunction.CROSS_ENTROPY: lambda a, t, p: -(t * np.log(a) + (1 - t) * np.log(1 - a)),
    ErrorFunction.SMCE: lambda a, t, p: -np.where(p, (a < 0.9) * np.log(a), (a > 0.1) * np.log(1 - a)),
    ErrorFunction.HINGE: lambda a, t, p: np.maximum(1 - t * a, 0),
}


class Problem:
    """A network of one layer on drawn data, and what it should say."""

    def __init__(self, kind: str, activation: Activation, function: ErrorFunction, seed: int = 0) -> None:
        random = np.random.default_rng(seed)
        x = random.integers(-2, 3, (ROWS, INPUTS)).astype(np.float32)  # few values: many scores are equal
        self.target, self.wanted, self.stored = TARGETS[kind](random)
        rows = [
            networks.source("Input", INPUTS),
            networks.output("Output", self.target.facts.units, "Input", activation=activation),
        ]
        sets = {"in": dense_set("input", x), "out": self.target}
        made = networks.bind(networks.build("p", rows, loss=Loss(function)), *(d.facts for d in sets.values()))
        weights = (random.integers(-2, 3, (INPUTS, self.target.facts.units)) / 4).astype(np.float32)
        bias = (random.integers(-2, 3, self.target.facts.units) / 4).astype(np.float32)
        self.model = Model(made, {0: weights}, {0: bias})
        self.sets = {d.name: d for d in sets.values()}
        self.scores = ACTIVATE[activation](x.astype(np.float64) @ weights + bias)

    def measured(self, **options: Any) -> dict[str, float]:
        return measure(self.model, self.sets, ALL, **options)


def boolean(random: np.random.Generator, **options: Any) -> tuple[DataSet, Array, Array]:
    stored = random.random((ROWS, UNITS)) < 0.4
    stored[3] = False
    offsets = np.concatenate(([0], np.cumsum(stored.sum(1))))
    return sparse_set("output", offsets, np.nonzero(stored)[1], width=UNITS, **options), stored * 1.0, stored


def analog(random: np.random.Generator, **options: Any) -> tuple[DataSet, Array, Array]:
    _, wanted, stored = boolean(random)
    wanted = wanted * random.integers(-1, 4, wanted.shape)
    offsets = np.concatenate(([0], np.cumsum(stored.sum(1))))
    made = sparse_set("output", offsets, np.nonzero(stored)[1], wanted[stored], width=UNITS, **options)
    return made, wanted, stored


def dense(random: np.random.Generator) -> tuple[DataSet, Array, Array]:
    wanted = random.choice([0.0, 0.25, 0.75, 1.0], (ROWS, UNITS))
    return dense_set("output", wanted.astype(np.float32)), wanted, wanted > 0


def signed(random: np.random.Generator) -> tuple[DataSet, Array, Array]:
    wanted = random.choice([-1.0, 1.0], (ROWS, UNITS))
    return dense_set("output", wanted.astype(np.float32)), wanted, wanted > 0


def classes(random: np.random.Generator) -> tuple[DataSet, Array, Array]:
    numbers = random.integers(0, UNITS, ROWS)
    wanted = np.eye(UNITS)[numbers]
    return dense_set("output", numbers, width=UNITS, classes=True), wanted, wanted > 0


def one(random: np.random.Generator) -> tuple[DataSet, Array, Array]:
    wanted = (random.random((ROWS, 1)) < 0.5) * 1.0
    return dense_set("output", wanted.astype(np.float32)), wanted, wanted > 0


def indexed(random: np.random.Generator) -> tuple[DataSet, Array, Array]:
    """Rows that several examples share, as DSSTNE's indexed data sets have."""
    unique, row = (random.random((4, UNITS)) < 0.5) * 1.0, random.integers(0, 4, ROWS)
    offsets = np.concatenate(([0], np.cumsum(unique.sum(1).astype(int))))
    made = sparse_set("output", offsets, np.nonzero(unique)[1], width=UNITS, row=row)
    return made, unique[row], unique[row] > 0


TARGETS = {"boolean": boolean, "analog": analog, "dense": dense, "signed": signed, "classes": classes, "one": one,
           "indexed": indexed}  # fmt: skip
CASES = [
    ("boolean", Activation.SIGMOID, ErrorFunction.SMCE),
    ("boolean", Activation.SIGMOID, ErrorFunction.CROSS_ENTROPY),
    ("analog", Activation.LINEAR, ErrorFunction.L2),
    ("dense", Activation.SIGMOID, ErrorFunction.L1),
    ("signed", Activation.TANH, ErrorFunction.L2),
    ("signed", Activation.LINEAR, ErrorFunction.HINGE),
    ("classes", Activation.SIGMOID, ErrorFunction.CROSS_ENTROPY),
    ("one", Activation.SIGMOID, ErrorFunction.CROSS_ENTROPY),
    ("indexed", Activation.SIGMOID, ErrorFunction.L2),
]


def auc_of(scores: Array, on: Array) -> float:
    """Every pair by itself."""
    above, below = scores[on].tolist(), scores[~on].tolist()
    won = sum((a > b) + (a == b) / 2 for a, b in itertools.product(above, below))
    return won / (len(above) * len(below))


def float32_of(scores: Array) -> Array:
    """Scores as the program has them: exact sums of quarters, so that ties are ties in both."""
    return np.round(scores, 5)


@pytest.mark.parametrize("batch", [4, 1024])
@pytest.mark.parametrize(("kind", "activation", "function"), CASES, ids=lambda v: getattr(v, "name", v))
def test_measures_equal_plain_loops(kind: str, activation: Activation, function: ErrorFunction, batch: int) -> None:
    problem = Problem(kind, activation, function)
    found, scores, wanted = problem.measured(batch=batch), problem.scores, problem.wanted
    threshold = 0.0 if kind == "signed" else 0.5
    on = wanted > (0.0 if kind == "analog" else threshold)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = ERRORS[function](scores, wanted, problem.stored).sum(1).mean()
    if kind == "classes":
        accuracy = float((scores.argmax(1) == wanted.argmax(1)).mean())
    else:
        accuracy = float(((scores > threshold + 1e-9) == on).mean())
    assert found["error"] == pytest.approx(error, rel=1e-5)
    assert found["accuracy"] == pytest.approx(accuracy, abs=1e-12)
    assert found["rmse"] == pytest.approx(math.sqrt(((scores - wanted) ** 2).mean()), rel=1e-5)
    assert found["auc"] == pytest.approx(auc_of(float32_of(scores), on), abs=1e-12)


def test_shares_of_a_softmax() -> None:
    """Several classes stored: each has its share, and any of them is right."""
    problem = Problem("boolean", Activation.SOFTMAX, ErrorFunction.CROSS_ENTROPY)
    found, scores, stored = problem.measured(batch=7), problem.scores, problem.stored
    lengths = stored.sum(1, keepdims=True)
    shares = stored / np.maximum(lengths, 1)
    some = lengths[:, 0] > 0
    assert found["error"] == pytest.approx(-(shares * np.log(scores)).sum(1).mean(), rel=1e-5)
    assert found["accuracy"] == pytest.approx(stored[np.arange(ROWS), scores.argmax(1)][some].mean(), abs=1e-12)
    assert found["rmse"] == pytest.approx(math.sqrt(((scores - shares) ** 2).mean()), rel=1e-5)


def test_only_stored_units_count_where_zeros_are_ignored() -> None:
    random = np.random.default_rng(0)
    problem = Problem("analog", Activation.LINEAR, ErrorFunction.L2)
    target, wanted, stored = analog(random, ignore_zero=True)
    random = np.random.default_rng(0)
    random.integers(-2, 3, (ROWS, INPUTS))
    target, wanted, stored = analog(random, ignore_zero=True)
    network = networks.bind(problem.model.network, problem.sets["input"].facts, target.facts)
    model = Model(network, problem.model.weights, problem.model.biases)
    found = measure(model, {**problem.sets, "output": target}, ALL, batch=5)
    scores, numbers = problem.scores[stored], wanted[stored]
    assert found["error"] == pytest.approx(0.5 * ((scores - numbers) ** 2).sum() / ROWS, rel=1e-5)
    assert found["rmse"] == pytest.approx(math.sqrt(((scores - numbers) ** 2).mean()), rel=1e-5)
    assert found["accuracy"] == pytest.approx(((scores > 0.5) == (numbers > 0)).mean(), abs=1e-12)
    assert found["auc"] == pytest.approx(auc_of(float32_of(scores), numbers > 0), abs=1e-12)


def test_what_is_not_defined_is_no_number() -> None:
    """No unit is on: there is nothing to rank."""
    problem = Problem("boolean", Activation.SIGMOID, ErrorFunction.SMCE)
    nothing = sparse_set("output", np.zeros(ROWS + 1, int), [], width=UNITS)
    found = measure(problem.model, {**problem.sets, "output": nothing}, ALL)
    assert math.isnan(found["auc"]) and math.isfinite(found["rmse"])


def test_scores_that_are_not_finite_are_no_number() -> None:
    problem = Problem("boolean", Activation.LINEAR, ErrorFunction.L2)
    problem.model.weights[0][:] = 3e38
    problem.model.biases[0][:] = 3e38
    found = problem.measured()
    assert math.isnan(found["auc"]) and math.isnan(found["rmse"]) and math.isnan(found["accuracy"])
    assert not math.isfinite(found["error"])


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=2, max_size=40), st.integers(1, 9))
def test_auc_is_that_of_all_pairs(pairs: list[tuple[int, bool]], batch: int) -> None:
    """The scores of a network of one weight are its inputs."""
    scores, on = np.array([p[0] for p in pairs], float), np.array([p[1] for p in pairs])
    model, sets = passing(scores, on)
    found = measure(model, sets, [ALL[2]], batch=batch)["auc"]
    assert math.isnan(found) if on.all() or not on.any() else found == pytest.approx(auc_of(scores, on), abs=1e-12)


def passing(scores: Array, on: Array) -> tuple[Model, dict[str, DataSet]]:
    """A model whose one unit says its one input, and what it should say."""
    given_sets = [dense_set("input", scores[:, None].astype(np.float32)), dense_set("output", (on * 1.0)[:, None])]
    rows = [networks.source("Input", 1), networks.output("Output", 1, "Input", activation=Activation.LINEAR)]
    network = networks.bind(networks.build("p", rows, loss=Loss(ErrorFunction.L2)), *(d.facts for d in given_sets))
    model = Model(network, {0: np.ones((1, 1), np.float32)}, {0: np.zeros(1, np.float32)})
    return model, {d.name: d for d in given_sets}


def test_auc_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(1)
    scores, on = random.integers(0, 9, 100).astype(float), random.random(100) < 0.3
    monkeypatch.setattr(pointwise, "_SLICE", 7)
    model, sets = passing(scores, on)
    assert measure(model, sets, [ALL[2]], batch=16)["auc"] == pytest.approx(auc_of(scores, on), abs=1e-12)


def test_sides_say_themselves() -> None:
    sides = {kind: Problem(kind, activation, function) for kind, activation, function in CASES}
    told = {kind: str(side_of(p.model.network.outputs[0], p.target, p.model.network.loss)) for kind, p in sides.items()}
    assert told["classes"] == "the highest unit is the class" == str(Side(True, 0.5))
    assert told["signed"] == "units on the right side of 0" and told["dense"] == "units on the right side of 0.5"


def test_a_device_measures_the_same() -> None:
    problem = Problem("boolean", Activation.SIGMOID, ErrorFunction.SMCE)
    there = problem.measured(device=find("interpret"), batch=8)
    here = problem.measured(batch=8)
    assert there == pytest.approx(here, rel=1e-5) and there["auc"] == here["auc"]


def test_a_missing_data_set_is_told() -> None:
    problem = Problem("boolean", Activation.SIGMOID, ErrorFunction.SMCE)
    with pytest.raises(Stop) as stopped:
        measure(problem.model, {"input": problem.sets["input"]}, ALL)
    (told,) = stopped.value.diagnostics
    assert told.code is codes.NOT_TO_VALIDATE and "`output`" in told.message and "found: input" in told.message


def test_one_batch_of_units_is_held_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wide targets never stand as a whole: no tensor is larger than a batch of units, but those that are on."""
    sizes: list[int] = []
    problem = Problem("boolean", Activation.SIGMOID, ErrorFunction.SMCE)
    real = torch.from_numpy
    monkeypatch.setattr(torch, "from_numpy", lambda array: (sizes.append(array.size), real(array))[1])
    problem.measured(batch=2)
    assert max(sizes) <= max(2 * UNITS, INPUTS * UNITS)
