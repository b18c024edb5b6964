"""Every kind of kernel at work in small networks on a device, beside the operations in float64 (interpreter.py)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nnlang.definition import check
from nnlang.lower import Lowered, Ranking
from nnlang.network import Network, Optimizer, Training
from nnlang.runtime import interpreter, scalars
from nnlang.runtime.dataset import DataSet, dense_set, sparse_set
from nnlang.runtime.devices import Device
from nnlang.runtime.interpreter import Rows
from nnlang.runtime.program import Program, feed_for
from nnlang.source import Source

BATCH, EXAMPLES, SEED = 32, 19, 7  # a batch that is not full
TOLERANCES = {"fp32": 3e-5, "tf32x3": 3e-5, "tf32": 3e-3, "bf16": 3e-2}  # of a whole step: three products deep
SMALLEST = 1e-3  # length under which a tensor counts as zero but for rounding
SIZES = {"sparse_in": 170, "sparse_out": 170, "analog_in": 90, "classes": 90, "full_in": 21, "dense_out": 9}

DEFINITIONS = {
    "sparse": """{ "Version": 0.9, "Name": "sparse", "Kind": "FeedForward", "Denoising": { "p": 0.2 },
      "SparsenessPenalty": { "p": 0.3, "beta": 0.5 }, "ErrorFunction": "ScaledMarginalCrossEntropy",
      "ScaledMarginalCrossEntropy": { "oneTarget": 1.0, "zeroTarget": 0.0, "oneScale": 3.0, "zeroScale": 1.0 },
      "Layers": [
        { "Name": "Input", "Kind": "Input", "N": "auto", "DataSet": "sparse_in", "Sparse": true },
        { "Name": "Hidden", "Kind": "Hidden", "Type": "FullyConnected", "N": 33, "Activation": "Sigmoid",
          "Sparse": true, "pDropout": 0.2, "WeightNorm": 1.0 },
        { "Name": "Output", "Kind": "Output", "Type": "FullyConnected", "DataSet": "sparse_out", "N": "auto",
          "Activation": "Sigmoid", "Sparse": true } ] }""",
    "analog": """{ "Version": 0.9, "Name": "analog", "Kind": "FeedForward", "ErrorFunction": "CrossEntropy", "Layers": [
        { "Name": "Input", "Kind": "Input", "N": "auto", "DataSet": "analog_in", "Sparse": true },
        { "Name": "Hidden", "Kind": "Hidden", "Type": "FullyConnected", "N": 17, "Activation": "Tanh",
          "BatchNormalization": true },
        { "Name": "Output", "Kind": "Output", "Type": "FullyConnected", "DataSet": "classes", "N": "auto",
          "Activation": "SoftMax", "Sparse": true } ] }""",
    "dense": """{ "Version": 0.9, "Name": "dense", "Kind": "FeedForward", "ErrorFunction": "L2", "Layers": [
        { "Name": "Input", "Kind": "Input", "N": "auto", "DataSet": "full_in", "Sparse": true },
        { "Name": "First", "Kind": "Hidden", "Type": "FullyConnected", "Source": "Input", "N": 12,
          "Activation": "ELU" },
        { "Name": "Second", "Kind": "Hidden", "Type": "FullyConnected", "Source": "First", "N": 10,
          "Activation": "RELU" },
        { "Name": "Third", "Kind": "Hidden", "Type": "FullyConnected", "Source": "Second", "Skip": "First", "N": 12,
          "Activation": "SoftPlus", "SharedWeights": { "SourceInputLayer": "First", "SourceOutputLayer": "Second",
            "InputLayer": "Second", "Transposed": true } },
        { "Name": "Output", "Kind": "Output", "Type": "FullyConnected", "Source": "Third", "DataSet": "dense_out",
          "N": "auto", "Activation": "Linear" } ] }""",
}
OPTIMIZERS = {"sparse": Optimizer.NESTEROV, "analog": Optimizer.MOMENTUM, "dense": Optimizer.SGD}
ENTRIES = (("sparse", "step"), ("sparse", "gradient"), ("analog", "step"), ("analog", "predict"), ("dense", "step"))


@dataclass(frozen=True)
class Check:
    """One entry point of a small network on a device, run twice from the same start.

    kinds: of its launches; distance: the largest ||found - expected|| / ||expected|| of what it returned and wrote;
    repeats: whether both runs gave the same bits.
    """

    name: str
    kinds: tuple[str, ...]
    distance: float
    tolerance: float
    repeats: bool

    @property
    def passed(self) -> bool:
        return self.distance <= self.tolerance and self.repeats


def checks(device: Device) -> Iterator[Check]:
    """The checks of every kind of kernel, one after the other; Stop (5) where a kernel does not even run."""
    sets = _data()
    for name, entry in ENTRIES:
        facts = {data.name: data.facts for data in sets.values()}
        network = check(Source(name, DEFINITIONS[name]), facts, need_shapes=True).network
        assert network is not None
        yield _checked(network, entry, Training(OPTIMIZERS[name], alpha=0.1), sets, device)
    if device.kind != "cpu":  # which ranks scores that exist, with no kernel of its own
        yield ranking(device)


def ranking(device: Device) -> Check:
    """The check of the kernels that rank units where their scores are made."""
    sets = _data()
    facts = {data.name: data.facts for data in sets.values()}
    network = check(Source("sparse", DEFINITIONS["sparse"]), facts, need_shapes=True).network
    assert network is not None
    training, k = Training(), 5
    plain = Program(network, ["predict"], BATCH, training)
    (scores,) = _expected(plain, plain.compiled.lowered["predict"], {}, sets)[:1]
    program = Program(network, ["recommend"], BATCH, device=device, ranking=Ranking(network.outputs[0].index, k))
    for info in program.states.keys() & plain.states.keys():
        program.states[info].copy_(plain.states[info])
    with program.watched():
        part = next(iter(program.parts(feed_for(program, "recommend", sets))))
        first, second = (program.recommend(part).cpu().clone() for _ in range(2))
    best = scores.topk(k, dim=1).values
    units = first[:, k:].contiguous().view(torch.int32).long()
    return Check(
        f"{network.name}, recommend",
        tuple(sorted({launch.kind for launch in program.compiled.plans["recommend"].launches})),
        max(_distance(first[:, :k], best), _distance(scores.gather(1, units), best)),
        TOLERANCES[device.options.precision],
        torch.equal(first.view(torch.int32), second.view(torch.int32)),
    )


def _data() -> dict[str, DataSet]:
    """A set of each kind by name, its rows of very different length; one is empty."""
    random = np.random.default_rng(SEED)
    found = {}
    for name, units in SIZES.items():
        share = np.linspace(0, 0.8 if name == "full_in" else 0.15, EXAMPLES)[:, None]
        values = random.normal(size=(EXAMPLES, units)).astype(np.float32)
        stored = random.random((EXAMPLES, units)) < share
        offsets, index = np.concatenate(([0], np.cumsum(stored.sum(1)))), np.nonzero(stored)[1]
        if name.startswith("dense"):
            found[name] = dense_set(name, values)
        else:
            entries = values[stored] if name.startswith("analog") else None
            found[name] = sparse_set(name, offsets, index, entries, width=units)
    return found


def _checked(network: Network, entry: str, training: Training, sets: Mapping[str, DataSet], device: Device) -> Check:
    program = Program(network, [entry], BATCH, training, device=device)
    given = scalars.of_step(training, training.alpha, EXAMPLES, 0)
    with program.watched():
        part = next(iter(program.parts(feed_for(program, entry, sets))))
        first, second = (_run(program, entry, part, given) for _ in range(2))
    low = program.compiled.lowered[entry]
    expected = _expected(program, low, given, sets)
    return Check(
        f"{network.name}, {entry}",
        tuple(sorted({launch.kind for launch in program.compiled.plans[entry].launches})),
        max(_distance(*pair) for pair in zip(first, expected, strict=True)),
        TOLERANCES[device.options.precision],
        all(map(torch.equal, first, second)),
    )


def _run(program: Program, entry: str, part: object, given: Mapping[str, float]) -> list[Tensor]:
    """What an entry point returns and the states that it leaves, from the start on."""
    program.initialise(SEED)
    results = program.run(entry, part, given, seed=SEED)
    rows = [value[:EXAMPLES] if _is_by_row(program, entry, i) else value for i, value in enumerate(results)]
    states = [torch.from_numpy(program.get(info)) for info in program.compiled.lowered[entry].states]
    return [value.cpu().clone() for value in rows] + states


def _is_by_row(program: Program, entry: str, result: int) -> bool:
    """Whether a result has a row for each example; gradients have none."""
    return program.results(entry)[result].partition(" ")[0] in ("error", "output")


def _expected(program: Program, low: Lowered, given: Mapping[str, float], sets: Mapping[str, DataSet]) -> list[Tensor]:
    program.initialise(SEED)
    states = {i: torch.from_numpy(program.get(info)).double() for i, info in enumerate(low.states)}
    batch = interpreter.Batch(torch.arange(EXAMPLES), [_rows(sets[slot.dataset]) for slot in low.slots], SEED)
    found = interpreter.evaluate(low.roots, batch, states, program.given(EXAMPLES, given))
    return [value for _, value in sorted(found.results.items())] + [value for _, value in sorted(found.states.items())]


def _rows(data: DataSet) -> Rows:
    if data.dense is not None:
        return Rows(torch.from_numpy(data.dense).double())
    assert data.start is not None and data.end is not None and data.index is not None
    values = torch.zeros(EXAMPLES, data.facts.units, dtype=torch.float64)
    row = np.repeat(np.arange(EXAMPLES), data.end - data.start)
    entries = np.ones(len(data.index), np.float32) if data.values is None else data.values
    values[row, data.index.astype(np.int64)] = torch.from_numpy(entries).double()
    present = torch.zeros_like(values)
    present[row, data.index.astype(np.int64)] = 1
    return Rows(values, present)


def _distance(found: Tensor, expected: Tensor) -> float:
    gap = torch.linalg.vector_norm(found.double() - expected)
    return float(gap / torch.linalg.vector_norm(expected).clamp(min=SMALLEST))
