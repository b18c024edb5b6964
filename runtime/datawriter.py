"""Data-set files in DSSTNE's layout (dsstne.md 8.1, 8.5), written with the NetCDF library and sealed."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import netCDF4
import numpy as np

from nnlang.diagnostics import Stop
from nnlang.runtime.datareader import read_stored
from nnlang.runtime.files import Writer, seal
from nnlang.runtime.hdf import Budget
from nnlang.runtime.stored import (
    CHAR,
    DOUBLE,
    FLOAT,
    INDEXED,
    INT,
    LLINT,
    RGB8,
    RGB16,
    SPARSE,
    UCHAR,
    UINT,
    ULLINT,
    Array,
    StoredSet,
)  # fmt: skip

FORMAT = 1  # of what we add to DSSTNE's layout: the attribute `nnlang_format`, and the seal

_FILE_TYPES = {UINT: "u4", INT: "i4", LLINT: "i8", ULLINT: "u8", FLOAT: "f4", DOUBLE: "f8", RGB8: "u1", RGB16: "u2",
               UCHAR: "u1", CHAR: "i1"}  # fmt: skip
_DIMENSIONS = ("width", "height", "length")


def writer(sets: Sequence[StoredSet]) -> Writer:
    """A writer for `files.atomic_write` that makes one sealed file of the data sets. Equal sets give equal bytes."""

    def write(path: Path) -> None:
        with netCDF4.Dataset(str(path), "w", format="NETCDF4", clobber=True) as file:
            file.set_fill_off()
            file.setncattr("datasets", np.uint32(len(sets)))
            for number, stored in enumerate(sets):
                _write_set(file, number, stored)
            file.setncattr("nnlang_format", np.uint32(FORMAT))
        _read_back(path, sets)
        seal(path)

    return write


def size(sets: Sequence[StoredSet]) -> int:
    """About how many bytes the file will take."""
    return 65536 + sum(array.nbytes for stored in sets for array in stored.arrays.values())


def digest(stored: StoredSet) -> str:
    """The SHA-256 of what a data set holds: its facts and arrays, whatever file and version they come from."""
    return digest_of(stored, {name: (len(array), (array,)) for name, array in stored.arrays.items()})


def digest_of(stored: StoredSet, contents: Mapping[str, tuple[int, Iterable[Array]]]) -> str:
    """The digest of a data set whose arrays come in pieces, one after the other by name: (length, pieces) of each."""
    facts = (stored.name, stored.attributes, stored.data_type, stored.dims, stored.examples, stored.unique)
    found = hashlib.sha256(repr(facts).encode())
    entries = contents["sparseIndex"][0] if "sparseIndex" in contents else 0
    for name in sorted(contents):
        length, pieces = contents[name]
        kind = np.dtype(_type(stored.data_type, entries, name))
        found.update(f"{name} {kind.str} {(length,)}".encode())
        for piece in pieces:
            found.update(np.ascontiguousarray(piece).astype(kind, copy=False).data)
    return found.hexdigest()


def _read_back(path: Path, sets: Sequence[StoredSet]) -> None:
    """Raise OSError unless the file holds what it should: the library does not tell of every write that failed."""
    try:
        same = [digest(s) for s in read_stored(path, Budget(1 << 62))] == [digest(s) for s in sets]
    except Stop as stopped:
        raise OSError(errno.EIO, f"what was written cannot be read back ({stopped})") from stopped
    if not same:
        raise OSError(errno.EIO, "what was written reads back differently")


def _write_set(file: netCDF4.Dataset, n: int, stored: StoredSet) -> None:
    scalars = {
        "attributes": stored.attributes,
        "kind": stored.kind,
        "dataType": stored.data_type,
        "dimensions": len(stored.dims),
        **dict(zip(_DIMENSIONS, stored.dims, strict=False)),
    }
    file.setncattr(f"name{n}", stored.name)
    for key, value in scalars.items():
        file.setncattr(f"{key}{n}", np.uint32(value))
    for dimension, length in _lengths(stored).items():
        file.createDimension(f"{dimension}{n}", length)
    for name, array in stored.arrays.items():
        kind = _type(stored.data_type, len(stored.arrays.get("sparseIndex", ())), name)
        variable = file.createVariable(f"{name}{n}", kind, (f"{_axis(stored, name)}{n}",))
        variable[:] = array


def _lengths(stored: StoredSet) -> dict[str, int]:
    lengths = {"examplesDim": stored.examples}
    if stored.has(INDEXED):
        lengths["uniqueExamplesDim"] = stored.unique
    if stored.has(SPARSE):
        lengths["sparseDataDim"] = len(stored.arrays["sparseIndex"])
    else:
        lengths["dataDim"] = len(stored.arrays["data"])
    if "labels" in stored.arrays:
        lengths["labelsDim"] = len(stored.arrays["labels"])
    return lengths


def _axis(stored: StoredSet, name: str) -> str:
    if name in ("dataWeight", "index"):
        return "examplesDim"
    if name in ("sparseStart", "sparseEnd"):
        return "uniqueExamplesDim" if stored.has(INDEXED) else "examplesDim"
    return {"data": "dataDim", "labels": "labelsDim"}.get(name, "sparseDataDim")


def _type(data_type: int, entries: int, name: str) -> str:
    if name in ("sparseData", "data"):
        return _FILE_TYPES[data_type]
    if name in ("dataWeight", "labels"):
        return "f4" if name == "dataWeight" else "u1"
    if name in ("sparseStart", "sparseEnd") and entries >= 1 << 32:
        return "u8"
    return "u4"
