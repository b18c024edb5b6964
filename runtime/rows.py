"""Rows gathered from parsed text: samples and features numbered, a sample's last line kept (dsstne.md 8.6, 8.7)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from nnlang.runtime.textdata import Parsed
from nnlang.runtime.vocabulary import Positions, Vocabulary

_T = TypeVar("_T", bound=np.generic)
_GATHER_ROWS = 1 << 14


@dataclass(frozen=True)
class Table:
    """A sparse table: entries of row i are offsets[i] : offsets[i + 1]; a row's number is its sample's number."""

    offsets: Positions
    index: NDArray[np.int32]
    values: NDArray[np.float32] | None
    times: NDArray[np.float64] | None = None

    @property
    def rows(self) -> int:
        return len(self.offsets) - 1


@dataclass
class Rows:
    """Collects blocks. `samples` is always extended, `features` with `add`; otherwise entries of others are dropped."""

    samples: Vocabulary
    features: Vocabulary
    add: bool
    lines: int = 0
    unknown: int = 0
    bare: int = 0
    below: int = 0
    extra: int = 0
    replaced: int = 0
    absent: int = 0
    duplicates: int = 0
    _sample: list[NDArray[np.int32]] = field(default_factory=list)
    _count: list[Positions] = field(default_factory=list)
    _index: list[NDArray[np.int32]] = field(default_factory=list)
    _values: list[NDArray[np.float32]] = field(default_factory=list)
    _times: list[NDArray[np.float64]] = field(default_factory=list)

    @property
    def entries(self) -> int:
        return sum(map(len, self._index))

    def take(self, parsed: Parsed) -> None:
        """Add the lines of a block."""
        sample = self.samples.numbers(parsed.text, parsed.sample_start, parsed.sample_length, add=True)
        index = self.features.numbers(parsed.text, parsed.start, parsed.length, add=self.add)
        offsets, values, times = parsed.offsets, parsed.values, parsed.times
        if not self.add and len(index) and index.min() < 0:
            known = index >= 0
            self.unknown += len(index) - int(np.count_nonzero(known))
            offsets = np.concatenate(([0], np.cumsum(known)))[offsets]
            index = index[known]
            values = None if values is None else values[known]
            times = None if times is None else times[known]
        self.lines += len(sample)
        self.bare += parsed.bare
        self.below += parsed.below
        self.extra += parsed.extra
        self._sample.append(sample.astype(np.int32))
        self._count.append(np.diff(offsets))
        self._index.append(index.astype(np.int32))
        if values is not None:
            self._values.append(values)
        if times is not None:
            self._times.append(times)

    def take_pairs(self, parsed: Parsed) -> None:
        """Add the lines of a block of columns: each line is one sample with one feature."""
        sample = self.samples.numbers(parsed.text, parsed.sample_start, parsed.sample_length, add=True)
        index = self.features.numbers(parsed.text, parsed.start, parsed.length, add=self.add)
        known = index >= 0
        self.lines += len(sample)
        self.below += parsed.below
        self.unknown += len(sample) - int(np.count_nonzero(known))
        self._sample.append(sample[known].astype(np.int32))
        self._index.append(index[known].astype(np.int32))
        if parsed.values is not None:
            self._values.append(parsed.values[known])
        if parsed.times is not None:
            self._times.append(parsed.times[known])

    def grouped(self) -> Table:
        """All pairs as rows by sample, in the order of the text; of equal pairs the last counts (by time if known)."""
        sample, index = _joined(self._sample, np.int32), _joined(self._index, np.int32)
        values = _joined(self._values, np.float32) if self._values else None
        times = _joined(self._times, np.float64) if self._times else None
        chosen = _last_of_equal(sample, index, times, self.features.size)
        if chosen is not None:
            self.duplicates = len(sample) - len(chosen)
            sample, index = sample[chosen], index[chosen]
            values = None if values is None else values[chosen]
            times = None if times is None else times[chosen]
        if (np.diff(sample) < 0).any():
            order = np.argsort(sample, kind="stable")
            index = index[order]
            values = None if values is None else values[order]
            times = None if times is None else times[order]
        counts = np.bincount(sample, minlength=self.samples.size)
        self.absent = int(np.count_nonzero(counts == 0))
        return Table(np.concatenate(([0], np.cumsum(counts))), index, values, times)

    def table(self) -> Table:
        """All rows in the order of sample numbers; a sample of the index that no line named has an empty row."""
        sample, count = _joined(self._sample, np.int32), _joined(self._count, np.int64)
        index = _joined(self._index, np.int32)
        values = _joined(self._values, np.float32) if self._values else None
        times = _joined(self._times, np.float64) if self._times else None
        start = np.cumsum(count) - count
        line = np.full(self.samples.size, -1, np.int64)
        line[sample] = np.arange(len(sample))  # of several lines the last one stands
        self.replaced = len(sample) - int(np.count_nonzero(line >= 0))
        self.absent = len(line) - len(sample) + self.replaced
        length = np.where(line >= 0, count[line], 0) if len(count) else np.zeros(len(line), np.int64)
        offsets = np.concatenate(([0], np.cumsum(length)))
        if len(line) == len(sample) and (line == np.arange(len(line))).all():
            return Table(offsets, index, values, times)
        begin = np.where(line >= 0, start[line], 0)
        return Table(
            offsets,
            gather(index, begin, offsets),
            None if values is None else gather(values, begin, offsets),
            None if times is None else gather(times, begin, offsets),
        )


def gather(source: NDArray[_T], begin: Positions, offsets: Positions) -> NDArray[_T]:
    """Rows laid out at `offsets`, each copied from `source` at its `begin`; in pieces, so that memory stays small."""
    result = np.empty(int(offsets[-1]), source.dtype)
    for first in range(0, len(begin), _GATHER_ROWS):
        last = min(first + _GATHER_ROWS, len(begin))
        shift = np.repeat(begin[first:last] - offsets[first:last], np.diff(offsets[first : last + 1]))
        low, high = offsets[first], offsets[last]
        result[low:high] = source[shift + np.arange(low, high)]
    return result


def _last_of_equal(
    sample: NDArray[np.int32], index: NDArray[np.int32], times: NDArray[np.float64] | None, features: int
) -> Positions | None:
    """Which pairs stay when of equal ones the last counts, in their order; None where all differ."""
    keys = np.sort(sample * np.int64(features) + index, kind="stable")  # mostly runs already: a third of the time
    if not (keys[1:] == keys[:-1]).any():
        return None
    order = np.lexsort((index, sample)) if times is None else np.lexsort((times, index, sample))
    last = np.ones(len(order), bool)
    last[:-1] = (np.diff(sample[order]) != 0) | (np.diff(index[order]) != 0)
    return np.sort(order[last])


def _joined(parts: list[NDArray[_T]], kind: type[_T]) -> NDArray[_T]:
    joined = np.concatenate(parts) if parts else np.empty(0, kind)
    parts.clear()
    return joined
