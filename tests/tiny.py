"""A tiny training problem in memory, for runs compared bit for bit: ten rows in two groups, every kind of noise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnlang.network import Activation, ErrorFunction, Loss, Network, Optimizer, Sparseness, Training
from nnlang.runtime.dataset import DataSet, sparse_set
from nnlang.runtime.model import Model, load
from nnlang.runtime.train import TrainResult, train
from tests.networks import bind, build, hidden, output, source

EXAMPLES, UNITS = 10, 12


def groups(name: str, examples: int = EXAMPLES, units: int = UNITS, seed: int = 5) -> DataSet:
    """Examples that store most units of one half and few of the other."""
    random = np.random.default_rng(seed)
    half = np.arange(units) < units // 2
    likely = np.where(np.arange(examples)[:, None] % 2 == half[None, :], 0.8, 0.1)
    stored = random.random((examples, units)) < likely
    offsets = np.concatenate(([0], np.cumsum(stored.sum(1))))
    made = sparse_set(name, offsets, np.nonzero(stored)[1], width=units)
    return DataSet(**{**vars(made), "sha256": f"{name}-{examples}-{units}-{seed}"})


def datasets(**options: Any) -> dict[str, DataSet]:
    """An autoencoder's input and output: the same rows."""
    return {name: groups(name, **options) for name in ("input", "output")}


def network(sets: dict[str, DataSet], **rest: Any) -> Network:
    """Denoised input -> hidden with dropout and batch normalisation -> output of SMCE."""
    units = sets["input"].facts.units
    rows = [
        source("Input", units, sparse=True, denoising=True),
        hidden("First", 6, "Input", dropout=0.2, sparseness=Sparseness(0.3, 0.1)),
        hidden("Second", 5, "First", activation=Activation.TANH, batch_normalization=True),
        output("Output", units, "Second"),
    ]
    loss = Loss(ErrorFunction.SMCE, 1.0, 0.0, 3.0, 1.0)
    made = build("tiny", rows, **{"loss": loss, "denoising": 0.2, "shuffle": True, **rest})
    return bind(made, *(d.facts for d in sets.values()))


def settings(**rest: Any) -> Training:
    """Adam in batches of four: two whole ones and a half one an epoch."""
    return Training(**{"optimizer": Optimizer.ADAM, "epochs": 3, "batch": 4, "alpha": 0.02, "mu": 0.9,
                       "lambda1": 1e-4, "checkpoint_interval": 0, **rest})  # fmt: skip


def run(path: Path, sets: dict[str, DataSet] | None = None, net: Network | None = None, **options: Any) -> TrainResult:
    """A training of the tiny network; `training` are fields of `Training`, the rest goes to `train`."""
    sets = datasets() if sets is None else sets
    chosen = settings(**options.pop("training", {}))
    return train(network(sets) if net is None else net, sets, chosen, output=path, **options)


def bits(path: Path) -> dict[str, NDArray[Any]]:
    """Every array of a model file, optimiser states too, by name."""
    return arrays(load(path))


def arrays(model: Model) -> dict[str, NDArray[Any]]:
    """Every array of a model by name."""
    found: dict[str, NDArray[Any]] = {f"weight{i}": w for i, w in model.weights.items()}
    found |= {f"bias{i}": b for i, b in model.biases.items()}
    found |= {f"bn{i}.{k}": v for i, own in model.batch_norm.items() for k, v in own.items()}
    return found | dict(model.state)


def equal(one: dict[str, NDArray[Any]], other: dict[str, NDArray[Any]]) -> bool:
    """Whether all arrays are the same to the bit."""
    return one.keys() == other.keys() and all(one[k].tobytes() == other[k].tobytes() for k in one)
