"""What the benchmarks train: users by items in the shape of MovieLens 20M, made from a seed, and two networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # the peers on the CPU live without nnlang: their memory is measured
    from nnlang.network import DataFacts, Network, Training

ITEMS, USERS, BATCH = 27_278, 138_493, 256

Data = dict[str, NDArray[np.int64]]


def synthetic(users: int, seed: int = 20, items: int = ITEMS) -> Data:
    """Entries a user log-normal (median 79, mean near 144), items by a power law; `index` of `offsets`, sorted.

    With 138,493 users of 27,278 items it makes 19.6 million entries, in 7 seconds.
    """
    random = np.random.default_rng(seed)
    lengths = np.exp(random.normal(np.log(79), 1.095, users)) * (items / ITEMS)
    lengths = np.clip(lengths, min(20, items // 24), min(2600, items // 2)).astype(np.int64)
    weight = 1.0 / (np.arange(items) + 60.0) ** 1.1
    cumulative = np.cumsum(weight / weight.sum())
    names = random.permutation(items)
    rows = []
    for length in lengths:
        drawn = np.unique(np.searchsorted(cumulative, random.random(int(length * 1.35))))
        rows.append(np.sort(names[random.permutation(drawn)[:length]]))
    offsets = np.concatenate(([0], np.cumsum([len(r) for r in rows])))
    return {"index": np.concatenate(rows).astype(np.int32), "offsets": offsets}


@dataclass(frozen=True)
class Workload:
    """A network to train: its letter, its definition among the examples, its optimiser and step size."""

    name: str
    definition: Path
    optimizer: str  # of nnlang.network.Optimizer
    alpha: float
    mu: float


EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
WORKLOADS = {
    w.name: w
    for w in (
        Workload("a", EXAMPLES / "movielens" / "config.json", "NESTEROV", 0.025, 0.5),
        Workload("b", EXAMPLES / "dsstne" / "benchmark.json", "RMSPROP", 0.0001, 0.9),
    )
}


def resolved(definition: Path, facts: Mapping[str, DataFacts]) -> Network:
    """The network of a definition on data with these facts."""
    from nnlang.definition import check
    from nnlang.source import Source

    checked = check(Source(definition.name, definition.read_text(encoding="utf-8")), dict(facts), need_shapes=True)
    checked.report.check()
    assert checked.network is not None
    return checked.network


def settings(work: Workload, batch: int) -> Training:
    """How a workload is trained: in the order of its data."""
    from nnlang.network import Optimizer, Training

    return Training(Optimizer[work.optimizer], 1, batch, work.alpha, mu=work.mu, shuffle=False)
