"""NetCDF-4 files, seen as the HDF5 files that they are: written in one go, read with suspicion.

Writing: HDF5 only lays the file out, into a few pages in memory; the arrays then go to their places with plain writes.
No array is copied, equal contents give equal bytes, and a full disk shows as the operating system says it.
Reading: damage and malice both end in `Stop`. Nothing outside the file is followed, nothing is allocated on a
promise, and only h5py touches the file (reliability.md 0 and 4: NetCDF's own library hangs on damaged files).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from h5py import h5a, h5d, h5ds, h5f, h5fd, h5g, h5p, h5s, h5t, h5z
from numpy.typing import NDArray

from nnlang.codes import model as codes
from nnlang.diagnostics import Place, stop
from nnlang.runtime.files import existing_file, unreadable

Array = NDArray[Any]
Value = str | np.generic  # what an attribute holds when written
Found = str | int | float  # and when read

SIGNATURE = b"\x89HDF\r\n\x1a\n"
PAGE = 4096
MOST_ATTRIBUTES = 1_000_000
LONGEST_ATTRIBUTE = 1 << 20
LARGEST_CHUNK = 1 << 28  # bytes that HDF5 unpacks at once
DEFLATE_RATIO = 1032  # what deflate can gain at most

_FILTERS = {h5z.FILTER_DEFLATE, h5z.FILTER_SHUFFLE, h5z.FILTER_FLETCHER32}
_ORDER = h5p.CRT_ORDER_TRACKED | h5p.CRT_ORDER_INDEXED  # NetCDF-4 asks for creation order everywhere
_NOT_A_VARIABLE = b"This is a netCDF dimension but not a netCDF variable.%10d"
_FAULTS = (
    OSError,
    RuntimeError,
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
    ArithmeticError,
    NotImplementedError,
    SystemError,
)


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


def to_text(data: bytes) -> str:
    """What `to_bytes` encoded; bytes that are no UTF-8 (of other programs) as surrogates."""
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return data.decode("utf-8", "surrogateescape")


def digest(array: Array) -> str:
    """The SHA-256, in hexadecimal, of an array's bytes as the file holds them (lowest byte first)."""
    return hashlib.sha256(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).data.cast("B")).hexdigest()


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
        text = to_bytes(value)
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


class Container:
    """An open file: its attributes, and its arrays by name. Made by `reading`."""

    def __init__(self, path: str, file: h5py.File) -> None:
        self.path = path
        self._file = file
        self._length = Path(path).stat().st_size
        self._digests: Mapping[str, str] | None = None

    def place(self, part: str = "") -> Place:
        """The file, or a part of it, for a diagnostic."""
        return Place(self.path, part=part)

    def has(self, name: str) -> bool:
        """Whether a variable or a group of this name (`group/variable`) stands in the file."""
        with self._guarded(name):
            return name in self._file

    def attributes(self, group: str = "/") -> dict[str, Found]:
        """Every attribute of a group that is one number or one text."""
        with self._guarded(f"attributes of {group}"):
            target = self._object(group) if group != "/" else self._file
            count = h5a.get_num_attrs(target.id)
            if count > MOST_ATTRIBUTES:
                raise stop(codes.MODEL_UNSAFE, self.place(), path=self.path, reason=f"it has {count} attributes")
            names: list[bytes] = []
            h5a.iterate(target.id, names.append)  # opening by number would search anew for every one
            values = ((name, _value(h5a.open(target.id, name))) for name in names)
            return {to_text(name): v for name, v in values if v is not None}

    def expect(self, digests: Mapping[str, str]) -> None:
        """From now on every array must have the SHA-256 that stands here under its name."""
        self._digests = digests

    def array(self, name: str, kinds: str, shape: Sequence[int] | None = None) -> Array:
        """The values of a variable, flat, in the machine's byte order.

        `kinds`: letters of numpy's type kinds that will do. `shape`: what the values are needed for.
        """
        with self._guarded(name):
            found = self._object(name)
            if not isinstance(found, h5py.Dataset):
                raise stop(codes.MODEL_DAMAGED, self.place(name), path=self.path, reason=f"`{name}` is not a variable")
            if found.dtype.kind not in kinds or found.dtype.fields or found.dtype.subdtype:
                reason = f"`{name}` has the type {found.dtype}"
                raise stop(codes.MODEL_DAMAGED, self.place(name), path=self.path, reason=reason)
            if shape is not None and found.size != math.prod(shape):
                facts = {"found": found.size, "expected": math.prod(shape), "why": " x ".join(str(n) for n in shape)}
                raise stop(codes.MODEL_SIZE, self.place(name), variable=name, **facts)
            self._check_storage(name, found)
            values = np.empty(found.shape, found.dtype.newbyteorder("="))
            if found.size:
                found.read_direct(values)
        if self._digests is not None and digest(values) != self._digests.get(name):
            reason = f"`{name}` is not what was written (its SHA-256 differs)"
            raise stop(codes.MODEL_DAMAGED, self.place(name), path=self.path, reason=reason)
        return values.reshape(-1)

    def _object(self, name: str) -> Any:
        """What a path names, each step of which must be a plain link inside the file."""
        target: Any = self._file
        for step in name.split("/"):
            link = target.get(step, getlink=True)
            if link is None:
                raise stop(codes.MODEL_INCOMPLETE, self.place(), path=self.path, what=f"variable {name}")
            if not isinstance(link, h5py.HardLink):
                raise stop(codes.MODEL_UNSAFE, self.place(name), path=self.path, reason=f"`{name}` is a link elsewhere")
            target = target[step]
        return target

    def _check_storage(self, name: str, found: h5py.Dataset) -> None:
        """Refuse what lies outside this file, needs foreign code, or claims more than the file can hold."""
        properties = found.id.get_create_plist()
        outside = properties.get_layout() == h5d.VIRTUAL or properties.get_external_count() > 0
        filters = [properties.get_filter(i)[0] for i in range(properties.get_nfilters())]
        if outside or not _FILTERS.issuperset(filters):
            reason = f"`{name}` is stored outside the file" if outside else f"`{name}` needs a foreign filter"
            raise stop(codes.MODEL_UNSAFE, self.place(name), path=self.path, reason=reason)
        if found.chunks and math.prod(found.chunks) * found.dtype.itemsize > LARGEST_CHUNK:
            raise stop(codes.MODEL_UNSAFE, self.place(name), path=self.path, reason=f"`{name}` has very large chunks")
        needed = math.prod(found.shape) * found.dtype.itemsize
        stored = min(int(found.id.get_storage_size()), self._length)
        if needed > stored * (DEFLATE_RATIO if h5z.FILTER_DEFLATE in filters else 1):
            reason = f"`{name}` claims {needed} bytes, the file holds {stored} of it"
            raise stop(codes.MODEL_DAMAGED, self.place(name), path=self.path, reason=reason)

    @contextmanager
    def _guarded(self, part: str) -> Iterator[None]:
        """Turn the many ways in which h5py speaks of a damaged file into one."""
        try:
            yield
        except MemoryError as error:
            raise stop(codes.MODEL_TOO_LARGE, self.place(part), path=self.path, what=part) from error
        except _FAULTS as error:
            reason = f"{part} cannot be read"
            raise stop(codes.MODEL_DAMAGED, self.place(part), path=self.path, reason=reason) from error


@contextmanager
def reading(path: Path) -> Iterator[Container]:
    """An existing NetCDF-4 file, open for reading; `Stop` for anything that is not one."""
    existing_file(path)
    shown = str(path)
    _check_signature(path)
    try:
        file = h5py.File(path, "r", locking=False)
    except PermissionError as error:
        raise unreadable(path, error) from error
    except _FAULTS as error:
        short = "truncated" in str(error)
        reason = "it is shorter than it says, the end is missing" if short else "its structure cannot be read"
        raise stop(codes.MODEL_DAMAGED, Place(shown), path=shown, reason=reason) from error
    try:
        yield Container(shown, file)
    finally:
        file.close()


def _check_signature(path: Path) -> None:
    try:
        with path.open("rb") as stream:
            head = stream.read(512)
    except OSError as error:
        raise unreadable(path, error) from error
    if head.startswith(SIGNATURE):
        return
    if head.startswith((b"CDF\x01", b"CDF\x02", b"CDF\x05")):
        reason = "it is a NetCDF file of the classic kind (`nccopy -k nc4` makes a NetCDF-4 file of it)"
    elif SIGNATURE.startswith(head[: len(SIGNATURE)]):
        reason = "it ends before it has begun"
    else:
        reason = "it looks like text" if head.isascii() and b"\0" not in head else "it is no NetCDF-4 file"
    raise stop(codes.NOT_A_MODEL, Place(str(path)), path=path, reason=reason)


def _value(attribute: Any) -> Found | None:
    """One number or one text; None for anything else (lists, references, structures)."""
    kind = attribute.get_type()
    if kind.get_class() not in (h5t.STRING, h5t.INTEGER, h5t.FLOAT) or kind.get_size() > LONGEST_ATTRIBUTE:
        return None
    if attribute.get_space().get_simple_extent_type() == h5s.NULL:
        return "" if kind.get_class() == h5t.STRING else None
    if attribute.shape not in ((), (1,)):
        return None
    values = np.empty(attribute.shape, attribute.dtype)
    attribute.read(values)
    return _plain(values.reshape(-1)[0])


def _plain(value: Any) -> Found:
    """A Python value; a float32 as the shortest decimal that means it, which is what its author wrote."""
    if isinstance(value, np.float32):
        return float(str(value))
    if isinstance(value, np.integer | np.floating):
        plain: Found = value.item()
        return plain
    return to_text(value) if isinstance(value, bytes) else str(value)
