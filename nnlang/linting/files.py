"""Which files a command means: names, folders, globs and `-`, each file once, in one order."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from nnlang.codes import usage as codes
from nnlang.diagnostics import Stop, stop

SUFFIXES = (".json", ".lndl")  # of definitions in folders
STDIN = "-"
_MAGIC = re.compile(r"[*?[]")
_OTHER_NAMES = "name files of other kinds one by one, or by a glob in quotes such as 'nets/*.txt'"
_GLOBS = "`*` stands for a part of one name, `**` for any folders; hidden files are matched only where the glob says so"
_ABOVE = re.compile(r"^(\.\./)+")


class _Found(NamedTuple):
    """One file, and how surely its name is the one that people know it by: 0 named, 1 found, 2 found as a link."""

    path: str
    real: str
    rank: int


class PassedOver(NamedTuple):
    """What is passed over in folders: globs, the folder that they are seen from, and files by their real paths."""

    globs: Sequence[str] = ()
    folder: str = "."
    files: Collection[str] = ()


def definitions(
    paths: Iterable[str | os.PathLike[str]], exclude: PassedOver | None = None, command: str = "lint"
) -> Iterator[Path]:
    """The files that some paths mean, sorted, each once whatever its names; `-` is left for the reader as it is.

    A folder means every *.json and *.lndl below it, a glob what it matches (`**`: any folders). Hidden files and
    folders, what `exclude` says, and folders behind links are passed over, unless they are named.
    What does not exist, or cannot be looked into, is given back by its name: reading it says why. Raises `Stop`
    (NN704) for a folder or a glob in which there is nothing, with the words of `command`.
    """
    found: dict[str, _Found] = {}
    for path in [os.fspath(p) for p in paths]:
        for file in _meant(path, exclude or PassedOver(), command):
            known = found.get(file.real)
            if known is None or (file.rank, Path(file.path).parts) < (known.rank, Path(known.path).parts):
                found[file.real] = file
    return iter(sorted((Path(file.path) for file in found.values()), key=lambda path: path.parts))


def matches(path: str, glob: str) -> bool:
    """Whether a path, or a path's end, is what a glob describes; `old/` is everything below a folder of that name."""
    pattern = glob + "*" if glob.endswith("/") else glob
    return any(fnmatchcase(path, p) for p in (pattern, f"*/{pattern}", f"{pattern}/*", f"*/{pattern}/*"))


def seen_from(folder: str, path: str) -> str:
    """A path as globs are held against it: from a folder, with forward slashes, so that no folder above it counts.

    Of a file elsewhere it is what leads to it from the nearest folder above both.
    """
    try:
        shown = os.path.relpath(path, folder)
    except (OSError, ValueError):  # the current folder has been removed, another drive, or no name of a file
        shown = path
    plain = shown.replace(os.sep, "/")
    return _ABOVE.sub("", plain)


def _meant(path: str, exclude: PassedOver, command: str) -> Iterator[_Found]:
    """What one argument means."""
    if path == STDIN:
        yield _Found(path, path, 0)
    elif os.path.isdir(path):
        reason = f"no file *.json or *.lndl in `{path}`"
        yield from _some(_walk(path, exclude), reason, _OTHER_NAMES, exclude, command)
    elif _MAGIC.search(path) and not os.path.lexists(path):
        yield from _some(_matched(path, exclude), f"no file matches `{path}`", _GLOBS, exclude, command)
    else:
        yield _Found(path, real_path(path), 0)


def _some(found: Iterator[_Found], reason: str, help: str, exclude: PassedOver, command: str) -> Iterator[_Found]:
    """What is found, which must be something."""
    first = next(found, None)
    if first is None:
        raise _nothing(reason + (" that `exclude` does not pass over" if exclude.globs else ""), help, command)
    yield first
    yield from found


def _nothing(reason: str, help: str, command: str) -> Stop:
    return stop(codes.BAD_USAGE, reason=reason, command=command, help=help)


def _walk(top: str, exclude: PassedOver) -> Iterator[_Found]:
    """The definitions below a folder."""
    todo = [(top, real_path(top))]
    while todo:
        folder, real = todo.pop()
        try:
            entries = _entries(folder)
        except OSError:
            yield _Found(folder, real, 1)
            continue
        for entry in entries:
            is_folder, is_link = _is_folder(entry), entry.is_symlink()
            wanted = not is_link if is_folder else entry.name.lower().endswith(SUFFIXES)
            path = os.path.join(folder, entry.name)
            if not wanted or _hidden(entry.name) or _excluded(path, is_folder, exclude):
                continue
            inside = os.path.join(real, entry.name)
            if is_folder:
                todo.append((path, inside))
                continue
            target = real_path(path) if is_link else inside
            if target not in exclude.files:
                yield _Found(path, target, 2 if is_link else 1)


def _matched(glob: str, exclude: PassedOver) -> Iterator[_Found]:
    """What a glob matches: files of any suffix, and the definitions in folders."""
    drive, rest = os.path.splitdrive(glob)
    start = drive + ("/" if rest.startswith("/") else "")
    parts = tuple(part for part in rest.replace(os.sep, "/").split("/") if part not in ("", "."))
    todo, seen = [(start, parts)], set[tuple[str, int]]()
    while todo:
        path, left = todo.pop()
        if (path, len(left)) in seen:  # `**/**` leads everywhere in many ways
            continue
        seen.add((path, len(left)))
        if left:
            todo += _step(path, left)
        elif _excluded(path, os.path.isdir(path), exclude):
            continue
        elif os.path.isdir(path):
            yield from _walk(path, exclude)
        elif (real := real_path(path)) not in exclude.files:
            yield _Found(path, real, 2 if os.path.islink(path) else 1)


def _step(path: str, left: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Where the first part of a glob leads from a folder, with the parts that are left then."""
    head, rest = left[0], left[1:]
    if not _MAGIC.search(head):
        below = os.path.join(path, head)
        if os.path.lexists(below):
            yield below, rest
        return
    if head == "**" and rest:
        yield path, rest
    try:
        entries = _entries(path or ".")
    except OSError:
        yield from [(path, ())] if os.path.isdir(path) else []
        return
    for entry in entries:
        below, is_folder = os.path.join(path, entry.name), _is_folder(entry)
        if _hidden(entry.name) and not head.startswith("."):
            continue
        if head == "**" and is_folder and not entry.is_symlink():
            yield below, left
        elif (head == "**" and not rest and not is_folder) or (
            head != "**" and fnmatchcase(entry.name, head) and (not rest or is_folder)
        ):
            yield below, rest


def _entries(folder: str) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return list(entries)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder or leads to one; a link to itself does not."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _excluded(path: str, is_folder: bool, exclude: PassedOver) -> bool:
    if not exclude.globs:
        return False
    plain = seen_from(exclude.folder, path)
    return any(matches(plain, glob) or (is_folder and matches(plain + "/", glob)) for glob in exclude.globs)


def _hidden(name: str) -> bool:
    return name.startswith(".")


def real_path(path: str) -> str:
    """The path without links; as it is where that cannot be known."""
    try:
        return os.path.realpath(path)
    except (OSError, ValueError):
        return path
