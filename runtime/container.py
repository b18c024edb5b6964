"""NetCDF-4 files read with suspicion: damage and malice both end in `Stop`.

Nothing outside the file is followed, nothing is allocated on a promise, and only h5py touches the file: NetCDF's own
library hangs on damaged files (reliability.md 0 and 4).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from h5py import h5a, h5d, h5s, h5t, h5z

from nnlang.codes import model as codes
from nnlang.diagnostics import Place, stop
from nnlang.runtime.files import existing_file, unreadable
from nnlang.runtime.layout import Array, digest, to_file, to_text

Found = str | int | float  # what an attribute holds
Spans = tuple[tuple[int, int], ...]  # of an array, by axis: the first and the one behind the last that is wanted

SIGNATURE = b"\x89HDF\r\n\x1a\n"
MOST_ATTRIBUTES = 1_000_000
LONGEST_ATTRIBUTE = 1 << 20
LARGEST_CHUNK = 1 << 28  # bytes that HDF5 unpacks at once
BLOCK = 8 << 20  # bytes of an array that are read at a time where it is read in blocks
DEFLATE_RATIO = 1032  # what deflate can gain at most

_FILTERS = {h5z.FILTER_DEFLATE, h5z.FILTER_SHUFFLE, h5z.FILTER_FLETCHER32}
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
            found = self._variable(name, kinds, shape)
            values = np.empty(found.shape, found.dtype.newbyteorder("="))
            if found.size:
                found.read_direct(values)
        self._check_digest(name, digest(values))
        return values.reshape(-1)

    def rows(self, name: str, kinds: str, shape: Sequence[int]) -> Iterator[tuple[int, Array]]:
        """The same as blocks of whole rows [n, ...] of an array of that shape, with the number of the first of each.

        No more than a block is held. That the values are what was written is known when the last block has come.
        """
        with self._guarded(name):
            found, seen = self._variable(name, kinds, shape), hashlib.sha256()
        if found.ndim != 1:
            yield 0, self.array(name, kinds, shape).reshape(tuple(shape))
            return
        width = math.prod(shape[1:])
        step = max(1, BLOCK // max(1, width * found.dtype.itemsize))
        for first in range(0, shape[0], step):
            count = min(step, shape[0] - first)
            with self._guarded(name):
                values = np.empty(count * width, found.dtype.newbyteorder("="))
                found.read_direct(values, np.s_[first * width : (first + count) * width])
            seen.update(to_file(values))
            yield first, values.reshape(count, *shape[1:])
        self._check_digest(name, seen.hexdigest())

    def _variable(self, name: str, kinds: str, shape: Sequence[int] | None) -> h5py.Dataset:
        """A variable of such numbers that is safe to read."""
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
        return found

    def _check_digest(self, name: str, found: str) -> None:
        if self._digests is not None and found != self._digests.get(name):
            reason = f"`{name}` is not what was written (its SHA-256 differs)"
            raise stop(codes.MODEL_DAMAGED, self.place(name), path=self.path, reason=reason)

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


def kept(blocks: Iterator[tuple[int, Array]], spans: Spans, kind: np.dtype[Any]) -> Array:
    """The part of an array that comes in blocks of rows."""
    found = np.empty([last - first for first, last in spans], kind)
    (top, bottom), inner = spans[0], tuple(slice(*span) for span in spans[1:])
    for first, values in blocks:
        a, b = max(first, top), min(first + len(values), bottom)
        if a < b:
            found[a - top : b - top] = values[(slice(a - first, b - first), *inner)]
    return found


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
