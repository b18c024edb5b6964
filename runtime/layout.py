"""NetCDF-4 files laid out by HDF5 and written by us.

HDF5 only decides where everything stands, into a few pages in memory; the arrays then go to their places with plain
writes. No array is copied, equal contents give equal bytes, and a full disk shows as the operating system says it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from h5py import h5a, h5d, h5ds, h5f, h5fd, h5g, h5p, h5s, h5t
from numpy.typing import NDArray

Array = NDArray[Any]
Value = str | np.generic  # what an attribute holds

PAGE = 4096

_ORDER = h5p.CRT_ORDER_TRACKED | h5p.CRT_ORDER_INDEXED  # NetCDF-4 asks for creation order everywhere
_NOT_A_VARIABLE = b"This is a netCDF dimension but not a netCDF variable.%10d"


@dataclass(frozen=True)
class Variable:
    """A one-dimensional variable that is not empty; equal dimensions in a group are one. Type S1 is text to NetCDF."""

    name: str
    dimension: str
    array: Array


@dataclass(frozen=True)
class Group:
    """Attributes and variables of a group, in the order in which they are written."""

    attributes: Mapping[str, Value]
    variables: Sequence[Variable]


def to_bytes(text: str) -> bytes:
    """Any string of Python's in UTF-8, lone surrogates included: a definition may escape them."""
    return text.encode("utf-8", "surrogatepass")


def storable(text: str) -> str:
    """The text as an attribute holds it: NetCDF ends text at a zero character, so its picture stands for it."""
    return text.replace("\0", "\u2400")


def to_text(data: bytes) -> str:
    """What `to_bytes` encoded; bytes that are no UTF-8 (of other programs) as surrogates."""
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return data.decode("utf-8", "surrogateescape")


def digest(array: Array) -> str:
    """The SHA-256, in hexadecimal, of an array's bytes as the file holds them (lowest byte first)."""
    return hashlib.sha256(to_file(array)).hexdigest()


def to_file(array: Array) -> memoryview:
    """An array's bytes as the file holds them, lowest byte first."""
    return np.ascontiguousarray(array, array.dtype.newbyteorder("<")).data.cast("B")


def size(*groups: Group) -> int:
    """About how many bytes a file with these groups takes."""
    return sum(v.array.nbytes + PAGE for g in groups for v in g.variables) + sum(
        256 * len(g.attributes) for g in groups
    )


def write(path: Path, root: Group, groups: Mapping[str, Group]) -> None:
    """Write a NetCDF-4 file with a root group and named groups; raises what the operating system raises."""
    pages = _Pages()
    pieces = _lay_out(pages, root, groups)
    with path.open("wb", buffering=0) as stream:
        for offset, data in (*pages.pieces(), *pieces):
            stream.seek(offset)
            _write_whole(stream.write, data)
        stream.truncate(pages.length)


def _write_whole(write_some: Any, data: memoryview) -> None:
    while data:
        data = data[write_some(data) :]


class _Pages:
    """A file of pages in memory, as h5py wants files; what was never written takes no room and reads as zeros."""

    def __init__(self) -> None:
        self.pages: dict[int, bytearray] = {}
        self.length = 0
        self.place = 0

    def seek(self, offset: int, whence: int = 0) -> int:
        self.place = offset + (self.length if whence == 2 else 0)
        return self.place

    def tell(self) -> int:
        return self.place

    def write(self, data: memoryview) -> int:
        for page, inside, start, count in self._parts(len(data)):
            self.pages.setdefault(page, bytearray(PAGE))[inside : inside + count] = data[start : start + count]
        self.place += len(data)
        self.length = max(self.length, self.place)
        return len(data)

    def readinto(self, data: memoryview) -> int:
        empty = bytes(PAGE)
        for page, inside, start, count in self._parts(len(data)):
            data[start : start + count] = self.pages.get(page, empty)[inside : inside + count]
        self.place += len(data)
        return len(data)

    def truncate(self, length: int) -> int:
        self.length = length
        return length

    def flush(self) -> None:
        """Nothing to do: the pages are the file."""

    def pieces(self) -> list[tuple[int, memoryview]]:
        return [(page * PAGE, memoryview(self.pages[page])) for page in sorted(self.pages)]

    def _parts(self, count: int) -> Iterator[tuple[int, int, int, int]]:
        """(page, offset in it, offset in the data, bytes) of each page that the next `count` bytes touch."""
        done = 0
        while done < count:
            page, inside = divmod(self.place + done, PAGE)
            part = min(PAGE - inside, count - done)
            yield page, inside, done, part
            done += part


def _lay_out(pages: _Pages, root: Group, groups: Mapping[str, Group]) -> list[tuple[int, memoryview]]:
    """Put everything but the arrays into `pages`; answers where the arrays belong."""
    access = h5p.create(h5p.FILE_ACCESS)
    access.set_fileobj_driver(h5fd.fileobj_driver, pages)
    access.set_libver_bounds(h5f.LIBVER_EARLIEST, h5f.LIBVER_V18)
    with h5py.File(h5f.create(b"model", h5f.ACC_TRUNC, fcpl=_tracked(h5p.FILE_CREATE), fapl=access)) as file:
        top = h5g.open(file.id, b"/")
        pieces, dimensions = _fill(top, root, 0)
        for name, group in groups.items():
            inner = h5g.create(top, name.encode(), gcpl=_tracked(h5p.GROUP_CREATE))
            more, dimensions = _fill(inner, group, dimensions)
            pieces += more
    return pieces


def _tracked(kind: Any) -> Any:
    """Creation properties: order kept, no time stamps."""
    properties = h5p.create(kind)
    properties.set_attr_creation_order(_ORDER)
    properties.set_obj_track_times(False)
    if hasattr(properties, "set_link_creation_order"):
        properties.set_link_creation_order(_ORDER)
    return properties


def _fill(group: Any, content: Group, dimensions: int) -> tuple[list[tuple[int, memoryview]], int]:
    for name, value in content.attributes.items():
        _attribute(group, name, value)
    pieces = []
    scales: dict[str, Any] = {}
    for variable in content.variables:
        array = np.ascontiguousarray(variable.array, variable.array.dtype.newbyteorder("<"))
        if array.ndim != 1 or not array.size:
            raise ValueError(f"{variable.name}: a variable has one dimension and at least one value")
        if variable.dimension not in scales:
            number = dimensions + len(scales)
            scales[variable.dimension] = _dimension(group, variable.dimension, array.size, number)
        offset = _variable(group, variable.name, array, scales[variable.dimension])
        pieces.append((offset, array.data.cast("B")))
    return pieces, dimensions + len(scales)


def _attribute(target: Any, name: str, value: Value) -> None:
    if isinstance(value, str):
        text = to_bytes(storable(value))
        kind = h5t.C_S1.copy()
        kind.set_size(max(1, len(text)))
        kind.set_cset(h5t.CSET_ASCII if text.isascii() else h5t.CSET_UTF8)
        space = h5s.create(h5s.SCALAR if text else h5s.NULL)
        made = h5a.create(target, name.encode(), kind, space)
        if text:
            made.write(np.array(text, dtype=f"S{len(text)}"), mtype=kind)
        return
    data = np.array([value])
    made = h5a.create(target, name.encode(), h5t.py_create(data.dtype.newbyteorder("<")), h5s.create_simple((1,)))
    made.write(data)


def _dimension(group: Any, name: str, length: int, number: int) -> Any:
    """What stands for a dimension in NetCDF-4: a data set without data, marked as a scale."""
    scale = h5d.create(group, name.encode(), h5t.IEEE_F32BE, h5s.create_simple((length,)), _tracked(h5p.DATASET_CREATE))
    h5ds.set_scale(scale, _NOT_A_VARIABLE % length)
    _attribute(scale, "_Netcdf4Dimid", np.int32(number))
    return scale


def _variable(group: Any, name: str, array: Array, scale: Any) -> int:
    properties = _tracked(h5p.DATASET_CREATE)
    properties.set_layout(h5d.CONTIGUOUS)
    properties.set_alloc_time(h5d.ALLOC_TIME_EARLY)
    properties.set_fill_time(h5d.FILL_TIME_NEVER)
    made = h5d.create(group, name.encode(), h5t.py_create(array.dtype), h5s.create_simple(array.shape), properties)
    h5ds.attach_scale(made, scale, 0)
    return int(made.get_offset())
