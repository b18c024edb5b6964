"""Whole trainings beside the float64 reference, on data and networks at the edges of what programs are made for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from nnlang.expressions import Var
from nnlang.formulas import MAX_LOG
from nnlang.network import Activation, ErrorFunction, Layer, Loss, Network, Optimizer, Sparseness, Training
from nnlang.ops import BATCH, Axis, Pointwise, Pool, State, Type, named
from nnlang.runtime.dataset import DataSet, dense_set, sparse_set
from nnlang.runtime.kernels import Tree, leaf_log_sums
from nnlang.runtime.philox import keep_units, uniform_entries
from nnlang.runtime.program import Program
from nnlang.runtime.reference import Parameters, Targets
from nnlang.runtime.reference_training import Progress, train_step
from nnlang.runtime.train import shuffled, train
from tests.networks import build, hidden, output, source

SEED = 7
BYTES = {"uint8": {"input": (256, -0.5), "target": (256, 0.0)}, "int8": {"input": (128, 0.0), "target": (128, 0.0)}}


def written(data: DataSet, layer: Layer, ids: np.ndarray, role: str) -> tuple[np.ndarray, np.ndarray]:
    """The rows of some examples as a person would write them out: values and what is stored, [rows, units]."""
    values, present = np.zeros((len(ids), layer.units)), np.zeros((len(ids), layer.units), bool)
    for i, example in enumerate(ids):
        row = example if data.row is None else data.row[example]
        if not data.facts.sparse:
            stored = data.dense[row]
            if data.facts.boolean:
                values[i, stored] = 1
            else:
                scale, shift = BYTES.get(data.dense.dtype.name, {}).get(role, (1, 0))
                values[i, : len(stored)] = stored / scale + shift
            present[i] = True
            continue
        for place in range(data.start[row], data.end[row]):
            unit = data.index[place]
            present[i, unit] = True
            values[i, unit] = 1 if data.values is None else data.values[place]
        if role == "input" and data.weight is not None:
            values[i] *= data.weight[example]
    return values, present


def inputs_of(network: Network, sets: dict[str, DataSet], ids: np.ndarray, epoch: int) -> dict[int, np.ndarray]:
    found = {}
    for layer in network.inputs:
        values, present = written(sets[layer.dataset], layer, ids, "input")
        if layer.denoising and network.denoising:
            rows, units = np.nonzero(present)
            draws = uniform_entries(SEED, layer.index, epoch, torch.as_tensor(ids[rows]), torch.as_tensor(units))
            kept = draws.numpy() >= np.float32(network.denoising)
            values[rows, units] *= kept / (1 - network.denoising)
        found[layer.index] = values
    return found


def targets_of(network: Network, sets: dict[str, DataSet], ids: np.ndarray) -> dict[int, Targets]:
    found = {}
    for layer in network.outputs:
        data = sets[layer.dataset]
        values, present = written(data, layer, ids, "target")
        weight = None if data.weight is None else data.weight[ids]
        if not data.facts.sparse:
            found[layer.index] = Targets(values, "dense", None, weight)
            continue
        kind = "boolean" if data.facts.boolean else "analog"
        found[layer.index] = Targets(values, kind, present, weight, data.facts.ignore_zero)
    return found


def masks_of(network: Network, ids: np.ndarray, step: int) -> dict[int, np.ndarray]:
    return {
        x.index: keep_units(SEED, x.index, step, torch.as_tensor(ids), x.units).numpy() >= np.float32(x.dropout)
        for x in network.layers
        if x.dropout > 0
    }


def expected(network: Network, sets: dict[str, DataSet], settings: Training) -> tuple[Parameters, float]:
    """Where the reference leads in whole epochs, and the last one's error per example."""
    start = Program(network, ["step"], settings.batch, settings)
    start.initialise(settings.seed)
    states = {(s.owner, s.index, s.part): start.get(s).astype(np.float64) for s in start.states}
    norms = [x.index for x in network.layers if x.batch_normalization]
    parameters = Parameters(
        {i: v for (owner, i, part), v in states.items() if owner == "weight" and not part},
        {i: v for (owner, i, part), v in states.items() if owner == "bias" and not part},
        {i: {k: states["bn", i, k] for k in ("scale", "bias", "mean", "variance")} for i in norms},
    )
    progress, mean = Progress(parameters), 0.0
    examples = next(iter(sets.values())).facts.examples
    for epoch in range(settings.epochs):
        order = shuffled(settings.seed, epoch, examples) if network.shuffle else np.arange(examples)
        total = 0.0
        for first in range(0, examples, settings.batch):
            ids = order[first : first + settings.batch]
            progress, slopes = train_step(
                network,
                settings,
                progress,
                inputs_of(network, sets, ids, epoch),
                targets_of(network, sets, ids),
                masks=masks_of(network, ids, progress.steps),
            )
            total += float(slopes.error)
        mean = total / examples
    return progress.parameters, mean


def check(path: Path, network: Network, sets: dict[str, DataSet], **rest: object) -> None:
    """Trains for two epochs of three and a bit batches and compares every parameter and the last epoch's error."""
    network = replace(network, data=tuple(d.facts for d in sets.values()))
    values = {"optimizer": Optimizer.SGD, "epochs": 2, "batch": 4, "alpha": 0.1, "lambda_": 1e-3, "seed": SEED}
    settings = Training(**{**values, **rest})
    events = []
    model = train(network, sets, settings, output=path / "model.nc", observer=events.append).model
    wanted, mean = expected(network, sets, settings)
    for found, goal in ((model.weights, wanted.weights), (model.biases, wanted.biases)):
        for i, array in goal.items():
            assert np.linalg.norm(found[i] - array) <= 2e-5 * max(np.linalg.norm(array), 1.0), i
    for i, parts in wanted.batch_norm.items():
        for name, array in parts.items():
            assert np.linalg.norm(model.batch_norm[i][name] - array) <= 5e-5 * max(np.linalg.norm(array), 1.0), name
    last = [e for e in events if e.kind == "epoch"][-1]
    assert last.training_error == pytest.approx(mean, rel=2e-5)


def rows(examples: int, units: int, most: int, seed: int, empty: tuple[int, ...] = ()) -> tuple[np.ndarray, np.ndarray]:
    """Offsets and indices of random sparse rows, some of them empty."""
    random = np.random.default_rng(seed)
    found = [np.sort(random.choice(units, random.integers(1, most + 1), replace=False)) for _ in range(examples)]
    found = [row[:0] if i in empty else row for i, row in enumerate(found)]
    return np.concatenate(([0], np.cumsum([len(r) for r in found]))), np.concatenate(found)


def sparse(
    name: str, units: int, seed: int = 1, *, examples: int = 13, analog: bool = False, **rest: object
) -> DataSet:
    empty = rest.pop("empty", ())
    offsets, index = rows(examples, units, 3, seed, empty)
    values = np.random.default_rng(seed + 50).uniform(0.2, 1.5, len(index)).astype(np.float32) if analog else None
    return sparse_set(name, offsets, index, values, width=units, **rest)


def weights(examples: int = 13, seed: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.3, 2, examples).astype(np.float32)


CROSS, MARGINAL = Loss(), Loss(ErrorFunction.SMCE, 1.0, 0.0, 3.0, 1.0)
EMPTY = tuple(range(4, 8))  # with batches of 4 the second one stores nothing at all


@pytest.mark.parametrize("loss", [CROSS, MARGINAL], ids=["cross-entropy", "marginal"])
@pytest.mark.parametrize("activation", [Activation.SIGMOID, Activation.SOFTMAX])
@pytest.mark.parametrize("units", [5, 31, 2200])
def test_batches_that_store_nothing(tmp_path: Path, loss: Loss, activation: Activation, units: int) -> None:
    network = build("x", [source("In", units), hidden("H", 3, "In"), output("Out", units, "H", activation=activation)],
                    loss=loss, shuffle=False)  # fmt: skip
    sets = {"in": sparse("in", units, 1, empty=EMPTY), "out": sparse("out", units, 2, empty=EMPTY)}
    check(tmp_path, network, sets)


@pytest.mark.parametrize("batch", [1, 2, 5, 13, 1000])
def test_batch_sizes(tmp_path: Path, batch: int) -> None:
    network = build("x", [source("In", 31, denoising=True), hidden("H", 3, "In", dropout=0.3), output("Out", 30, "H")],
                    denoising=0.3)  # fmt: skip
    check(tmp_path, network, {"in": sparse("in", 31), "out": sparse("out", 30, 2)}, batch=batch)


@pytest.mark.parametrize("analog", [False, True])
@pytest.mark.parametrize("units", [9, 40])
def test_weighted_indexed_denoised_inputs_that_share_rows_with_the_target(
    tmp_path: Path, analog: bool, units: int
) -> None:
    network = build("x", [source("In", units, denoising=True), hidden("H", 3, "In"), output("Out", units, "H")],
                    loss=MARGINAL, denoising=0.4)  # fmt: skip
    row = np.array([5, 0, 5, 1, 2, 2, 8, 7, 6, 3, 3, 0, 4])
    rest = {"examples": 9, "row": row, "empty": (3,)}
    sets = {
        "in": sparse("in", units, analog=analog, weight=weights(), **rest),
        "out": sparse("out", units, analog=not analog, weight=weights(seed=4), **rest),
    }
    check(tmp_path, network, sets)


@pytest.mark.parametrize("activation", [Activation.SIGMOID, Activation.SOFTMAX])
def test_class_targets_beside_sparse_ones_and_layers_wider_than_their_data(
    tmp_path: Path, activation: Activation
) -> None:
    layers = [
        source("In", 12),
        source("Side", 7, dropout=0.2),
        hidden("H", 4, "In", "Side"),
        output("First", 6, "H", activation=activation),
        output("Second", 600, "H", activation=activation),
    ]
    random = np.random.default_rng(2)
    sets = {
        "in": sparse("in", 9),
        "side": dense_set("side", random.integers(0, 256, (13, 5)).astype(np.uint8)),
        "first": dense_set("first", random.integers(0, 4, 13), classes=True, width=4, weight=weights()),
        "second": sparse("second", 590, 2),
    }
    check(tmp_path, build("x", layers), sets)


def test_one_unit_one_row_and_batch_normalisation(tmp_path: Path) -> None:
    layers = [source("In", 1), hidden("H", 1, "In", batch_normalization=True), output("Out", 1, "H")]
    sets = {
        "in": sparse_set("in", np.arange(14), np.zeros(13, int), width=1),
        "out": sparse_set("out", np.minimum(np.arange(14), 9), np.zeros(9, int), width=1),
    }
    check(tmp_path, build("x", layers), sets, batch=1)


@pytest.mark.parametrize("units", [63, 64, 65, 447, 448, 449, 511, 512, 513, 1023, 2047, 2048, 2049, 20481])
def test_widths_around_leaves(tmp_path: Path, units: int) -> None:
    layers = [source("In", units), hidden("H", 2, "In"), output("Out", units, "H")]
    check(tmp_path, build("x", layers), {"in": sparse("in", units), "out": sparse("out", units, 2)}, epochs=1)


def test_a_softmax_output_that_another_layer_reads(tmp_path: Path) -> None:
    layers = [
        source("In", 20),
        hidden("H", 5, "In", activation=Activation.TANH),
        output("First", 6, "H", activation=Activation.SOFTMAX),
        hidden("G", 4, "First", "H"),
        output("Second", 5, "G", activation=Activation.SOFTMAX),
    ]
    sets = {"in": sparse("in", 20), "first": sparse("first", 6, 2), "second": sparse("second", 5, 3)}
    check(tmp_path, build("x", layers), sets)


def test_penalty_and_delta_norm_of_a_linear_layer(tmp_path: Path) -> None:
    penalty = Sparseness(0.3, 0.02)
    layers = [
        source("In", 20),
        hidden("H", 5, "In", activation=Activation.LINEAR, sparseness=penalty, delta_norm=0.05),
        output("Out", 6, "H"),
    ]
    check(tmp_path, build("x", layers), {"in": sparse("in", 20), "out": sparse("out", 6, 2)})


def test_the_gradient_of_an_argument_that_is_given_twice() -> None:
    pool = Pool()
    x = pool.make(State(Type((BATCH, Axis("unit", 3))), 0))
    both = named(pool, Var("a") * Var("b"), {"a": x, "b": x}, {"a": Var("b"), "b": Var("a")})
    assert isinstance(both, Pointwise) and both.args == (x,)
    assert str(both.slopes[0]) == "(x0 + x0)"


@pytest.mark.parametrize("stored", [0.9, 1 - 1e-4, 1 - 1e-6, 1.0])
def test_the_error_of_absent_units_is_exact_however_near_to_one_activations_come(stored: float) -> None:
    random = torch.Generator().manual_seed(1)
    a = torch.rand(3 * 448 + 30, 8, generator=random) * 1e-4
    a[::7] = stored
    a[::7, 3] = 0.5
    wanted = torch.log1p(-a.double()).clamp_min(-MAX_LOG).sum(0)
    tree = Tree()
    leaf_log_sums(tree, a.clone(), 448, 1.0)
    found = tree.total().double()
    assert float(((found - wanted) / wanted).abs().max()) <= 1e-6


def test_the_error_of_absent_units_depends_on_no_other_row_and_no_chunk() -> None:
    random = torch.Generator().manual_seed(2)
    a = torch.rand(4 * 448, 8, generator=random) * 1e-2
    alone, beside = a.clone(), a.clone()
    beside[100:900, 5] = 1.0
    totals = []
    for tile, step in ((alone, 4), (alone, 1), (beside, 2)):
        tree = Tree()
        for first in range(0, 4, step):
            leaf_log_sums(tree, tile[first * 448 : (first + step) * 448], 448, -1.0)
        totals.append(tree.total())
    assert torch.equal(totals[0], totals[1])
    assert torch.equal(totals[0][:5], totals[2][:5]) and torch.equal(totals[0][6:], totals[2][6:])


def test_not_a_number_stays_one() -> None:
    a = torch.full((448, 2), 0.1)
    a[7, 1] = float("nan")
    tree = Tree()
    leaf_log_sums(tree, a, 448, 1.0)
    total = tree.total()
    assert bool(torch.isfinite(total[0])) and bool(torch.isnan(total[1]))
