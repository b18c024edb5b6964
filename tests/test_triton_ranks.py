"""Kernels of ranks that share a network: every kind of sum over a split axis, interpreted, ranks as threads.

Leaves are small here, so that layers of 200 units have four of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from nnlang.codegen import grid, pipeline, select
from nnlang.codegen.pipeline import Options
from nnlang.compiler import compile_network, splittable
from nnlang.lower import Ranking
from nnlang.network import Activation, ErrorFunction, Loss, Network, Optimizer, Sparseness, Training
from nnlang.placement import ALONE, Placement
from nnlang.runtime import devices
from nnlang.runtime.devices import Device
from nnlang.runtime.executor import Part
from nnlang.runtime.mesh import Mesh
from nnlang.runtime.program import Program, feed_for
from tests.kernels import STEP, device
from tests.networks import build, hidden, output, source
from tests.oracle_cases import Case
from tests.programs import datasets, distance
from tests.ranks import meshed
from tests.test_triton import sparse_case

UNITS, ROWS, SEED = 200, 17, 7
BOUND = 1e-5  # by norm
TRAINING = Training(optimizer=Optimizer.MOMENTUM, mu=0.9, lambda_=1e-3, lambda1=1e-4)


@pytest.fixture(autouse=True, scope="module")
def _small_leaves() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grid, "SMALLEST", grid.ALIGN)
        yield


def one_hidden(units: int = UNITS) -> Case:
    """A fused output with biases, whose errors are of stored and of absent targets; noise in both layers before it."""
    rows = [
        source("Input", UNITS, sparse=True, denoising=True),
        hidden("Hidden", 20, "Input", activation=Activation.TANH, dropout=0.25),
        output("Output", units, "Hidden"),
    ]
    loss = Loss(ErrorFunction.SMCE, 0.9, 0.1, 3.0, 0.5)
    return sparse_case(build("one hidden", rows, denoising=0.3, loss=loss), ROWS, ("boolean", "boolean"))


def softmax() -> Case:
    """A fused output with SoftMax, whose mass is a sum over stored entries."""
    rows = [
        source("Input", UNITS),
        hidden("Hidden", 20, "Input"),
        output("Output", UNITS, "Hidden", activation=Activation.SOFTMAX),
    ]
    loss = Loss(ErrorFunction.SMCE, 0.9, 0.1, 3.0, 0.5)
    return sparse_case(build("softmax", rows, loss=loss), ROWS, ("boolean", "analog"))


def unfused() -> Case:
    """SoftMax and an error over whole rows, that none fuses."""
    rows = [
        source("Input", UNITS),
        hidden("Hidden", 20, "Input"),
        output("Output", UNITS, "Hidden", activation=Activation.SOFTMAX),
    ]
    return sparse_case(build("unfused", rows, loss=Loss(ErrorFunction.L2)), ROWS, ("boolean", "boolean"))


def skip() -> Case:
    """Split hidden layers with a skip, dropout and clipped weights; a matrix between two of them."""
    rows = [
        source("Input", UNITS),
        hidden("First", UNITS, "Input", dropout=0.3, weight_norm=1.0),
        hidden("Second", UNITS, "First", skips=("First",), activation=Activation.TANH, weight_norm=0.1),
        hidden("Third", 20, "Second", weight_norm=0.1),
        output("Output", UNITS, "Third"),
    ]
    return sparse_case(build("skip", rows), ROWS, ("boolean", "boolean"))


def statistics() -> Case:
    """Means over the batch, norms of rows of a delta, penalties: whole rows of a split output."""
    rows = [
        source("Input", UNITS),
        hidden("First", UNITS, "Input", batch_normalization=True, sparse=True, sparseness=Sparseness(0.1, 1.0)),
        hidden("Second", 20, "First", activation=Activation.TANH),
        output("Output", UNITS, "Second", delta_norm=0.1),
    ]
    network = build("statistics", rows, sparseness=Sparseness(0.1, 1.0), loss=Loss(ErrorFunction.L2))
    return sparse_case(network, ROWS, ("analog", "analog"))


def tied() -> Case:
    """One matrix in two directions: its gradient exists, a sum over both."""
    rows = [
        source("Input", UNITS),
        hidden("First", 20, "Input"),
        hidden("Second", UNITS, "First"),
        hidden("Third", 20, "Second"),
        output("Output", UNITS, "Third"),
    ]
    network = build("tied", rows, {("Second", "Third"): (("First", "Second"), True)})
    return sparse_case(network, ROWS, ("boolean", "boolean"))


def two_inputs() -> Case:
    """Two inputs, two outputs of which one has two sources."""
    rows = [
        source("Input1", UNITS),
        source("Input2", 30),
        hidden("Hidden", 20, "Input1", "Input2"),
        output("Output1", UNITS, "Hidden"),
        output("Output2", UNITS, "Hidden", "Input2", activation=Activation.TANH),
    ]
    return sparse_case(build("two", rows, loss=Loss(ErrorFunction.L2)), ROWS, ("boolean", "boolean"))


def dense() -> Case:
    """Dense data, split where it is read: parts of a feed are put together, and taken out of it."""
    rows = [
        source("Input", UNITS),
        hidden("Wide", UNITS, "Input", skips=("Input",)),
        output("Output", UNITS, "Wide"),
    ]
    return sparse_case(build("dense", rows, loss=Loss(ErrorFunction.L1)), ROWS, ("dense", "dense"))


CASES: Mapping[str, Callable[[], Case]] = {
    f.__name__: f for f in (one_hidden, softmax, unfused, skip, statistics, tied, two_inputs, dense)
}


@dataclass(frozen=True)
class Ran:
    """What steps of all ranks gave: every state whole, each row's error, the module's text of the first rank."""

    states: Mapping[tuple[str, int, str], np.ndarray]
    errors: Tensor
    source: str

    def is_same(self, other: Ran) -> bool:
        """Whether both are equal to the bit."""
        pairs = ((self.states[key], other.states[key]) for key in other.states)
        return torch.equal(self.errors, other.errors) and all(np.array_equal(a, b) for a, b in pairs)

    def distance(self, other: Ran) -> float:
        """The largest distance of a tensor, by norm; tensors that are 0 but for rounding (1e-5) are left out."""
        pairs = [(self.states[key], x) for key, x in other.states.items() if np.linalg.norm(x) > 1e-5]
        return max(distance(a, b) for a, b in [*pairs, (self.errors.numpy(), other.errors.numpy())])


def steps(case: Case, placement: Placement, on: Device, batches: tuple[int, ...] = (ROWS,)) -> Ran:
    """Training steps on batches of so many rows; the bytes that each rank sends are the plan's."""
    sets, size = datasets(case), max(batches)

    def work(mesh: Mesh) -> tuple[Any, list[Tensor], str]:
        program = Program(case.network, ["step"], -(-size // placement.data), TRAINING, torch.float32, on,
                          placement=placement, mesh=mesh)  # fmt: skip
        program.initialise(SEED)
        feed, plan, errors = feed_for(program, "step", sets), program.compiled.plans["step"], []
        for number, rows in enumerate(batches):
            mine = np.array_split(np.arange(rows), placement.data)[placement.data_rank(mesh.rank)]
            part = feed.batch(mine) if on.kind == "cpu" else Part(feed.batch(mine), program.batch)
            given, before = {**STEP, "inv": 1 / rows, "bessel": rows / max(1, rows - 1)}, mesh.sent
            (found,) = program.run("step", part, given, seed=SEED, epoch=1, steps=number)
            assert mesh.sent - before == plan.wire or on.kind == "cpu"
            errors.append(found[: len(mine)].clone())
        return {(i.owner, i.index, i.part): program.whole(i) for i in program.states}, errors, program.compiled.source

    found = meshed(placement, work, in_turn=on.kind != "cpu")
    by_group = [found[d * placement.model][1] for d in range(placement.data)]
    errors = torch.cat([e for batch in zip(*by_group, strict=True) for e in batch])
    return Ran(found[0][0], errors, found[0][2])


@cache
def expected(name: str, exact: bool = False) -> Ran:
    """A case on one rank."""
    return steps(CASES[name](), Placement(exact=exact), device())


@cache
def on_cpu(name: str) -> Ran:
    """A case on the CPU."""
    return steps(CASES[name](), ALONE, devices.CPU)


def layers(network: Network, ranks: int, which: str, *, exact: bool) -> frozenset[int]:
    """Layers to split: all that can be, inputs alone, what is left without those."""
    every = splittable(network, ranks, exact=exact)
    inputs = every & {layer.index for layer in network.inputs}
    return {"all": every, "inputs": inputs, "others": every - inputs}[which]


OFTEN = {("one_hidden", 2, "all"), ("softmax", 2, "all")}
GRID = [
    pytest.param(name, ranks, which, marks=() if (name, ranks, which) in OFTEN else pytest.mark.full)
    for name in CASES
    for ranks in (2, 4)
    for which in ("all", "inputs", "others")
]


@pytest.mark.parametrize(("name", "ranks", "which"), GRID)
def test_exact_ranks_give_the_bits_of_one(name: str, ranks: int, which: str) -> None:
    split = layers(CASES[name]().network, ranks, which, exact=True)
    assert split or (name, which) == ("dense", "others")
    assert expected(name, exact=True).distance(on_cpu(name)) <= 2 * BOUND
    assert steps(CASES[name](), Placement(ranks, 1, split, exact=True), device()).is_same(expected(name, exact=True))


QUICK = [("dense", 2, "all")]
GROUPS: list[tuple[str, int, str]] = []


@pytest.mark.parametrize(
    ("name", "ranks", "which"),
    [*QUICK, *(pytest.param(*row.values, marks=pytest.mark.full) for row in GRID if row.values not in QUICK)],
)
def test_ranks_give_what_one_gives(name: str, ranks: int, which: str) -> None:
    split = layers(CASES[name]().network, ranks, which, exact=False)
    found = steps(CASES[name](), Placement(ranks, 1, split), device())
    assert found.distance(on_cpu(name)) <= 2 * BOUND
    assert "block.ranks." in found.source and "block.replicas." not in found.source


@pytest.mark.parametrize(
    ("name", "model", "which"),
    [*GROUPS, *(pytest.param(n, m, "all", marks=pytest.mark.full) for n in CASES for m in (1, 2)
                if (n, m, "all") not in GROUPS)],
)  # fmt: skip
def test_groups_that_share_the_rows_out(name: str, model: int, which: str) -> None:
    split = layers(CASES[name]().network, model, which, exact=False)
    found = steps(CASES[name](), Placement(model, 2, split), device())
    assert found.distance(on_cpu(name)) <= 2 * BOUND
    assert "block.replicas." in found.source


@pytest.mark.parametrize("model", [1, pytest.param(2, marks=pytest.mark.full)])
def test_fewer_rows_than_the_batch_has_and_none_at_all(model: int) -> None:
    case = one_hidden()
    alone = steps(case, ALONE, devices.CPU, (5, 1))
    split = layers(case.network, model, "all", exact=False)
    assert steps(case, Placement(model, 2, split), device(), (5, 1)).distance(alone) <= 2 * BOUND


@pytest.mark.full
def test_chunks_of_leaves_of_which_the_last_has_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seven leaves, two in a chunk, four on the first rank and three on the second."""
    monkeypatch.setattr(pipeline, "GPU_CACHE", select.Cache(1 << 40, 2, select.GPU_CACHE.need))
    case = one_hidden(7 * grid.ALIGN - 5)
    found = steps(case, Placement(2, 1, frozenset([2])), device())
    assert "in range(2)" in found.source and found.distance(steps(case, ALONE, devices.CPU)) <= 2 * BOUND


@pytest.mark.parametrize("exact", [False, True])
def test_one_rank_has_no_word_of_ranks(exact: bool) -> None:
    for made in CASES.values():
        options, alone = Options("cuda:90", "tf32"), Placement(exact=exact)
        text = compile_network(made().network, ["step"], ROWS, TRAINING, options, placement=alone).source
        assert "block.ranks" not in text and "block.replicas" not in text


def test_the_sum_of_the_input_delta_is_under_way_during_the_last_update() -> None:
    """It begins before the last chunk's weights change, and is waited for behind them, before what follows on it."""
    network = one_hidden().network
    placement = Placement(2, 1, splittable(network, 2, exact=True), exact=True)  # chunks of a leaf
    text = compile_network(network, ["step"], 64, TRAINING, Options("cuda:90", "tf32"), placement=placement).source
    lines = [line.strip().partition("[")[0] for line in text.partition("def step(")[2].splitlines()]
    began, ended = lines.index(next(x for x in lines if x.startswith("arrived = "))), lines.index("arrived()")
    between = [x for x in lines[began + 1 : ended] if x.startswith("walk_")]
    assert [x.rpartition("_")[2] for x in between] == ["update"]
    assert lines[ended + 1].startswith("walk_") and lines[ended + 1].endswith("_on")


def scored(case: Case, placement: Placement) -> list[tuple[np.ndarray, np.ndarray]]:
    """The scores and units that each rank finds best."""
    (layer,) = case.network.outputs
    ranking = Ranking(layer.index, 5)

    def work(mesh: Mesh) -> tuple[np.ndarray, np.ndarray]:
        program = Program(case.network, ["recommend"], ROWS, None, torch.float32, device(), ranking, placement, mesh)
        plain = Program(case.network, ["predict"], ROWS, None, torch.float32, device(), None, placement, mesh)
        plain.initialise(SEED)
        for info, tensor in plain.states.items():
            program.states[info].copy_(tensor)
        feed = feed_for(program, "recommend", datasets(case))
        best = program.recommend(next(iter(program.parts(feed)))).clone()
        return best[:, :5].numpy(), best[:, 5:].contiguous().view(torch.int32).numpy()

    return meshed(placement, work, in_turn=True)


@pytest.mark.parametrize("name", ["one_hidden", pytest.param("softmax", marks=pytest.mark.full)])
def test_the_best_of_each_rank_hold_the_best_of_all(name: str) -> None:
    case = CASES[name]()
    (layer,) = case.network.outputs
    ((scores, units),) = scored(case, ALONE)
    parts = scored(case, Placement(2, 1, frozenset([layer.index])))
    merged = np.concatenate([s for s, _ in parts], 1), np.concatenate([u for _, u in parts], 1)
    order = np.argsort(-merged[0], axis=1, kind="stable")[:, :5]
    np.testing.assert_allclose(np.take_along_axis(merged[0], order, 1), scores, rtol=1e-5)
    assert np.array_equal(np.take_along_axis(merged[1], order, 1), units)
