"""Small networks with data that hold every kind of kernel between them, for `benchmarks/gpu.py` to check them on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from nnlang.network import Activation, ErrorFunction, Loss, Network, Optimizer, Sparseness, Training
from nnlang.runtime.dataset import DataSet, dense_set, sparse_set
from nnlang.runtime.interpreter import Rows
from tests.networks import bind, build, hidden, output, source

SEED = 7


@dataclass(frozen=True)
class Case:
    """A network with one batch of data: the sets, and the same rows as the reference reads them, by name."""

    network: Network
    training: Training
    sets: Mapping[str, DataSet]
    rows: Mapping[str, Rows]

    @property
    def batch(self) -> int:
        """Rows of the batch."""
        return next(iter(self.sets.values())).facts.examples


def cases(units: int, inner: int, batch: int) -> Iterator[Case]:
    """Networks that hold every kind of kernel between them; no value of theirs comes near a kink."""
    smce = Loss(ErrorFunction.SMCE, 1.0, 0.0, 3.0, 1.0)
    autoencoder = [
        source("Input", units, sparse=True, denoising=True),
        hidden("A", inner, "Input", dropout=0.25, sparse=True, sparseness=Sparseness(0.3, 0.1)),
        hidden("B", inner // 2 + 1, "A", activation=Activation.TANH, dropout=0.2),
        output("Output", units, "B"),
    ]
    yield case(build("autoencoder", autoencoder, loss=smce, denoising=0.2), Optimizer.NESTEROV, batch)
    norms = [
        source("Input", units // 2),
        hidden("A", inner, "Input", activation=Activation.TANH, batch_normalization=True, weight_norm=0.6),
        hidden("B", inner, "A", skips=("A",), delta_norm=0.3),
        output("Output", 9, "B", activation=Activation.SOFTMAX),
    ]
    yield case(build("norms", norms), Optimizer.ADAM, batch, dense=("input",), crowded=("output",))
    tied = [
        source("Input", units), hidden("A", inner, "Input"), hidden("B", inner, "A"), output("Output", units, "B")
    ]  # fmt: skip
    shared = {("B", "Output"): (("Input", "A"), True)}
    yield case(build("tied", tied, shared), Optimizer.RMSPROP, batch)
    several = [
        source("Input", units),
        source("Other", inner),
        hidden("A", inner, "Input", "Other", activation=Activation.SOFTSIGN),
        output("Output", units, "A", activation=Activation.LINEAR),
        output("Second", 5, "A", "Other", activation=Activation.TANH),
    ]
    sets = {"dense": ("second",), "crowded": ("other",), "analog": ("input", "output", "other")}
    yield case(build("several", several, loss=Loss(ErrorFunction.L2)), Optimizer.MOMENTUM, batch, **sets)


def wide() -> Case:
    """A network whose sums over units and entries go through several leaves and pieces."""
    rows = [
        source("Input", 2100, sparse=True),
        hidden("A", 600, "Input", activation=Activation.TANH),
        hidden("B", 70, "A", activation=Activation.TANH),
        output("Output", 2100, "B", activation=Activation.SOFTMAX),
    ]
    return case(build("wide", rows), Optimizer.NESTEROV, 77)


def case(
    network: Network,
    optimizer: Optimizer,
    batch: int,
    *,
    dense: Sequence[str] = (),
    crowded: Sequence[str] = (),
    analog: Sequence[str] = (),
) -> Case:
    """A network with random data: Boolean sets that the compiler holds for thin, unless they are named."""
    random = np.random.default_rng(SEED)
    sets, rows = {}, {}
    for layer in (*network.inputs, *network.outputs):
        name, shape = layer.dataset, (batch, layer.units)
        values = (random.standard_normal(shape) if name in (*dense, *analog) else np.ones(shape)).astype(np.float32)
        present = random.random(shape) < 0.3
        present[0] = False
        if name in dense:
            sets[name], rows[name] = dense_set(name, values), Rows(torch.from_numpy(values).double())
            continue
        index, offsets = np.nonzero(present)[1], np.concatenate(([0], np.cumsum(present.sum(1))))
        made = sparse_set(name, offsets, index, values[present] if name in analog else None, width=layer.units)
        sets[name] = made if name in crowded else replace(made, facts=replace(made.facts, entries=1))
        rows[name] = Rows(torch.from_numpy(values * present).double(), torch.from_numpy(present).double())
    training = Training(optimizer, batch=batch, alpha=0.1, lambda1=0.001)
    return Case(bind(network, *(s.facts for s in sets.values())), training, sets, rows)
