"""HDF5 read with distrust: fixed names at the root, plain types, known filters, sizes checked before memory is taken.

What a damaged or hostile file makes the library say becomes a `Stop` (reliability.md 4). Nothing is followed: no link,
no external storage, no virtual data set, no plugin.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np

from nnlang.codes import data as codes
from nnlang.diagnostics import Place, Stop, bytes_text, stop
from nnlang.runtime.files import is_hdf5
from nnlang.runtime.stored import Array

SIGNATURE = b"\x89HDF\r\n\x1a\n"
CLASSIC = b"CDF"

_ATTRIBUTE_LIMIT = 64 << 10
_CHUNK_LIMIT = 256 << 20
_FILTERS = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32}
_SLICE = 8 << 20  # bytes read at a time
_PIECE = 1 << 20  # the same, where a piece is all that is held
_LIBRARY_ERRORS = (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError, SystemError, AttributeError)
_SHARE = 0.8  # of the memory that is free now


CGROUP = Path("/sys/fs/cgroup")


@dataclass
class Budget:
    """Bytes of memory that reading may take; `take` raises `Stop` (NN458) before more is asked for."""

    left: int

    @classmethod
    def of(cls, memory: int | None) -> Budget:
        """A budget of `memory` bytes, or of 80% of what is available now."""
        return cls(memory if memory is not None else int(available_memory() * _SHARE))

    def take(self, place: Place, needed: int) -> None:
        """Count `needed` bytes."""
        if needed > self.left:
            facts = {"part": place.part, "needed": bytes_text(needed), "available": bytes_text(max(self.left, 0))}
            raise stop(codes.TOO_LARGE, place, **facts)
        self.left -= needed


def available_memory() -> int:
    """Bytes of memory that programs could take now, in a container too; 4 GB where the system does not say."""
    return min(_free_memory(), _container_memory())


def _container_memory() -> int:
    """Bytes that a control group (version 2) still allows; without a limit, more than there are."""
    try:
        limit, used = ((CGROUP / name).read_text(encoding="ascii") for name in ("memory.max", "memory.current"))
        return max(0, int(limit) - int(used))
    except (OSError, ValueError):  # no such group, or the limit is the word `max`
        return 1 << 62


def _free_memory() -> int:
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            found = next(line for line in lines if line.startswith("MemAvailable:"))
        return int(found.split()[1]) * 1024
    except (OSError, StopIteration, ValueError):
        pages = os.sysconf_names.get("SC_PHYS_PAGES") if hasattr(os, "sysconf_names") else None
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if pages else 4 << 30


def check_signature(path: Path) -> None:
    """Raise `Stop` (NN450) unless the file begins as HDF5 does."""
    with path.open("rb") as stream:
        begin = stream.read(8)
    if begin == SIGNATURE:
        return
    classic = begin.startswith(CLASSIC)
    reason = "it is a classic NetCDF file" if classic else "it does not begin as such files do"
    raise stop(codes.NOT_NETCDF4, Place(str(path)), path=path, reason=reason)


def is_model(path: Path) -> bool:
    """Whether a file is plainly a model, and no data set."""
    return _says(path, "layers")


def is_data(path: Path) -> bool:
    """Whether a file is plainly a file of data sets."""
    return _says(path, "datasets")


def _says(path: Path, attribute: str) -> bool:
    if not is_hdf5(path):
        return False
    try:
        with Hdf(path, Budget(0)) as file:
            return file.integer(attribute) > 0
    except Stop:
        return False


class Hdf:
    """An open file: scalars, dimensions and one-dimensional arrays of numbers by their names. A context manager."""

    def __init__(self, path: Path, budget: Budget) -> None:
        check_signature(path)
        self.path = path
        self.budget = budget
        with self._reading("file"):
            self._file = h5py.File(path, "r", locking=False)

    def __enter__(self) -> Hdf:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._reading("file"):
            self._file.close()

    def place(self, part: str) -> Place:
        """The place of a named part of the file."""
        return Place(str(self.path), part=part)

    def bad(self, part: str, found: object, wanted: str) -> Stop:
        """The `Stop` for a part that is not what the layout asks for."""
        return stop(codes.BAD_VALUE, self.place(part), part=part, found=found, wanted=wanted)

    def integer(self, name: str, low: int = 0, high: int = 2**32 - 1, default: int | None = None) -> int:
        """An integer attribute between two bounds; `default` where it is absent and there is a default."""
        if default is not None and not self._has_attribute(name):
            return default
        value = self._attribute(name)
        if not isinstance(value, int):
            raise self.bad(f"attribute {name}", "no whole number", "one")
        if not low <= value <= high:
            raise self.bad(f"attribute {name}", value, f"from {low} to {high}")
        return value

    def string(self, name: str, default: str | None = None) -> str:
        """A text attribute; `default` where it is absent and there is a default."""
        if default is not None and not self._has_attribute(name):
            return default
        value = self._attribute(name)
        if not isinstance(value, str):
            raise self.bad(f"attribute {name}", "no text", "text")
        return value

    def has(self, name: str) -> bool:
        """Whether there is a variable or dimension of this name."""
        with self._reading(name):
            return self._file.get(name, getlink=True) is not None

    def dimension(self, name: str, user: str) -> int:
        """The length of a dimension; one that is unlimited is as long as the variable that uses it."""
        scale = self._dataset(name, "dimension")
        with self._reading(name):
            length = int(scale.shape[0]) if scale.shape else 0
            unlimited = scale.maxshape is not None and None in scale.maxshape
        if unlimited and self.has(user):
            variable = self._dataset(user, "variable")
            with self._reading(user):
                length = max(length, int(variable.shape[0]) if variable.shape else 0)
        return length

    def array(self, name: str, length: int, kinds: str) -> Array:
        """A one-dimensional variable of `length` numbers of the given numpy kinds, in the machine's byte order."""
        variable, kind = self._vector(name, length, kinds)
        self.budget.take(self.place(f"variable {name}"), 3 * length * kind.itemsize)
        result = np.empty(length, kind.newbyteorder("="))
        for low, high in self._slices(variable, name):
            with self._reading(name):
                result[low:high] = variable[low:high]
        return result

    def pieces(self, name: str, length: int, kinds: str) -> Iterator[tuple[int, Array]]:
        """The same piece by piece: the number of a piece's first value, its values; nothing is kept."""
        variable, kind = self._vector(name, length, kinds)
        for low, high in self._slices(variable, name, _PIECE):
            with self._reading(name):
                piece: Array = variable[low:high].astype(kind.newbyteorder("="), copy=False)
            yield low, piece

    def some(self, name: str, length: int, kinds: str, low: int, high: int) -> Array:
        """The values low..high-1 of such a variable."""
        variable, kind = self._vector(name, length, kinds)
        with self._reading(name):
            found: Array = variable[low:high].astype(kind.newbyteorder("="), copy=False)
        return found

    def _vector(self, name: str, length: int, kinds: str) -> tuple[h5py.Dataset, np.dtype[Any]]:
        """A variable of so many numbers of these kinds, and its type, its storage found harmless."""
        variable = self._dataset(name, "variable")
        part = f"variable {name}"
        with self._reading(name):
            shape, kind = variable.shape, variable.dtype
        if kind.kind not in kinds:
            raise self.bad(part, f"of type {kind}", "of a type of whole numbers" if "f" not in kinds else "numbers")
        if shape != (length,):
            raise self.bad(part, f"of shape {shape}", f"of length {length}")
        self._check_storage(variable, name)
        return variable, kind

    def touch(self, name: str) -> None:
        """Read a variable piece by piece and forget it: what makes the library fall over does so here."""
        if not self.has(name):
            return
        variable = self._dataset(name, "variable")
        self._check_storage(variable, name)
        for low, high in self._slices(variable, name):
            with self._reading(name):
                variable[low:high]

    def _slices(self, variable: h5py.Dataset, name: str, most: int = _SLICE) -> Iterator[tuple[int, int]]:
        with self._reading(name):
            length = int(variable.shape[0]) if variable.shape else 0
            chunk = int(variable.chunks[0]) if variable.chunks else 1
            step = max(chunk, most // max(1, variable.dtype.itemsize) // chunk * chunk)
        for low in range(0, length, step):
            yield low, min(length, low + step)

    def _dataset(self, name: str, what: str) -> h5py.Dataset:
        with self._reading(name):
            link = self._file.get(name, getlink=True)
        if link is None:
            raise stop(codes.MISSING_PART, self.place(f"{what} {name}"), what=what, part=name)
        if not isinstance(link, h5py.HardLink):
            raise self._unsafe(name, "it is a link to somewhere else")
        with self._reading(name):
            found = self._file[name]
            if not isinstance(found, h5py.Dataset):
                raise self.bad(f"{what} {name}", "a group or a type", "an array")
            return found

    def _check_storage(self, variable: h5py.Dataset, name: str) -> None:
        with self._reading(name):
            if variable.is_virtual:
                raise self._unsafe(name, "it is made of other files (a virtual data set)")
            properties = variable.id.get_create_plist()
            if properties.get_external_count():
                raise self._unsafe(name, "its values lie in another file")
            filters = {properties.get_filter(i)[0] for i in range(properties.get_nfilters())}
            if filters - _FILTERS:
                raise self._unsafe(name, "it is packed by a filter that DSSTNE does not use")
            if filters and int(np.prod(variable.chunks, dtype=object)) * variable.dtype.itemsize > _CHUNK_LIMIT:
                raise self._unsafe(name, "it is packed in very large pieces")
            held, needed = variable.id.get_storage_size(), variable.nbytes
        if not filters and held < needed:
            raise self._damaged(f"the values of `{name}` were never written in full")

    def _has_attribute(self, name: str) -> bool:
        with self._reading(name):
            return bool(h5py.h5a.exists(self._file.id, name.encode()))

    def _attribute(self, name: str) -> int | str | None:
        """The one value of an attribute, None if it is neither a whole number nor text."""
        part = f"attribute {name}"
        if not self._has_attribute(name):
            raise stop(codes.MISSING_PART, self.place(part), what="attribute", part=name)
        with self._reading(name):
            found = h5py.h5a.open(self._file.id, name.encode())
            kind = found.get_type().get_class()
            size = max(found.get_storage_size(), found.get_space().get_simple_extent_npoints())
            if kind not in (h5py.h5t.INTEGER, h5py.h5t.STRING) or size > _ATTRIBUTE_LIMIT:
                return None
            value = np.asarray(self._file.attrs[name])
        if value.size != 1:
            return None
        single = value.reshape(()).item()
        if isinstance(single, bytes):
            single = single.decode("utf-8", "replace")
        if isinstance(single, str) and len(single) > _ATTRIBUTE_LIMIT:
            return None
        return single if isinstance(single, int | str) else None

    def _unsafe(self, name: str, reason: str) -> Stop:
        return stop(codes.UNSAFE_PART, self.place(f"variable {name}"), part=name, reason=reason)

    def _damaged(self, reason: str) -> Stop:
        return stop(codes.DAMAGED, Place(str(self.path)), path=self.path, reason=reason)

    @contextmanager
    def _reading(self, part: str) -> Iterator[None]:
        try:
            yield
        except MemoryError as error:
            raise self._damaged(f"reading `{part}` asks for more memory than there is") from error
        except _LIBRARY_ERRORS as error:
            words = " ".join(str(error).split())[:200]
            raise self._damaged(f"`{part}` cannot be read ({words})") from error
