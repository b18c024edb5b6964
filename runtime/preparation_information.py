"""How much the presence of a feature says about the targets: mutual information, from counts of examples alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from nnlang.runtime.preparation_steps import Entries, Floats, Ints

_BLOCK = 8_192  # examples whose targets are gathered at a time
_CELLS = 1 << 22  # counts of features by classes at a time


def of_classes(entries: Entries, classes: Ints) -> Floats:
    """Mutual information of each feature's presence and an example's class in nats, [units]; row r is example r."""
    units, width = entries.units, int(classes.max(initial=0)) + 1
    table = _table(entries.rows)
    found, sizes = np.bincount(entries.index, minlength=units), np.bincount(classes, minlength=width)
    order = np.argsort(entries.index, kind="stable")
    index, mine = entries.index[order], classes[entries.row[order]]
    made = np.zeros(units)
    step = max(1, _CELLS // width)
    for first in range(0, units, step):
        last = min(units, first + step)
        here = slice(*np.searchsorted(index, (first, last)))
        cells = np.bincount((index[here] - first) * width + mine[here], minlength=(last - first) * width)
        both = cells.reshape(-1, width)
        made[first:last] = (table[both] + table[sizes - both] - table[sizes]).sum(axis=1)
    made += table[entries.rows] - table[found] - table[entries.rows - found]
    return made / max(1, entries.rows)


def of_units(entries: Entries, targets: Entries, itself: bool) -> Floats:
    """Mutual information of each feature's presence and each target unit's, summed over the units, in nats, [units].

    Row r of both is example r. `itself`: unit f is feature f, of which nothing is to be learnt, and is left out. Holds
    one row of the counts at a time: bytes grow with features and units, not with their product.
    """
    examples = entries.rows
    table = _table(examples)
    found = np.bincount(entries.index, minlength=entries.units)
    sizes = np.bincount(targets.index, minlength=targets.units)
    units = table[sizes] + table[examples - sizes]
    made = np.zeros(entries.units)
    for feature, both in _together(entries, targets, found):
        count = found[feature]
        each = table[both] + table[count - both] + table[sizes - both] + table[examples - count - sizes + both]
        each += table[examples] - table[count] - table[examples - count] - units
        if itself and feature < len(each):
            each[feature] = 0.0
        made[feature] = each.sum()
    return made / max(1, examples)


def _together(entries: Entries, targets: Entries, found: Ints) -> Iterator[tuple[int, Ints]]:
    """Each feature that some examples store and some do not, with how often each unit is stored beside it."""
    by_feature = entries.row[np.argsort(entries.index, kind="stable")]
    end = np.cumsum(found)
    start = np.concatenate([[0], np.cumsum(np.bincount(targets.row, minlength=targets.rows))])
    for feature in np.flatnonzero((found > 0) & (found < entries.rows)).tolist():
        rows = by_feature[end[feature] - found[feature] : end[feature]]
        counts = np.zeros(targets.units, np.int64)
        for first in range(0, len(rows), _BLOCK):
            beside = _gathered(targets.index, start, rows[first : first + _BLOCK])
            counts += np.bincount(beside, minlength=targets.units)
        yield feature, counts


def _gathered(index: Ints, start: Ints, rows: Ints) -> Ints:
    """The entries of some rows, one row after another."""
    lengths = start[rows + 1] - start[rows]
    first = np.cumsum(lengths) - lengths
    found: Ints = index[np.arange(int(lengths.sum())) + np.repeat(start[rows] - first, lengths)]
    return found


def _table(most: int) -> NDArray[np.float64]:
    """x ln x of 0..most."""
    numbers = np.arange(most + 1, dtype=np.float64)
    return numbers * np.log(np.maximum(numbers, 1.0))
