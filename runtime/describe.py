"""What a data set holds, in numbers that people look at before they train."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from nnlang.runtime.dataset import DataSet

QUANTILES = (0.0, 0.25, 0.5, 0.75, 0.99, 1.0)


@dataclass(frozen=True)
class Description:
    """Facts by name; for sparse sets how many entries stand in a row and in a column (quantiles, mean, empty ones); for
    sets with values their quantiles and mean. Columns count where an entry stands: the width is rounded up to 128."""

    name: str
    facts: dict[str, str | int | float]
    quantiles: tuple[float, ...] = QUANTILES
    spread: dict[str, tuple[int | float, ...]] = field(default_factory=dict)
    values: tuple[float, ...] = ()

    def record(self) -> dict[str, object]:
        """The description for machines."""
        return asdict(self)


def describe(data: DataSet) -> Description:
    """The description of a data set; one pass over its entries."""
    facts = data.facts
    shape = " x ".join(str(n) for n in (facts.width, facts.height, facts.length)[: facts.dimensions])
    form = ("sparse" if facts.sparse else "dense") + (" boolean" if facts.boolean else " analog")
    marks = [word for word, is_set in (("weighted", facts.weighted), ("indexed", data.row is not None)) if is_set]
    named: dict[str, str | int | float] = {
        "form": ", ".join([form, *marks]),
        "examples": facts.examples,
        "distinct rows": facts.unique,
        "units": shape,
    }
    if data.index is None or data.start is None or data.end is None:
        values = () if facts.boolean or data.dense is None else _numbers(data.dense)
        return Description(data.name, {**named, "sha256": data.sha256}, values=values)
    rows = data.end - data.start
    columns = np.bincount(data.index, minlength=facts.units)
    used = int(np.count_nonzero(columns))
    merged = sum(int(str(d.facts["count"])) for d in data.notices)
    return Description(
        data.name,
        {**named, "columns used": used, "entries": facts.entries, "density": f"{facts.density:.4%}",
         "duplicates merged": merged, "sha256": data.sha256},
        spread={"row": _counts(rows, 0), "column in use": _counts(columns[columns > 0], facts.units - used)},
        values=() if data.values is None else _numbers(data.values),
    )  # fmt: skip


def _counts(counts: ArrayLike, unseen: int) -> tuple[int | float, ...]:
    array = np.asarray(counts)
    if not array.size:
        return (*(0 for _ in QUANTILES), 0.0, unseen)
    points = (int(q) for q in np.quantile(array, QUANTILES, method="nearest"))
    return (*points, float(array.mean()), unseen + int(np.count_nonzero(array == 0)))


def _numbers(values: ArrayLike) -> tuple[float, ...]:
    array = np.asarray(values, np.float64).ravel()
    if not array.size:
        return ()
    return (*(float(q) for q in np.quantile(array, QUANTILES, method="nearest")), float(array.mean()))
