"""Wide networks, their data, and trainings of them over ranks: what the tests of several ranks share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from nnlang.compiler import linked, splittable
from nnlang.network import Network, Optimizer, Training
from nnlang.placement import Placement
from nnlang.runtime.dataset import DataSet, sparse_set
from nnlang.runtime.mesh import ALONE_MESH, Mesh
from nnlang.runtime.model import Model, load
from nnlang.runtime.train import TrainResult, train
from tests import networks
from tests.ranks import meshed

WIDE, EXAMPLES = 2000, 50
SETTINGS = Training(epochs=2, batch=16, optimizer=Optimizer.ADAM, alpha=0.01, lambda_=1e-4, seed=7, shuffle=True)

Sets = dict[str, DataSet]


def net(**rest: Any) -> Network:
    """A wide autoencoder: its input and its output can be split."""
    return networks.one_hidden(WIDE, 24, WIDE, **rest)


def rows_of(width: int, seed: int, examples: int = EXAMPLES, weight: bool = False) -> tuple[Any, ...]:
    """Offsets and indices of sparse rows, one of them empty."""
    random = np.random.default_rng(seed)
    present = random.random((examples, width)) < 20 / width
    present[3] = False
    return np.concatenate(([0], np.cumsum(present.sum(1)))), np.nonzero(present)[1]


def data(examples: int = EXAMPLES) -> Sets:
    """An input and an output of the same rows."""
    return {name: sparse_set(name, *rows_of(WIDE, 3, examples), width=WIDE) for name in ("input", "output")}


def laid(network: Network, model: int, data: int = 1, exact: bool = True) -> Placement:
    """All layers that can be split are, over so many ranks."""
    can = splittable(network, model, exact=exact)
    return Placement(model, data, frozenset(i for group in linked(network) if group <= can for i in group), exact)


def trained(network: Network, sets: Sets, placement: Placement, path: Path, **given: Any) -> list[TrainResult]:
    """The results of all ranks."""
    settings = given.pop("settings", SETTINGS)

    def work(mesh: Mesh) -> TrainResult:
        return train(network, sets, settings, output=path, definition="{}", mesh=mesh, **given)

    return [work(ALONE_MESH.lay(placement))] if placement.ranks == 1 else meshed(placement, work)


def arrays(model: Model) -> dict[str, np.ndarray]:
    """Every array of a model by name."""
    found: dict[str, np.ndarray] = {f"weight{i}": w for i, w in model.weights.items()}
    found |= {f"bias{i}": b for i, b in model.biases.items()}
    found |= {f"bn{i}.{word}": x for i, words in model.batch_norm.items() for word, x in words.items()}
    return found | model.state


def gap(one: Path, other: Path, without: str = "none") -> float:
    """The largest relative distance of two models' arrays, but for those of one name."""
    a, b = ({k: x for k, x in arrays(load(p)).items() if not k.startswith(without)} for p in (one, other))
    assert a.keys() == b.keys() and all(a[k].shape == b[k].shape for k in a)
    return max(float(np.linalg.norm(a[k] - b[k]) / max(1e-12, np.linalg.norm(b[k]))) for k in a)
