"""Data-set files read and checked: everything that dsstne.md 8.1 describes, every invariant before anyone uses it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nnlang.codes import data as codes
from nnlang.diagnostics import stop
from nnlang.runtime import stored as bits
from nnlang.runtime.hdf import Budget, Hdf
from nnlang.runtime.stored import IN_MEMORY, MAX_SETS, NAME, Array, StoredSet

_UNITS_LIMIT = 2**31 - 1
_DIMENSIONS = ("width", "height", "length")
_WHOLE, _NUMBERS = "iu", "iuf"
Judge = Callable[[Array, int], Array]  # numbers as a file has them, and the number of the first: as they are meant


@dataclass(frozen=True)
class Column:
    """A variable of a data set, without its number: its length, the kinds of its numbers, what is asked of them."""

    name: str
    length: int
    kinds: str
    judge: Judge


def read_stored(path: Path, budget: Budget) -> list[StoredSet]:
    """The data sets of a file as it holds them; raises `Stop` (NN450 to NN459) at the first thing that is wrong."""
    with Hdf(path, budget) as file:
        count = count_of(file)
        sets = [SetReader(file, n).read() for n in range(count)]
    seen: set[str] = set()
    for stored in sets:
        if stored.name in seen:
            raise stop(codes.DUPLICATE_SET, file.place("attributes"), name=stored.name, other=path)
        seen.add(stored.name)
    return sets


def touch(path: Path, budget: Budget) -> None:
    """Open a file and read everything that `read_stored` would, without keeping or judging it."""
    with Hdf(path, budget) as file:
        for n in range(count_of(file)):
            for name in ("name", "attributes", "kind", "dataType", "dimensions"):
                file.has(f"{name}{n}")
            for name in ("sparseStart", "sparseEnd", "sparseIndex", "sparseData", "data", "dataWeight", "index"):
                file.touch(f"{name}{n}")


def count_of(file: Hdf) -> int:
    """How many data sets a file says it holds."""
    if file.integer("datasets", default=0) == 0 and file.integer("layers", default=0) > 0:
        raise stop(codes.NOT_DATA, file.place("attribute layers"), path=file.path)
    count = file.integer("datasets", low=1)
    if count > MAX_SETS:
        raise stop(codes.TOO_MANY_SETS, file.place("attribute datasets"), count=count, limit=MAX_SETS)
    return count


class SetReader:
    """Reads data set `n` of a file; names carry the number. `Stop` at the first thing that is wrong."""

    def __init__(self, file: Hdf, n: int) -> None:
        self.file = file
        self.n = n
        self.name = file.string(f"name{n}")
        if not NAME.fullmatch(self.name):
            raise file.bad(
                f"attribute name{n}", repr(self.name[:140]), "1 to 128 letters, digits, `_`, `.`, `-` or spaces"
            )
        self.attributes = file.integer(f"attributes{n}")
        self.data_type = file.integer(f"dataType{n}", high=max(IN_MEMORY))
        count = file.integer(f"dimensions{n}", 1, 3)
        self.dims = tuple(file.integer(f"{d}{n}", 1, _UNITS_LIMIT) for d in _DIMENSIONS[:count])
        self.units = int(np.prod(self.dims, dtype=object))
        if self.units > _UNITS_LIMIT:
            raise file.bad(f"data set {n}", f"of {self.units} units", f"of at most {_UNITS_LIMIT}")
        self.examples, self.unique = self._rows()

    def has(self, bit: int) -> bool:
        """Whether an attribute bit is set."""
        return bool(self.attributes & bit)

    def read(self) -> StoredSet:
        """The whole data set."""
        arrays: dict[str, Array] = {}
        for column in self.columns():
            arrays[column.name] = self.array(column)
            self.check_rows(column, arrays)
        return self.stored(arrays)

    def stored(self, arrays: dict[str, Array]) -> StoredSet:
        """The data set with some of its arrays."""
        kind = self.file.integer(f"kind{self.n}", default=0)
        return StoredSet(
            self.name, self.attributes, kind, self.data_type, self.dims, self.examples, self.unique, arrays
        )

    def columns(self) -> Iterator[Column]:
        """The variables in the order in which they are judged, each found when it is asked for."""
        yield from self._sparse() if self.has(bits.SPARSE) else self._dense()
        if self.has(bits.WEIGHTED):
            yield self._finite("dataWeight", self.examples, np.dtype(np.float32))
        if self.has(bits.INDEXED):
            yield self._below("index", self.examples, self.unique, "row")
        if self.file.has(f"labels{self.n}"):
            yield self._below("labels", self._dimension("labelsDim", "labels"), 256, "byte", np.uint8)

    def array(self, column: Column) -> Array:
        """All numbers of a variable."""
        return column.judge(self.file.array(f"{column.name}{self.n}", column.length, column.kinds), 0)

    def pieces(self, column: Column) -> Iterator[tuple[int, Array]]:
        """The same piece by piece, with the number of each piece's first one."""
        for first, piece in self.file.pieces(f"{column.name}{self.n}", column.length, column.kinds):
            yield first, column.judge(piece, first)

    def some(self, column: Column, low: int, high: int) -> Array:
        """The numbers low..high-1 of a variable."""
        found = self.file.some(f"{column.name}{self.n}", column.length, column.kinds, low, high)
        return column.judge(found, low)

    def check_rows(self, column: Column, arrays: dict[str, Array]) -> None:
        """Once the ends of the rows are there: none lies before its start."""
        if column.name != "sparseEnd":
            return
        start, end = arrays["sparseStart"], arrays["sparseEnd"]
        wrong = np.flatnonzero(start > end)
        if len(wrong):
            raise self._wrong(
                "sparseEnd", f"row ends at {end[wrong[0]]} before it starts at {start[wrong[0]]}", wrong[0]
            )

    def _rows(self) -> tuple[int, int]:
        n = self.n
        main = "sparseStart" if self.has(bits.SPARSE) else "data"
        by_row = {bits.INDEXED: "index", bits.WEIGHTED: "dataWeight"}
        user = next((name for bit, name in by_row.items() if self.has(bit)), main)
        examples = self._dimension("examplesDim", user)
        unique = examples
        if self.file.has(f"uniqueExamplesDim{n}"):
            unique = self._dimension("uniqueExamplesDim", main)
        if unique != examples and not self.has(bits.INDEXED):
            wanted = f"{examples}, the number of examples, as the data set is not indexed"
            raise self.file.bad(f"dimension uniqueExamplesDim{n}", unique, wanted)
        return examples, unique

    def _dimension(self, name: str, user: str) -> int:
        length = self.file.dimension(f"{name}{self.n}", f"{user}{self.n}")
        if length < 1:
            raise self.file.bad(f"dimension {name}{self.n}", length, "at least 1")
        return length

    def _sparse(self) -> Iterator[Column]:
        entries = self._dimension("sparseDataDim", "sparseIndex")
        for end in ("Start", "End"):
            yield self._below(f"sparse{end}", self.unique, entries + 1, "entry")
        yield self._below("sparseIndex", entries, self.units, "unit", np.int32)
        if not self.has(bits.BOOLEAN):
            yield self._typed("sparseData", entries)

    def _dense(self) -> Iterator[Column]:
        length = self._dimension("dataDim", "data")
        boolean = self.has(bits.BOOLEAN)
        wanted = self.unique if boolean else self.unique * self.units
        if length != wanted:
            shown = f"{wanted}, one class a row" if boolean else f"{wanted}, {self.unique} rows of {self.units}"
            raise self.file.bad(f"dimension dataDim{self.n}", length, shown)
        yield self._below("data", length, self.units, "class") if boolean else self._typed("data", length)

    def _below(self, name: str, length: int, limit: int, what: str, kind: type[np.generic] = np.int64) -> Column:
        """Whole numbers from 0, all smaller than `limit`."""

        def judge(array: Array, first: int) -> Array:
            wrong = (array >= limit) if array.dtype.kind == "u" else (array < 0) | (array >= limit)
            if wrong.any():
                at = int(np.flatnonzero(wrong)[0])
                raise self._wrong(name, f"{what} number {array[at]} is not from 0 to {limit - 1}", first + at)
            return array.astype(kind, copy=False)

        return Column(name, length, _WHOLE, judge)

    def _finite(self, name: str, length: int, kind: np.dtype[Any]) -> Column:
        """Finite numbers of a floating type."""

        def judge(array: Array, first: int) -> Array:
            with np.errstate(over="ignore", invalid="ignore"):
                narrow = array.astype(kind, copy=False)
            if not np.isfinite(narrow).all():
                raise self._not_finite(name, length, kind)
            return narrow

        return Column(name, length, _NUMBERS, judge)

    def _not_finite(self, name: str, length: int, kind: np.dtype[Any]) -> Exception:
        """The `Stop` for a variable that holds what is no finite number, all of it counted."""
        part, count, position = f"{name}{self.n}", 0, 0
        for first, piece in self.file.pieces(part, length, _NUMBERS):
            with np.errstate(over="ignore", invalid="ignore"):
                where = np.flatnonzero(~np.isfinite(piece.astype(kind, copy=False)))
            if len(where):
                position = position if count else first + int(where[0])
                count += len(where)
        return stop(codes.NOT_FINITE, self.file.place(f"variable {part}"), part=part, count=count, position=position)

    def _typed(self, name: str, length: int) -> Column:
        """Numbers of the data set's own element type."""
        kind = IN_MEMORY[self.data_type]
        if kind.kind == "f":
            return self._finite(name, length, kind)
        bounds = np.iinfo(kind)

        def judge(array: Array, first: int) -> Array:
            with np.errstate(invalid="ignore"):
                wrong = ~((array >= bounds.min) & (array <= bounds.max))
                if array.dtype.kind == "f":
                    wrong |= (array != np.trunc(array)) | (np.abs(array) >= 2.0**63)
            if wrong.any():
                at = int(np.flatnonzero(wrong)[0])
                raise self._wrong(name, f"{array[at]} does not fit the data set's type", first + at)
            return array.astype(kind, copy=False)

        return Column(name, length, _NUMBERS, judge)

    def _wrong(self, name: str, reason: str, position: int) -> Exception:
        part = f"{name}{self.n}"
        return stop(
            codes.BAD_ROWS, self.file.place(f"variable {part}"), part=part, reason=reason, position=int(position)
        )
