"""For tests of feature preparation: data sets as lists of {feature: value}, and each step said once more on them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from nnlang.definition import check
from nnlang.network import Network, Preparation, Step
from nnlang.runtime.dataset import DataSet, sparse_set
from nnlang.runtime.preparation import fit
from nnlang.source import Source

Row = dict[int, float]
Table = Sequence[Row]
UNITS = 12
ITEMS = tuple(f"i{n}" for n in range(UNITS))  # their names
LAYERS = '[ { "N": "auto", "DataSet": "in", "Sparse": true }, { "N": 3 }, { "N": "auto", "DataSet": "out" } ]'


def rows_of(data: DataSet) -> list[Row]:
    """The examples of a sparse data set as {feature: value}."""
    assert data.start is not None and data.end is not None and data.index is not None
    made = []
    for r in range(data.facts.examples) if data.row is None else data.row.tolist():
        here = slice(int(data.start[r]), int(data.end[r]))
        numbers = [1.0] * len(data.index[here]) if data.values is None else data.values[here].tolist()
        made.append(dict(zip(data.index[here].tolist(), numbers, strict=True)))
    return made


def sparse(rows: Table, name: str = "in", *, analog: bool = True, row: Any = None, units: int = UNITS) -> DataSet:
    """A data set of some rows that names no features."""
    offsets = np.cumsum([0, *(len(r) for r in rows)])
    index = [f for r in rows for f in sorted(r)]
    numbers = [r[f] for r in rows for f in sorted(r)] if analog else None
    return sparse_set(name, offsets, index, numbers, width=units, row=row)


def network_of(steps: str, *sets: DataSet) -> Network:
    """The network of a definition with these steps on data sets `in` and `out`."""
    text = f'{{ "Preparation": {steps}, "Layers": {LAYERS} }}'
    checked = check(Source("c.json", text), {d.name: d.facts for d in sets}, need_shapes=True)
    assert checked.network is not None, [d.message for d in checked.report.diagnostics]
    return checked.network


def fitted_on(steps: tuple[Preparation, ...], data: DataSet, targets: DataSet | None = None) -> dict[str, DataSet]:
    """Data sets after steps on `in`."""
    out = sparse([{0: 1.0}] * data.facts.examples, "out", analog=False) if targets is None else targets
    steps = tuple(replace(step, datasets=("in",)) for step in steps)
    network = replace(network_of("[]", data, out), preparation=steps)
    return fit(network, {"in": data, "out": out})[0]


def float32(value: float) -> float:
    """The nearest float32."""
    return float(np.float32(value))


def documents(rows: Table) -> dict[int, int]:
    """How many rows hold each feature."""
    counts: dict[int, int] = {}
    for row in rows:
        for feature in row:
            counts[feature] = counts.get(feature, 0) + 1
    return counts


def columns(rows: Table) -> dict[int, list[float]]:
    """The values of each feature."""
    found: dict[int, list[float]] = {}
    for row in rows:
        for feature, value in row.items():
            found.setdefault(feature, []).append(value)
    return found


def by_value(change: Callable[[Preparation, Table, int, float], float]) -> Callable[[Preparation, Table, Table], Table]:
    """A step that changes values one by one, by what it sees in the training rows."""
    return lambda step, train, rows: [{f: change(step, train, f, v) for f, v in row.items()} for row in rows]


def _idf(step: Preparation, train: Table, feature: int, value: float) -> float:
    return value * float32(math.log((1 + len(train)) / (1 + documents(train).get(feature, 0))) + 1)


def _z_score(step: Preparation, train: Table, feature: int, value: float) -> float:
    seen = columns(train).get(feature, [])
    if len(set(seen)) < 2:
        return value
    mean = sum(seen) / len(seen)
    return (value - mean) / math.sqrt(sum((v - mean) ** 2 for v in seen) / len(seen))


def _min_max(step: Preparation, train: Table, feature: int, value: float) -> float:
    seen = columns(train).get(feature, [])
    if len(set(seen)) < 2:
        return 1.0
    return min(1.0, max(0.0, (value - min(seen)) / (max(seen) - min(seen))))


def _row_norm(step: Preparation, train: Table, rows: Table) -> Table:
    made = []
    for row in rows:
        size = sum(abs(v) for v in row.values()) if step.norm == 1 else math.hypot(*row.values())
        made.append({f: v / size if size else v for f, v in row.items()})
    return made


def _top(step: Preparation, train: Table, rows: Table) -> Table:
    counts = documents(train)
    kept = sorted(counts, key=lambda f: (-counts[f], f))[: step.n]
    return [{f: v for f, v in row.items() if f in kept} for row in rows]


def _core(step: Preparation, train: Table, rows: Table) -> Table:
    kept = core(step, train)[0]
    return [{f: v for f, v in row.items() if f in kept} for row in rows]


def core(step: Preparation, train: Table, units: int = 50) -> tuple[set[int], list[int]]:
    """The features and the numbers of the rows that a KCore leaves, one taken away after the other."""
    features, users = set(range(units)), set(range(len(train)))
    while True:
        counts = documents([{f: v for f, v in train[u].items() if f in features} for u in users])
        rare = next((f for f in features if counts.get(f, 0) < step.users), None)
        short = next((u for u in users if len(features & set(train[u])) < step.items), None)
        if rare is None and short is None:
            return features, sorted(users)
        features.discard(-1 if rare is None else rare)
        users.discard(-1 if short is None else short)


REFERENCE: dict[Step, Callable[[Preparation, Table, Table], Table]] = {
    Step.BINARISE: lambda step, train, rows: [dict.fromkeys(row, 1.0) for row in rows],
    Step.THRESHOLD: lambda step, train, rows: [{f: v for f, v in r.items() if v >= float32(step.least)} for r in rows],
    Step.LOG: by_value(lambda s, train, f, v: float32(math.copysign(math.log1p(abs(v)), v))),
    Step.TF_IDF: by_value(_idf),
    Step.ROW_NORM: _row_norm,
    Step.Z_SCORE: by_value(_z_score),
    Step.MIN_MAX: by_value(_min_max),
    Step.TOP_FREQUENCY: _top,
    Step.K_CORE: _core,
}


def information(presence: Sequence[bool], target: Sequence[object]) -> float:
    """The mutual information of two lists in nats, by its definition."""
    total, n = 0.0, len(presence)
    for x in set(presence):
        for y in set(target):
            both = sum(a == x and b == y for a, b in zip(presence, target, strict=True)) / n
            alone = sum(a == x for a in presence) / n * sum(b == y for b in target) / n
            total += both * math.log(both / alone) if both else 0.0
    return total
