"""Data-set files read and checked: everything that dsstne.md 8.1 describes, every invariant before anyone uses it."""

from __future__ import annotations

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


def read_stored(path: Path, budget: Budget) -> list[StoredSet]:
    """The data sets of a file as it holds them; raises `Stop` (NN450 to NN459) at the first thing that is wrong."""
    with Hdf(path, budget) as file:
        count = _count(file)
        sets = [_Reader(file, n).read() for n in range(count)]
    seen: set[str] = set()
    for stored in sets:
        if stored.name in seen:
            raise stop(codes.DUPLICATE_SET, file.place("attributes"), name=stored.name, other=path)
        seen.add(stored.name)
    return sets


def touch(path: Path, budget: Budget) -> None:
    """Open a file and read everything that `read_stored` would, without keeping or judging it."""
    with Hdf(path, budget) as file:
        for n in range(_count(file)):
            for name in ("name", "attributes", "kind", "dataType", "dimensions"):
                file.has(f"{name}{n}")
            for name in ("sparseStart", "sparseEnd", "sparseIndex", "sparseData", "data", "dataWeight", "index"):
                file.touch(f"{name}{n}")


def _count(file: Hdf) -> int:
    if file.integer("datasets", default=0) == 0 and file.integer("layers", default=0) > 0:
        raise stop(codes.NOT_DATA, file.place("attribute layers"), path=file.path)
    count = file.integer("datasets", low=1)
    if count > MAX_SETS:
        raise stop(codes.TOO_MANY_SETS, file.place("attribute datasets"), count=count, limit=MAX_SETS)
    return count


class _Reader:
    """Reads data set `n` of a file; names carry the number."""

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
        return bool(self.attributes & bit)

    def read(self) -> StoredSet:
        arrays = self._sparse() if self.has(bits.SPARSE) else self._dense()
        if self.has(bits.WEIGHTED):
            arrays["dataWeight"] = self._finite("dataWeight", self.examples, np.dtype(np.float32))
        if self.has(bits.INDEXED):
            arrays["index"] = self._below("index", self.examples, self.unique, "row")
        if self.file.has(f"labels{self.n}"):
            length = self._dimension("labelsDim", "labels")
            arrays["labels"] = self._below("labels", length, 256, "byte").astype(np.uint8)
        kind = self.file.integer(f"kind{self.n}", default=0)
        return StoredSet(
            self.name, self.attributes, kind, self.data_type, self.dims, self.examples, self.unique, arrays
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

    def _sparse(self) -> dict[str, Array]:
        entries = self._dimension("sparseDataDim", "sparseIndex")
        start, end = (self._below(f"sparse{e}", self.unique, entries + 1, "entry") for e in ("Start", "End"))
        wrong = np.flatnonzero(start > end)
        if len(wrong):
            raise self._wrong(
                "sparseEnd", f"row ends at {end[wrong[0]]} before it starts at {start[wrong[0]]}", wrong[0]
            )
        index = self._below("sparseIndex", entries, self.units, "unit").astype(np.int32)
        arrays: dict[str, Array] = {"sparseStart": start, "sparseEnd": end, "sparseIndex": index}
        if not self.has(bits.BOOLEAN):
            arrays["sparseData"] = self._typed("sparseData", entries)
        return arrays

    def _dense(self) -> dict[str, Array]:
        length = self._dimension("dataDim", "data")
        boolean = self.has(bits.BOOLEAN)
        wanted = self.unique if boolean else self.unique * self.units
        if length != wanted:
            shown = f"{wanted}, one class a row" if boolean else f"{wanted}, {self.unique} rows of {self.units}"
            raise self.file.bad(f"dimension dataDim{self.n}", length, shown)
        if boolean:
            return {"data": self._below("data", length, self.units, "class")}
        return {"data": self._typed("data", length)}

    def _below(self, name: str, length: int, limit: int, what: str) -> Array:
        """Whole numbers from 0, all smaller than `limit`, as int64."""
        array = self.file.array(f"{name}{self.n}", length, _WHOLE)
        wrong = (array >= limit) if array.dtype.kind == "u" else (array < 0) | (array >= limit)
        if wrong.any():
            first = int(np.flatnonzero(wrong)[0])
            raise self._wrong(name, f"{what} number {array[first]} is not from 0 to {limit - 1}", first)
        return array.astype(np.int64, copy=False)

    def _finite(self, name: str, length: int, kind: np.dtype[Any]) -> Array:
        """Finite numbers of a floating type."""
        array = self.file.array(f"{name}{self.n}", length, _NUMBERS)
        with np.errstate(over="ignore", invalid="ignore"):
            array = array.astype(kind, copy=False)
        wrong = ~np.isfinite(array)
        if wrong.any():
            where = np.flatnonzero(wrong)
            part = f"{name}{self.n}"
            raise stop(
                codes.NOT_FINITE,
                self.file.place(f"variable {part}"),
                part=part,
                count=len(where),
                position=int(where[0]),
            )
        return array

    def _typed(self, name: str, length: int) -> Array:
        """Numbers of the data set's own element type."""
        kind = IN_MEMORY[self.data_type]
        if kind.kind == "f":
            return self._finite(name, length, kind)
        array = self.file.array(f"{name}{self.n}", length, _NUMBERS)
        bounds = np.iinfo(kind)
        with np.errstate(invalid="ignore"):
            wrong = ~((array >= bounds.min) & (array <= bounds.max))
            if array.dtype.kind == "f":
                wrong |= (array != np.trunc(array)) | (np.abs(array) >= 2.0**63)
        if wrong.any():
            first = int(np.flatnonzero(wrong)[0])
            raise self._wrong(name, f"{array[first]} does not fit the data set's type", first)
        result: Array = array.astype(kind, copy=False)
        return result

    def _wrong(self, name: str, reason: str, position: int) -> Exception:
        part = f"{name}{self.n}"
        return stop(
            codes.BAD_ROWS, self.file.place(f"variable {part}"), part=part, reason=reason, position=int(position)
        )
