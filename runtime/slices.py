"""The part of a data set that one rank needs: the entries or columns of some units, read without ever holding the rest.

A part says of itself what the whole says: facts, digest, labels, and how many entries a whole row stores. `survey`
looks through files and checks them as `dataset.read` does; `read_part` then reads parts, and computes the digest of the
whole on the way. Both go through a file in blocks of rows: they take the memory of one block, of what is kept, and of
some numbers a row.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnlang.codes import data as codes
from nnlang.diagnostics import Place, stop
from nnlang.network import DataFacts
from nnlang.runtime import datacheck
from nnlang.runtime import stored as bits
from nnlang.runtime.datareader import Column, SetReader, count_of
from nnlang.runtime.dataset import DataSet, merge_notices, outline, scaled, stored_form
from nnlang.runtime.datawriter import digest_of
from nnlang.runtime.files import existing_file
from nnlang.runtime.hdf import Budget, Hdf, check_signature
from nnlang.runtime.rows import gather
from nnlang.runtime.sorting import SortedRows, sorted_rows
from nnlang.runtime.stored import Array

Ints = NDArray[np.int64]
Span = tuple[int, int]  # the first unit, and the one behind the last
Wanted = Mapping[str, Span | None]  # by name; None: the whole, which is no part

BLOCK = 1 << 20  # entries, or dense numbers, that are worked on together
GAP = 4  # times what is wanted: as much may be read beside it in one go; rows further apart are read one by one


@dataclass(frozen=True)
class Surveyed:
    """A data set of a file that was looked through: all about it but its rows, its number, where its rows stand."""

    data: DataSet
    number: int
    rows: dict[str, Array] = field(default_factory=dict)  # sparseStart, sparseEnd

    @property
    def facts(self) -> DataFacts:
        return self.data.facts


def sliced(data: DataSet, first: int, last: int) -> DataSet:
    """The part of a data set in memory with the units first..last-1; units that no row has are empty.

    Sparse: entries, their indices counted from `first`. Dense: columns, as many as there are; of class numbers, those
    of other units become -1.
    """
    assert 0 <= first <= last and data.part is None, "a range of units of a whole data set"
    found = replace(data, part=(first, last))
    if data.dense is not None:
        return replace(found, dense=_columns(data.dense, first, last))
    assert data.start is not None and data.end is not None and data.index is not None
    index, values, offsets = data.index, data.values, np.concatenate(([0], np.cumsum(data.end - data.start)))
    if not (np.array_equal(data.start, offsets[:-1]) and len(index) == offsets[-1]):
        index = gather(index, data.start, offsets)
        values = None if values is None else gather(values, data.start, offsets)
    kept = np.flatnonzero((index >= first) & (index < last))
    bounds = np.searchsorted(kept, offsets)
    return replace(
        found,
        start=bounds[:-1],
        end=bounds[1:],
        index=(index[kept] - first).astype(np.int32, copy=False),
        values=None if values is None else values[kept],
        lengths=data.end - data.start,
    )


def _columns(dense: Array, first: int, last: int) -> Array:
    if dense.ndim > 1:
        return np.ascontiguousarray(dense[:, first:last])
    return np.where((dense >= first) & (dense < last), dense - first, -1)


def survey(
    paths: Iterable[str | os.PathLike[str]], *, labels: bool = True, memory: int | None = None
) -> dict[str, Surveyed]:
    """What the data sets of some files are, by name, every number of them checked; raises what `dataset.read` raises.

    Nothing stays in memory but some numbers a row, and with `labels` those of the features. `sha256` is not there yet.
    """
    found: dict[str, Surveyed] = {}
    for path in dict.fromkeys(os.fspath(p) for p in paths):
        there = existing_file(path)
        check_signature(there)
        datacheck.check(there)
        with Hdf(there, Budget.of(memory)) as file:
            for number in range(count_of(file)):
                one = _surveyed(SetReader(file, number), path, labels)
                name = one.data.name
                if name in found:
                    other = found[name].data.path
                    within = other == path
                    place, shown = (file.place("attributes"), there) if within else (Place(path), other)
                    raise stop(codes.DUPLICATE_SET, place, name=name, other=shown)
                found[name] = one
    return found


def read_part(
    paths: Iterable[str | os.PathLike[str]],
    wanted: Wanted,
    surveyed: Mapping[str, Surveyed] | None = None,
    *,
    memory: int | None = None,
) -> dict[str, DataSet]:
    """Parts of the data sets of some files, by name: for each name that is wanted its units first..last-1, or all.

    The same as `sliced` makes of the whole sets, their digests included. surveyed: of these files, where it is known.
    Raises what `dataset.read` raises.
    """
    known = surveyed if surveyed is not None else survey(paths, memory=memory)
    budget, found = Budget.of(memory), {}
    for name, span in wanted.items():
        if name not in known:
            continue
        one = known[name]
        with Hdf(Path(one.data.path), budget) as file:
            made = _Part(SetReader(file, one.number), one, budget).read(*span or (0, one.facts.units))
        found[name] = made if span else replace(made, part=None, lengths=None)
    return found


def _surveyed(reader: SetReader, path: str, labels: bool) -> Surveyed:
    """A data set gone through once: everything that stands by row is kept, the entries are judged and counted."""
    arrays: dict[str, Array] = {}
    columns: dict[str, Column] = {}
    for column in reader.columns():
        columns[column.name] = column
        if column.name in ("sparseIndex", "sparseData", "data") or (column.name == "labels" and not labels):
            deque(reader.pieces(column), maxlen=0)
        else:
            arrays[column.name] = reader.array(column)
        reader.check_rows(column, arrays)
    shell = reader.stored(arrays)
    made = outline(shell, path)
    if "sparseIndex" not in columns:
        return Surveyed(made, reader.n)
    rows = {name: arrays[name] for name in ("sparseStart", "sparseEnd")}
    lengths, merged = np.empty(reader.unique, np.int64), 0
    for first, block in _blocks(reader, rows, columns["sparseIndex"], None):
        lengths[first : first + len(block.offsets) - 1] = np.diff(block.offsets)
        merged += block.merged
    facts = replace(made.facts, entries=int(lengths.sum()))
    notices = merge_notices(shell, path, merged)
    return Surveyed(replace(made, facts=facts, lengths=lengths, notices=notices), reader.n, rows)


class _Part:
    """Reads a part of one data set."""

    def __init__(self, reader: SetReader, surveyed: Surveyed, budget: Budget) -> None:
        self.reader, self.data, self.rows, self.budget = reader, surveyed.data, surveyed.rows, budget
        self.columns = {column.name: column for column in reader.columns()}

    def read(self, first: int, last: int) -> DataSet:
        """The units first..last-1, with the digest of the whole."""
        if self.reader.has(bits.SPARSE):
            return self._sparse(first, last)
        return self._dense(first, last)

    def _take(self, what: str, needed: int) -> None:
        self.budget.take(Place(self.data.path, part=f"{what} of `{self.data.name}`"), needed)

    def _digest(self, made: DataSet, streams: Mapping[str, tuple[int, Iterable[Array]]]) -> str:
        """The digest of the whole: what stands by example is there, the rest comes in pieces."""
        shell = stored_form(replace(made, start=None, end=None, index=None, values=None, labels=None))
        arrays = {name: array for name, array in shell.arrays.items() if name != "data"}
        if "labels" in self.columns:
            arrays["labels"] = self.reader.array(self.columns["labels"])
        return digest_of(shell, {**{name: (len(array), (array,)) for name, array in arrays.items()}, **streams})

    def _dense(self, first: int, last: int) -> DataSet:
        column, units = self.columns["data"], self.reader.units
        one = self.reader.some(column, 0, min(1, column.length))
        if self.reader.has(bits.BOOLEAN):
            kept, width = np.empty(column.length, one.dtype), 1
        else:
            shape = (self.reader.unique, min(last, units) - min(first, units))
            self._take("columns", shape[0] * shape[1] * one.dtype.itemsize)
            kept, width = np.empty(shape, one.dtype), units

        def pieces() -> Iterator[Array]:
            step = max(1, BLOCK // width) * width
            for low in range(0, column.length, step):
                piece = self.reader.some(column, low, min(column.length, low + step))
                rows = piece if width == 1 and kept.ndim == 1 else piece.reshape(-1, units)
                kept[low // width : low // width + len(rows)] = _columns(rows, first, last)
                yield piece

        made = replace(self.data, dense=kept, part=(first, last))
        return replace(made, sha256=self._digest(made, {"data": (column.length, pieces())}))

    def _sparse(self, first: int, last: int) -> DataSet:
        data, entries, lengths = self.data, self.data.facts.entries, self.data.lengths
        assert lengths is not None
        part = _Kept(first, last, np.zeros(self.reader.unique + 1, np.int64))
        index, values = self.columns["sparseIndex"], self.columns.get("sparseData")
        streams: dict[str, tuple[int, Iterable[Array]]] = {}
        if values is not None:
            streams["sparseData"] = entries, part.counted(_blocks(self.reader, self.rows, index, values))
        else:
            deque(part.counted(_blocks(self.reader, self.rows, index, None)), maxlen=0)
        bounds = np.concatenate(([0], np.cumsum(lengths)))
        streams["sparseEnd"], streams["sparseStart"] = ((len(b), (b,)) for b in (bounds[1:], bounds[:-1]))

        def filled() -> Iterator[Array]:  # once the entries that stay are counted
            self._take("rows", (12 if values is not None else 4) * part.count)
            yield from part.filled(_blocks(self.reader, self.rows, index, values), values is not None)

        streams["sparseIndex"] = entries, filled()
        sha256 = self._digest(data, streams)
        return replace(
            data, start=part.offsets[:-1], end=part.offsets[1:], index=part.index, values=part.values,
            part=(first, last), sha256=sha256,
        )  # fmt: skip


Blocks = Iterator[tuple[int, SortedRows]]


@dataclass
class _Kept:
    """What stays of the rows that come by: first they are counted, then kept."""

    first: int
    last: int
    offsets: Ints  # [rows + 1]: how many entries of each row stay, then where they stand
    index: NDArray[np.int32] = field(init=False)
    values: NDArray[np.float32] | None = None

    @property
    def count(self) -> int:
        return int(self.offsets[-1])

    def counted(self, blocks: Blocks) -> Iterator[Array]:
        """Counts what stays, and gives the values of each block."""
        for row, block in blocks:
            bounds = np.searchsorted(self._inside(block), block.offsets)
            self.offsets[row + 1 : row + len(bounds)] = np.diff(bounds)
            yield np.empty(0, np.float32) if block.values is None else block.values
        np.cumsum(self.offsets, out=self.offsets)

    def filled(self, blocks: Blocks, analog: bool) -> Iterator[Array]:
        """Keeps what stays, and gives the indices of each block."""
        self.index = np.empty(self.count, np.int32)
        self.values = np.empty(self.count, np.float32) if analog else None
        for row, block in blocks:
            inside = self._inside(block)
            at = slice(int(self.offsets[row]), int(self.offsets[row]) + len(inside))
            self.index[at] = block.index[inside] - self.first
            if self.values is not None and block.values is not None:
                self.values[at] = block.values[inside]
            yield block.index

    def _inside(self, block: SortedRows) -> Ints:
        return np.flatnonzero((block.index >= self.first) & (block.index < self.last))


def _blocks(reader: SetReader, rows: Mapping[str, Array], index: Column, values: Column | None) -> Blocks:
    """The rows of a data set in one form, some at a time, each block with the number of its first row."""
    start, end = rows["sparseStart"], rows["sparseEnd"]
    before = np.concatenate(([0], np.cumsum(end - start)))
    cuts = [0]
    while cuts[-1] < len(start):
        far = int(np.searchsorted(before, before[cuts[-1]] + BLOCK, "right")) - 1
        cuts.append(min(len(start), max(cuts[-1] + 1, far)))
    for first, last in pairwise(cuts):
        a, b = start[first:last], end[first:last]
        columns = [index] if values is None else [index, values]
        found, a, b = _entries(reader, columns, a, b)
        given = None if values is None else scaled(found[1], reader.data_type)
        yield first, sorted_rows(a, b, found[0], given)


def _entries(reader: SetReader, columns: list[Column], start: Ints, end: Ints) -> tuple[list[Any], Ints, Ints]:
    """The entries of some rows, and where the rows stand in what was read."""
    filled = np.flatnonzero(end > start)
    total = int((end - start).sum())
    low, high = (int(start[filled].min()), int(end[filled].max())) if len(filled) else (0, 0)
    if high - low <= GAP * total:
        shift = np.where(end > start, low, start)  # of an empty row, nobody cares where it stands
        return [reader.some(c, low, high) for c in columns], start - shift, end - shift
    offsets = np.concatenate(([0], np.cumsum(end - start)))
    spans = list(zip(start[filled].tolist(), end[filled].tolist(), strict=True))
    found = [np.concatenate([reader.some(c, a, b) for a, b in spans]) for c in columns]
    return found, offsets[:-1], offsets[1:]
