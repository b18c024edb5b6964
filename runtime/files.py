"""Files read with care and written whole: every file of ours is complete under its name, or is not there at all.

A file is written beside its place, flushed to the disk, and only then takes its name (reliability.md 6). `seal` adds a
line with the SHA-256 of what stands before it; a sealed file is known to be as written before any parser looks at it.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from nnlang.codes import data as data_codes
from nnlang.codes import files as codes
from nnlang.diagnostics import Place, Stop, bytes_text, stop

Writer = Callable[[Path], None]

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS}
_SEAL = b"\nnnlang-sha256:%s\n"
_SEAL_SIZE = len(_SEAL % (b"0" * 64))
_SEAL_FORM = re.compile(rb"\nnnlang-sha256:([0-9a-f]{64})\n")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")  # one slash: Path makes one of two
_HDF5 = b"\x89HDF\r\n\x1a\n"


def existing_file(path: str | os.PathLike[str], *, may_be_empty: bool = False) -> Path:
    """The path of a plain, readable file that is not empty; raises `Stop` (NN710 to NN714) for anything else."""
    shown = os.fspath(path)
    place = Place(shown)
    if _ADDRESS.match(shown) or "\0" in shown:
        raise stop(codes.NOT_A_FILE, place, path=shown)
    found = Path(path)
    try:
        if found.is_dir():
            raise stop(codes.IS_A_FOLDER, place, path=shown)
        if not found.exists():
            raise stop(codes.NO_SUCH_FILE, place, path=shown)
        if not found.is_file():
            raise stop(codes.NOT_A_FILE, place, path=shown)
        with found.open("rb") as stream:
            empty = not stream.read(1)
    except OSError as error:
        raise unreadable(shown, error) from error
    if empty and not may_be_empty:
        raise stop(codes.EMPTY_FILE, place, path=shown)
    return found


def unreadable(path: str | os.PathLike[str], error: OSError) -> Stop:
    """The `Stop` for an operating system's refusal to read `path`."""
    return stop(codes.NOT_READABLE, Place(os.fspath(path)), path=path, reason=error.strerror or str(error))


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """The whole content of an existing file; raises `Stop` as `existing_file` does."""
    try:
        return existing_file(path).read_bytes()
    except OSError as error:
        raise unreadable(path, error) from error


def atomic_write(path: str | os.PathLike[str], write: Writer, *, needed: int | None = None) -> None:
    """Replace `path` by what `write(temporary path)` writes, in one step, after it has reached the disk.

    On any error, an interrupt included, the old file stays and the temporary one goes. `needed` is the size in bytes
    where it is known: too little free space is then reported before anything is written. No room left is `Stop` with
    exit code 7 that names path and numbers; other refusals of the operating system are `Stop` as well.
    """
    atomic_write_all([(path, write)], needed=needed)


def atomic_write_all(writes: Sequence[tuple[str | os.PathLike[str], Writer]], *, needed: int | None = None) -> None:
    """As `atomic_write` for files that belong together: all are on the disk before the first takes its name."""
    temporary: list[tuple[Path, Path]] = []
    try:
        for given, write in writes:
            path = Path(os.path.realpath(given) if os.path.islink(given) else given)  # the link itself stays
            check_target(path)
            check_room(path, needed)
            temporary.append((_write_beside(path, write, needed), path))
        for ready, path in temporary:
            _guarded(path, needed, lambda ready=ready, path=path: os.replace(ready, path))  # type: ignore[misc]
            _sync_folder(path.parent)
    finally:
        for ready, _ in temporary:
            with suppress(OSError):
                ready.unlink(missing_ok=True)


def atomic_text(path: str | os.PathLike[str], chunks: Iterable[str]) -> None:
    """Replace `path` by the text in UTF-8, with `atomic_write`'s promises; undecodable bytes of labels survive.

    A model or data set is never replaced: that is a slip of the hand (NN473).
    """
    if is_hdf5(path):
        raise stop(
            data_codes.OTHER_KIND, Place(os.fspath(path)), path=path, found="a data set or a model", new="a text"
        )
    atomic_write(path, lambda ready: write_text(ready, chunks))


def write_text(path: Path, chunks: Iterable[str]) -> None:
    """Write text in UTF-8 with plain line ends; for use as the writer of `atomic_write_all`."""
    with path.open("w", encoding="utf-8", errors="surrogateescape", newline="\n") as stream:
        stream.writelines(chunks)


def is_hdf5(path: str | os.PathLike[str]) -> bool:
    """Whether a plain file stands at `path` that begins as data sets and models do."""
    with suppress(OSError):
        if os.path.isfile(path):
            with open(path, "rb") as stream:
                return stream.read(len(_HDF5)) == _HDF5
    return False


def check_target(path: Path) -> None:
    """Raise `Stop` if a file cannot stand at `path`: it is a folder, its folder is missing or closed to us."""
    place = Place(str(path))
    try:
        if path.is_dir():
            raise stop(codes.IS_A_FOLDER, place, path=path)
        if path.exists() and not path.is_file():
            help = "give the name of a plain file; the shell's `>` writes to anything else"
            raise stop(codes.NOT_WRITABLE, place, path=path, reason="it is a device or a pipe, no file", help=help)
        if not path.parent.is_dir():
            raise stop(codes.NO_FOLDER, place, path=path, folder=path.parent)
    except OSError as error:
        raise stop(codes.NOT_WRITABLE, place, path=path, reason=error.strerror or str(error)) from error


def exists(path: Path) -> bool:
    """Whether something stands at `path`; raises `Stop` (NN712) where its folder does not let us look."""
    try:
        return path.exists()
    except OSError as error:
        raise unreadable(path, error) from error


def distinct(**paths: str | os.PathLike[str] | None) -> None:
    """Raise `Stop` if two of the named paths are one file; a purpose is named by its keyword (`_` read as a space)."""
    seen: dict[str, str] = {}
    for purpose, path in paths.items():
        if path is None:
            continue
        real = os.path.realpath(path)
        if real in seen:
            raise stop(
                codes.SAME_FILE, Place(os.fspath(path)), path=path, one=seen[real], other=purpose.replace("_", " ")
            )
        seen[real] = purpose.replace("_", " ")


def seal(path: Path) -> None:
    """Add the sealing line to a finished file. HDF5 readers ignore bytes after the end that the file itself states."""
    digest = file_digest(path)
    with path.open("ab") as stream:
        stream.write(_SEAL % digest.encode())


def is_sealed(path: Path) -> bool:
    """Whether the file ends in a sealing line and is, byte for byte, what was sealed."""
    return seal_holds(path) is True


def seal_holds(path: Path) -> bool | None:
    """Whether what stands before the sealing line is, byte for byte, what was sealed; None without such a line."""
    size = path.stat().st_size - _SEAL_SIZE
    if size <= 0:
        return None
    with path.open("rb") as stream:
        stream.seek(size)
        found = _SEAL_FORM.fullmatch(stream.read())
    return None if found is None else file_digest(path, size) == found[1].decode()


def file_digest(path: Path, size: int | None = None) -> str:
    """The SHA-256, in hexadecimal, of a file or of its first `size` bytes."""
    digest = hashlib.sha256()
    left = path.stat().st_size if size is None else size
    with path.open("rb") as stream:
        while left > 0 and (block := stream.read(min(left, 1 << 20))):
            digest.update(block)
            left -= len(block)
    return digest.hexdigest()


def _write_beside(path: Path, write: Writer, needed: int | None) -> Path:
    ready = path.with_name(f".{path.name[:200]}.{secrets.token_hex(6)}.tmp")
    try:
        _guarded(path, needed, lambda: _write_synced(ready, write))
    except BaseException:
        with suppress(OSError):
            ready.unlink(missing_ok=True)
        raise
    return ready


def _write_synced(ready: Path, write: Writer) -> None:
    os.close(os.open(ready, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    write(ready)
    descriptor = os.open(ready, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    if not hasattr(os, "O_DIRECTORY"):
        return  # Windows: a folder cannot be opened, os.replace is all there is
    with suppress(OSError):  # some network file systems refuse to sync a folder; the file itself is safe
        descriptor = os.open(folder, os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def check_room(path: Path, needed: int | None) -> None:
    """Raise `Stop` (NN717, exit 7) where a file of so many bytes would not fit beside what is on the disk."""
    if needed is not None and _free(path.parent) < needed * 1.1:
        raise _no_room(path, needed, "the disk is too full")


def _guarded(path: Path, needed: int | None, act: Callable[[], object]) -> None:
    try:
        act()
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise _no_room(path, needed, error.strerror) from error
        raise _failed(path, needed, error) from error
    except RuntimeError as error:  # the NetCDF library's own: it never says that the disk is full
        raise _failed(path, needed, error) from error


def _failed(path: Path, needed: int | None, error: Exception) -> Stop:
    reason = getattr(error, "strerror", None) or str(error)
    if getattr(error, "errno", None) in _REFUSED:
        return stop(codes.NOT_WRITABLE, Place(str(path)), path=path, reason=reason)
    if getattr(error, "errno", None) is None and _free(path.parent) < 1 << 20:
        return _no_room(path, needed, reason)
    return stop(codes.WRITE_FAILED, Place(str(path)), path=path, reason=reason)


def _no_room(path: Path, needed: int | None, reason: str | None) -> Stop:
    size = bytes_text(needed) if needed is not None else "an unknown number of bytes"
    free = bytes_text(_free(path.parent))
    return stop(codes.DISK_FULL, Place(str(path)), path=path, reason=reason or "no room", needed=size, free=free)


def _free(folder: Path) -> int:
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return 1 << 62
    return usage.free if usage.total else 1 << 62  # /proc and the like state no size at all
