"""Text files as blocks of whole lines: plain or gzip, one file or a folder of them, in bounded memory."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from nnlang.codes import data as codes
from nnlang.codes import files as file_codes
from nnlang.diagnostics import Place, stop
from nnlang.runtime.files import existing_file, is_hdf5, unreadable

BLOCK_BYTES = 4 << 20  # enough for numpy to be busy, small enough to stay in the last cache
LINE_LIMIT = 256 << 20
_BOM = b"\xef\xbb\xbf"
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class Block:
    """Whole lines of one file: `data` ends in a newline; `line` is the number (from 1) of its first line."""

    path: Path
    line: int
    data: bytes
    done: int  # bytes of all inputs read so far, as they lie on the disk


def inputs(path: str | os.PathLike[str]) -> list[Path]:
    """The files that `path` names: itself, or the files of a folder by name, without subfolders and dot files."""
    given = Path(path)
    try:
        if not given.is_dir():
            return [existing_file(given)]
        found = sorted(p for p in given.iterdir() if p.is_file() and not p.name.startswith("."))
    except OSError as error:
        raise unreadable(given, error) from error
    if not found:
        raise stop(codes.EMPTY_FOLDER, Place(str(given)), path=given)
    if {"split.json", "train"} <= {p.name for p in found}:
        help = f"give the ratings that it was made from, or one of its texts, such as {given / 'train'}"
        what = "a split, whose texts hold the same entries several times"
        raise stop(codes.NOT_TEXT, Place(str(given)), path=given, found=what, help=help)
    return [existing_file(p, may_be_empty=True) for p in found]


def total_bytes(paths: list[Path]) -> int:
    """The size of the files on the disk, for progress."""
    return sum(p.stat().st_size for p in paths)


def blocks(paths: list[Path], size: int = BLOCK_BYTES) -> Iterator[Block]:
    """The blocks of all files in order; a byte order mark is dropped, a missing last newline added."""
    before = 0
    for path in paths:
        try:
            if is_hdf5(path):
                raise stop(codes.NOT_TEXT, Place(str(path)), path=path, found="a data set or a model (NetCDF)")
            with path.open("rb") as raw:
                for line, data in _lines(path, _stream(raw), size):
                    yield Block(path, line, data, before + raw.tell())
        except (OSError, EOFError, zlib.error) as error:
            raise _damaged(path, error) from error
        before += path.stat().st_size


def _stream(raw: IO[bytes]) -> IO[bytes]:
    is_gzip = raw.read(2) == _GZIP
    raw.seek(0)
    return cast("IO[bytes]", gzip.GzipFile(fileobj=raw)) if is_gzip else raw


def _lines(path: Path, stream: IO[bytes], size: int) -> Iterator[tuple[int, bytes]]:
    line, rest = 1, b""
    while read := stream.read(size):
        data = rest + read
        if line == 1 and not rest:
            data = data.removeprefix(_BOM)
        cut = data.rfind(b"\n") + 1
        if not cut:
            rest = data
            if len(rest) > LINE_LIMIT:
                raise stop(codes.LINE_TOO_LONG, Place(str(path), line=line), limit=LINE_LIMIT >> 20)
            continue
        whole, rest = data[:cut], data[cut:]
        yield line, whole
        line += whole.count(b"\n")
    if rest:
        yield line, rest + b"\n"


def _damaged(path: Path, error: Exception) -> Exception:
    if isinstance(error, OSError) and error.errno is not None:
        return unreadable(path, error)
    return stop(
        file_codes.NOT_READABLE,
        Place(str(path)),
        path=path,
        reason=f"the compressed data is damaged ({error})",
        help="copy or download the file again; `gzip -t` tells whether it is whole",
    )
