"""Data sets in memory: rows of a sparse or dense table with what their file says of them.

Whatever the file's layout, a sparse set stands here in one form: rows one after the other, the indices of a row
ascending and distinct. Where a file names a feature twice in a row, a Boolean set keeps it once (it is there or not)
and an analog set keeps the last value, as the last line of a sample counts in the text form; DSSTNE adds the two up in
its fast kernels and takes one of them in its dense expansion (dsstne.md 4.2). `DataSet.notices` tells how many merged.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nnlang.codes import data as codes
from nnlang.diagnostics import Diagnostic, Place, stop
from nnlang.network import DataFacts
from nnlang.runtime import datacheck, datawriter
from nnlang.runtime import stored as bits
from nnlang.runtime.datareader import read_stored
from nnlang.runtime.files import atomic_write, existing_file
from nnlang.runtime.fitted import Prepared
from nnlang.runtime.hdf import Budget, check_signature
from nnlang.runtime.sorting import sorted_rows
from nnlang.runtime.stored import ON_DISK, Array, StoredSet

_SCALES = {bits.UCHAR: 1 / 256, bits.RGB8: 1 / 256, bits.CHAR: 1 / 128}  # of sparse bytes, dsstne.md 4.2


@dataclass(frozen=True)
class DataSet:
    """One data set. Example e is row `row[e]` (or e) of the unique rows.

    Sparse: entries of row r are start[r] : end[r] of `index` (int32, ascending), `values` (float32; None if Boolean).
    Dense: `dense` is [unique, units] in the file's element type, or int64 [unique] class numbers if Boolean (one-hot).
    `weight` is float32 [examples]; `labels` are the features' names where known; `sha256` is that of
    the content, the same whatever order a file has its entries in.

    A part (nnlang.runtime.slices) holds the entries or columns of some units only, counted from 0; all it says of
    itself, facts, digest and labels, is what the whole says.
    """

    name: str
    facts: DataFacts
    kind: int = 0
    start: NDArray[np.int64] | None = None
    end: NDArray[np.int64] | None = None
    index: NDArray[np.int32] | None = None
    values: NDArray[np.float32] | None = None
    dense: Array | None = None
    weight: NDArray[np.float32] | None = None
    row: NDArray[np.int64] | None = None
    labels: tuple[str, ...] | None = None
    path: str = ""
    sha256: str = ""
    notices: tuple[Diagnostic, ...] = ()
    prepared: Prepared | None = None  # the steps that it has been through
    part: tuple[int, int] | None = None  # of a part: its first unit and the one behind its last, counted in the whole
    lengths: NDArray[np.int64] | None = None  # of a sparse part: the entries of its whole rows


def read(path: str | os.PathLike[str], *, memory: int | None = None) -> list[DataSet]:
    """The data sets of a NetCDF-4 file (dsstne.md 8.1), everything checked; raises `Stop` for what is wrong.

    `memory` is the number of bytes that reading may take, 80% of the free memory unless given. A file that is not
    sealed by us is first read by another process, so that a damaged one can do no harm (about 0.2 s).
    """
    found = existing_file(path)
    check_signature(found)
    datacheck.check(found)
    budget = Budget.of(memory)
    return [_data_set(stored, str(path), budget) for stored in read_stored(found, budget)]


def read_all(paths: Iterable[str | os.PathLike[str]], *, memory: int | None = None) -> dict[str, DataSet]:
    """The data sets of several files by name; a name that comes twice is an error (NN457)."""
    sets: dict[str, DataSet] = {}
    for path in dict.fromkeys(os.fspath(p) for p in paths):
        for found in read(path, memory=memory):
            if found.name in sets:
                raise stop(codes.DUPLICATE_SET, Place(path), name=found.name, other=sets[found.name].path)
            sets[found.name] = found
    return sets


def write(path: str | os.PathLike[str], datasets: Sequence[DataSet]) -> None:
    """Write data sets into one file in DSSTNE's layout, whole or not at all; equal sets give equal bytes."""
    sets = [stored_form(d) for d in datasets]
    atomic_write(path, datawriter.writer(sets), needed=datawriter.size(sets))


def sparse_set(
    name: str,
    offsets: ArrayLike,
    index: ArrayLike,
    values: ArrayLike | None = None,
    *,
    width: int,
    height: int = 1,
    length: int = 1,
    dimensions: int = 1,
    weight: ArrayLike | None = None,
    row: ArrayLike | None = None,
    ignore_zero: bool = False,
    labels: tuple[str, ...] | None = None,
    path: str = "",
) -> DataSet:
    """A sparse data set from rows: entries of row r are offsets[r] : offsets[r + 1]. Boolean without values.

    Rows are sorted and duplicates merged as on reading. A row may be empty, and so may all be (a set to predict for).
    """
    bounds = np.asarray(offsets, np.int64)
    flags = bits.SPARSE | (bits.BOOLEAN if values is None else 0) | (bits.IGNORE_ZERO if ignore_zero else 0)
    arrays: dict[str, Array] = {
        "sparseStart": bounds[:-1],
        "sparseEnd": bounds[1:],
        "sparseIndex": np.asarray(index, np.int32),
    }
    if values is not None:
        arrays["sparseData"] = np.asarray(values, np.float32)
    stored = _assembled(name, flags, bits.UINT if values is None else bits.FLOAT, (width, height, length)[:dimensions],
                        len(bounds) - 1, arrays, weight, row)  # fmt: skip
    _check_arrays(stored)
    return replace(_data_set(stored, path, Budget(1 << 62)), labels=labels)


def dense_set(
    name: str,
    data: ArrayLike,
    *,
    width: int | None = None,
    height: int = 1,
    length: int = 1,
    dimensions: int = 1,
    classes: bool = False,
    weight: ArrayLike | None = None,
    row: ArrayLike | None = None,
    path: str = "",
) -> DataSet:
    """A dense data set from an array [rows, units], or with `classes` from class numbers [rows] below `width`."""
    array = np.asarray(data)
    array = array.astype(np.int64) if classes else array.astype(_nearest(array.dtype), copy=False)
    rows = len(array)
    units = width if width is not None else (int(array.max()) + 1 if classes else array.size // max(1, rows))
    flags = bits.BOOLEAN if classes else 0
    data_type = bits.UINT if classes else ON_DISK[array.dtype]
    dims = (units, height, length)[:dimensions]
    stored = _assembled(name, flags, data_type, dims, rows, {"data": array.ravel()}, weight, row)
    _check_arrays(stored)
    return _data_set(stored, path, Budget(1 << 62))


def _nearest(kind: np.dtype[np.generic]) -> np.dtype[np.generic]:
    if kind in ON_DISK:
        return kind
    return np.dtype(np.int64) if kind.kind in "iub" else np.dtype(np.float32)


def _assembled(
    name: str,
    flags: int,
    data_type: int,
    dims: tuple[int, ...],
    rows: int,
    arrays: dict[str, Array],
    weight: ArrayLike | None,
    row: ArrayLike | None,
) -> StoredSet:
    if weight is not None:
        arrays["dataWeight"] = np.asarray(weight, np.float32)
        flags |= bits.WEIGHTED
    if row is not None:
        arrays["index"] = np.asarray(row, np.int64)
        flags |= bits.INDEXED
    examples = len(arrays["index"]) if row is not None else rows
    return StoredSet(name, flags, 0, data_type, dims, examples, rows, arrays)


def _check_arrays(stored: StoredSet) -> None:
    """Programming mistakes in sets made in memory: a ValueError, not a diagnostic, as no user made them."""
    arrays, units = stored.arrays, stored.units
    sound: dict[str, Callable[[Array], object]] = {
        "dataWeight": lambda a: len(a) == stored.examples,
        "index": lambda a: a.min(initial=0) >= 0 and a.max(initial=-1) < stored.unique,
        "sparseStart": lambda a: (a >= 0).all() and (a <= arrays["sparseEnd"]).all(),
        "sparseEnd": lambda a: a.max(initial=0) <= len(arrays["sparseIndex"]),
        "sparseIndex": lambda a: a.min(initial=0) >= 0 and a.max(initial=-1) < units,
        "sparseData": lambda a: len(a) == len(arrays["sparseIndex"]) and np.isfinite(a).all(),
        "labels": lambda a: True,
        "data": lambda a: len(a) == stored.unique * (1 if stored.has(bits.BOOLEAN) else units),
    }
    for name, array in arrays.items():
        if not sound[name](array):
            raise ValueError(f"data set {stored.name!r}: {name} does not fit the others")


def _data_set(stored: StoredSet, path: str, budget: Budget) -> DataSet:
    """The data set that a stored one means, with the digest of its one form."""
    made = _meant(stored, path, budget)
    return replace(made, sha256=datawriter.digest(stored_form(made)))


def _meant(stored: StoredSet, path: str, budget: Budget) -> DataSet:
    arrays, sparse = stored.arrays, stored.has(bits.SPARSE)
    made = outline(stored, path)
    if not sparse:
        boolean = stored.has(bits.BOOLEAN)
        return replace(made, dense=arrays["data"] if boolean else arrays["data"].reshape(stored.unique, stored.units))
    entries = int((arrays["sparseEnd"] - arrays["sparseStart"]).sum())
    budget.take(Place(path, part=f"rows of `{stored.name}`"), 16 * entries)
    values = None if stored.has(bits.BOOLEAN) else scaled(arrays["sparseData"], stored.data_type)
    rows = sorted_rows(arrays["sparseStart"], arrays["sparseEnd"], arrays["sparseIndex"], values)
    return replace(
        made,
        facts=replace(made.facts, entries=len(rows.index)),
        start=rows.offsets[:-1],
        end=rows.offsets[1:],
        index=rows.index,
        values=rows.values,
        notices=merge_notices(stored, path, rows.merged),
    )


def outline(stored: StoredSet, path: str) -> DataSet:
    """The data set that a stored one means, without its rows."""
    arrays = stored.arrays
    labels = split_labels(arrays["labels"]) if "labels" in arrays else None
    weight, row = arrays.get("dataWeight"), arrays.get("index")
    return DataSet(stored.name, _facts(stored), stored.kind, weight=weight, row=row, labels=labels, path=path)


def scaled(values: Array, data_type: int) -> NDArray[np.float32]:
    """The values of a sparse set as they are meant."""
    return values.astype(np.float32, copy=False) * np.float32(_SCALES.get(data_type, 1.0))


def merge_notices(stored: StoredSet, path: str, merged: int) -> tuple[Diagnostic, ...]:
    """What there is to tell of a set in which so many entries gave way to an equal one."""
    if not merged:
        return ()
    done = "one counts" if stored.has(bits.BOOLEAN) else "the last value counts"
    facts: dict[str, object] = {"count": merged, "done": done}
    return (Diagnostic(codes.DUPLICATE_ENTRIES, Place(path, part=f"data set {stored.name}"), facts),)


def join_labels(labels: Sequence[str]) -> Array:
    """Labels in the order of their numbers as the bytes of a file's `labels`; they hold no line feed."""
    return np.frombuffer("\n".join(labels).encode("utf-8", "surrogateescape"), np.uint8)


def split_labels(content: Array) -> tuple[str, ...]:
    """The labels in the bytes of a file's `labels`; undecodable bytes become surrogates."""
    return tuple(content.tobytes().decode("utf-8", "surrogateescape").split("\n"))


def _facts(stored: StoredSet) -> DataFacts:
    width, height, length = (*stored.dims, 1, 1)[:3]
    return DataFacts(
        stored.name, stored.examples, width, height, length, len(stored.dims),
        sparse=stored.has(bits.SPARSE), boolean=stored.has(bits.BOOLEAN), weighted=stored.has(bits.WEIGHTED),
        ignore_zero=stored.has(bits.IGNORE_ZERO), unique=stored.unique,
    )  # fmt: skip


def stored_form(data: DataSet) -> StoredSet:
    """The form in which a data set is stored and digested."""
    facts = data.facts
    flags = {bits.SPARSE: facts.sparse, bits.BOOLEAN: facts.boolean, bits.IGNORE_ZERO: facts.ignore_zero,
             bits.INDEXED: data.row is not None, bits.WEIGHTED: data.weight is not None}  # fmt: skip
    named = {"sparseStart": data.start, "sparseEnd": data.end, "sparseIndex": data.index, "sparseData": data.values,
             "dataWeight": data.weight, "index": data.row,
             "labels": None if data.labels is None else join_labels(data.labels),
             "data": None if data.dense is None else data.dense.ravel()}  # fmt: skip
    if facts.boolean:
        data_type = bits.UINT
    else:
        data_type = bits.FLOAT if data.dense is None else ON_DISK[data.dense.dtype]
    dims = (facts.width, facts.height, facts.length)[: facts.dimensions]
    attributes = sum(bit for bit, is_set in flags.items() if is_set)
    arrays: dict[str, Array] = {name: array for name, array in named.items() if array is not None}
    unique = facts.unique or facts.examples
    return StoredSet(data.name, attributes, data.kind, data_type, dims, facts.examples, unique, arrays)
