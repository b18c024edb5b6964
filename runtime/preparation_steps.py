"""The steps of feature preparation on stored entries: what each learns from training data, what each does to a row.

Doing looks at a row alone: what becomes of it hangs on no other row (docs/preparation.md has the formulas). Whatever a
logarithm gives is rounded to float32, so that machines whose logarithms differ in the last bit agree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnlang.network import Preparation, Step
from nnlang.runtime.fitted import Fitted, Numbers

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Entries:
    """Stored entries row by row: entry i stands in row `row[i]` (ascending) at feature `index[i]`.

    `values` is float64 [entries], None where every value is 1; `rows` and `units` say how many there are.
    """

    row: Ints
    index: Ints
    values: Floats | None
    rows: int
    units: int

    def keep(self, chosen: Mask) -> Entries:
        """The chosen entries, bool [entries], of the same rows."""
        values = None if self.values is None else self.values[chosen]
        return replace(self, row=self.row[chosen], index=self.index[chosen], values=values)

    def take(self, rows: Ints) -> Entries:
        """The rows of these numbers, in this order."""
        lengths = np.bincount(self.row, minlength=self.rows)
        start, chosen = np.cumsum(lengths) - lengths, lengths[rows]
        first = np.cumsum(chosen) - chosen
        where = np.arange(int(chosen.sum()), dtype=np.int64) + np.repeat(start[rows] - first, chosen)
        values = None if self.values is None else self.values[where]
        return Entries(np.repeat(np.arange(len(rows)), chosen), self.index[where], values, len(rows), self.units)

    @property
    def known(self) -> Floats:
        """The values, 1 where there are none."""
        return np.ones(len(self.index)) if self.values is None else self.values


@dataclass(frozen=True)
class Learnt:
    """What a step learnt: its numbers, the rows that training keeps where not all, what there is to tell."""

    numbers: Numbers = field(default_factory=dict)
    rows: Mask | None = None
    told: str = ""


Fit = Callable[[Preparation, Entries, Ints], Learnt]
Act = Callable[[Preparation, Numbers, Entries], Entries]


def fit(step: Preparation, entries: Entries, copies: Ints) -> Learnt:
    """What a step learns from the rows of a training set, row r of which stands for `copies[r]` examples."""
    learn = _FITS.get(step.step)
    return learn(step, entries, copies) if learn else Learnt()


def act(fitted: Fitted, entries: Entries) -> Entries:
    """The entries after a step, row by row."""
    return _ACTS[fitted.step.step](fitted.step, fitted.numbers, entries)


def frequency(entries: Entries, copies: Ints) -> Ints:
    """How many examples store each feature, int64 [units]."""
    return np.bincount(entries.index, copies[entries.row], entries.units).astype(np.int64)


def best(scores: NDArray[Any], count: int, stored: Mask) -> Ints:
    """The `count` stored features of the highest scores, ascending; of equal ones those of lower numbers."""
    order = np.lexsort((np.arange(len(scores)), -scores))
    return np.sort(order[stored[order]][:count])


# Learning


def _fit_idf(step: Preparation, entries: Entries, copies: Ints) -> Learnt:
    examples, found = int(copies.sum()), frequency(entries, copies)
    idf = np.log((1 + examples) / (1 + np.append(found, 0))) + 1
    return Learnt({"idf": idf.astype(np.float32).astype(np.float64)})


def _fit_deviation(step: Preparation, entries: Entries, copies: Ints) -> Learnt:
    _, span, stored = _range(entries, copies)
    index, values, shares = entries.index, entries.known, copies[entries.row]
    count = np.maximum(np.bincount(index, shares, entries.units), 1)
    mean = np.bincount(index, shares * values, entries.units) / count
    square = np.bincount(index, shares * (values - mean[index]) ** 2, entries.units) / count
    deviation = np.where(span > 0, np.sqrt(square), 0.0)
    told = _told_constant(span, stored, "stay as they are")
    return Learnt({"mean": np.append(mean, 0.0), "deviation": np.append(deviation, 0.0)}, told=told)


def _fit_range(step: Preparation, entries: Entries, copies: Ints) -> Learnt:
    least, span, stored = _range(entries, copies)
    told = _told_constant(span, stored, "become 1")
    return Learnt({"least": np.append(least, 0.0), "span": np.append(span, 0.0)}, told=told)


def _range(entries: Entries, copies: Ints) -> tuple[Floats, Floats, Mask]:
    """The least value of each feature, the span up to its greatest (0 where none is stored), and which are stored."""
    counted = copies[entries.row] > 0
    index, values = entries.index[counted], entries.known[counted]
    least, most = np.full(entries.units, np.inf), np.full(entries.units, -np.inf)
    np.minimum.at(least, index, values)
    np.maximum.at(most, index, values)
    stored = np.isfinite(least)
    return np.where(stored, least, 0.0), np.where(stored, most - np.where(stored, least, 0.0), 0.0), stored


def _told_constant(span: Floats, stored: Mask, become: str) -> str:
    count = int((stored & (span <= 0)).sum())
    return f"{count:,} of {int(stored.sum()):,} features have one value alone and {become}" if count else ""


def _fit_frequency(step: Preparation, entries: Entries, copies: Ints) -> Learnt:
    found = frequency(entries, copies)
    return Learnt({"kept": best(found, step.n, found > 0)})


def _fit_core(step: Preparation, entries: Entries, copies: Ints) -> Learnt:
    """Features and rows that are left when no feature has too few examples and no row too few features."""
    rows, features = copies > 0, np.ones(entries.units, dtype=bool)
    alive = np.ones(len(entries.index), dtype=bool)
    while True:
        alive &= rows[entries.row] & features[entries.index]
        left = entries.keep(alive)
        fewer = features & (frequency(left, copies) >= step.users)
        stay = rows & (np.bincount(left.row[fewer[left.index]], minlength=entries.rows) >= step.items)
        if np.array_equal(fewer, features) and np.array_equal(stay, rows):
            return Learnt({"kept": np.flatnonzero(features)}, rows=rows)
        features, rows = fewer, stay


# Doing


def _binarise(step: Preparation, numbers: Numbers, entries: Entries) -> Entries:
    return replace(entries, values=None)


def _threshold(step: Preparation, numbers: Numbers, entries: Entries) -> Entries:
    """Compared as float32, in which data sets hold their values: 0.7 in a text is not below a Least of 0.7."""
    return entries.keep(entries.known.astype(np.float32) >= np.float32(step.least))


def _log(step: Preparation, numbers: Numbers, entries: Entries) -> Entries:
    values = np.sign(entries.known) * np.log1p(np.abs(entries.known))
    return replace(entries, values=values.astype(np.float32).astype(np.float64))


def _tf_idf(step: Preparation, numbers: Numbers, entries: Entries) -> Entries:
    return replace(entries, values=entries.known * _of(numbers["idf"], entries))


def _row_norm(step: Preparation, numbers: Numbers, entries: Entries) -> Entries:
    """The greatest value of the row is divided out first, so that squares neither overflow nor vanish."""
    values = entries.known
    largest = np.zeros(entries.rows)
    np.maximum.at(largest, entries.row, np.abs(values))
    scaled = np.divide(values, largest[entries.row], out=np.zeros_like(values), where=largest[entries.row] > 0)
    powers = np.abs(scaled) if step.norm == 1 else scaled * scaled
    sums = np.bincount(entries.row, powers, entries.rows)  # one after another, whatever rows stand around
    norm = (sums if step.norm == 1 else np.sqrt(sums))[entries.row]
    return replace(entries, values=np.divide(scaled, norm, out=values.copy(), where=norm > 0))


def _z_score(step: Preparation, numbers: Numbers, entries: Entries) -> Entries:
    values, deviation = entries.known, _of(numbers["deviation"], entries)
    shifted = values - _of(numbers["mean"], entries)
    return replace(entries, values=np.divide(shifted, deviation, out=values.copy(), where=deviation > 0))


def _min_max(step: Preparation, numbers: Numbers, entries: Entries) -> Entries:
    values, span = entries.known, _of(numbers["span"], entries)
    shifted = values - _of(numbers["least"], entries)
    return replace(entries, values=np.clip(np.divide(shifted, span, out=np.ones_like(values), where=span > 0), 0, 1))


def _select(step: Preparation, numbers: Numbers, entries: Entries) -> Entries:
    kept = numbers["kept"]
    chosen = np.zeros(max(entries.units, int(kept.max(initial=-1)) + 1), dtype=bool)
    chosen[kept] = True
    return entries.keep(chosen[entries.index])


def _of(numbers: NDArray[Any], entries: Entries) -> Floats:
    """The number of each entry's feature; the last one for features beyond those of the training data."""
    found: Floats = numbers[np.minimum(entries.index, len(numbers) - 1)]
    return found


# TopInformation learns from the targets too: see preparation_information.py.
_FITS: Mapping[Step, Fit] = {
    Step.TF_IDF: _fit_idf,
    Step.Z_SCORE: _fit_deviation,
    Step.MIN_MAX: _fit_range,
    Step.TOP_FREQUENCY: _fit_frequency,
    Step.K_CORE: _fit_core,
}
_ACTS: Mapping[Step, Act] = {
    Step.BINARISE: _binarise,
    Step.THRESHOLD: _threshold,
    Step.LOG: _log,
    Step.TF_IDF: _tf_idf,
    Step.ROW_NORM: _row_norm,
    Step.Z_SCORE: _z_score,
    Step.MIN_MAX: _min_max,
    Step.TOP_FREQUENCY: _select,
    Step.TOP_INFORMATION: _select,
    Step.K_CORE: _select,
}
