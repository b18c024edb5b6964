"""The combinations of a sweep as numbered definitions in a folder, with a manifest that says what each of them is.

The manifest is written beside the definitions and takes its name last, in one step: a folder that has it is whole. The
definitions stream: neither they nor the combinations are ever held together.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from nnlang.codes import files as file_codes
from nnlang.codes import sweeps as codes
from nnlang.diagnostics import Place, stop
from nnlang.runtime import files
from nnlang.sweeps.layout import definition_text
from nnlang.sweeps.space import Params
from nnlang.sweeps.sweepfile import Setting, Sweep, setting
from nnlang.version import __version__

MANIFEST = "manifest.jsonl"
LIMIT = 1_000_000
ADAPTIVE = ("TPE", "CMAES", "GP")  # each combination depends on results
_NUMBERED = re.compile(r"[0-9]{6,}\.json")
_BUFFER = 1 << 20

Progress = Callable[[int, int], None]


def combinations(sweep: Sweep) -> Iterator[Params]:
    """The combinations that a sweep tries, in their order, as `sweep run` numbers them from 1; a stream.

    Raises `Stop` for a method that chooses by results (NN235), and where no draw fulfils the constraints (NN245).
    """
    if sweep.method in ADAPTIVE:
        place = Place(sweep.source.name)
        raise stop(codes.ADAPTIVE, place, method=sweep.method, file=sweep.source.name)
    if sweep.method == "Grid":
        return islice(sweep.space.combinations(), sweep.trials)
    return _drawn(sweep, sweep.trials or 0)


def _drawn(sweep: Sweep, count: int) -> Iterator[Params]:
    from nnlang.search.sampling import sampler

    draw = sampler(sweep.method, sweep.space, sweep.seed, sweep.metric)
    for number in range(1, count + 1):
        params = draw.ask(number)
        assert params is not None
        yield dict(params)


def counted(sweep: Sweep, limit: int = LIMIT) -> int:
    """How many combinations there are; raises `Stop` beyond the limit (NN248) and where there are none (NN245)."""
    place = Place(sweep.source.name)
    if sweep.method != "Grid" and sweep.method not in ADAPTIVE:
        count = sweep.trials or 0
    else:
        count = sum(1 for _ in islice(combinations(sweep), limit + 1))
    if count > limit:
        raise stop(codes.TOO_MANY_COMBINATIONS, place, limit=f"{limit:,}")
    if count == 0:
        raise stop(codes.NOTHING_LEFT, place, reason="no combination of the grid fulfils the constraints")
    return count


def records(sweep: Sweep, count: int) -> Iterator[tuple[dict[str, Any], Setting]]:
    """Every combination as a line of the manifest, with what it is."""
    for number, params in enumerate(combinations(sweep), 1):
        made = setting(sweep, params)
        line: dict[str, Any] = {"number": number, "file": file_name(number, count), "params": params}
        if made.data:
            line["data"] = made.data
        if made.split:
            line["split"] = made.split
        yield line, made


def file_name(number: int, count: int) -> str:
    """What the definition of a number is called, among so many."""
    return f"{number:0{max(6, len(str(count)))}d}.json"


def head(sweep: Sweep, count: int) -> dict[str, Any]:
    """The first line of the manifest: what the definitions follow from."""
    return {
        "sweep": sweep.name,
        "nnlang": __version__,
        "digest": sweep.digest(),
        "space": sweep.space.digest(),
        "method": sweep.method,
        "seed": sweep.seed,
        "count": count,
    }


def generate(
    sweep: Sweep, folder: Path, *, limit: int = LIMIT, overwrite: bool = False, progress: Progress | None = None
) -> int:
    """Write a sweep's definitions and their manifest into a folder; how many there are. Equal sweeps, equal bytes.

    Raises `Stop` where the folder holds anything and `overwrite` is not set, beyond the limit, for a method that
    chooses by results, and where the disk refuses (exit 7). After an interruption there is no manifest.
    """
    count = counted(sweep, limit)
    cleared(folder, overwrite)
    files.atomic_write(folder / MANIFEST, lambda ready: _write(sweep, folder, ready, count, progress))
    return count


def cleared(folder: Path, overwrite: bool) -> None:
    """Makes a folder, or takes numbered definitions and manifest out of one; raises `Stop` where it may not."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        there = os.listdir(folder)
        if there and not overwrite:
            raise _taken(folder, there)
        (folder / MANIFEST).unlink(missing_ok=True)  # first: what is left is not whole
        for name in filter(_NUMBERED.fullmatch, there):
            (folder / name).unlink()
    except OSError as error:
        reason = error.strerror or str(error)
        raise stop(file_codes.NOT_WRITABLE, Place(str(folder)), path=folder, reason=reason) from error


def _taken(folder: Path, there: Sequence[str]) -> Exception:
    whole = MANIFEST in there
    reason = "holds a sweep's definitions" if whole else "is not empty"
    if not whole and any(map(_NUMBERED.fullmatch, there)):
        reason = "holds definitions without a manifest: generating them was interrupted"
    return stop(codes.FOLDER_TAKEN, Place(str(folder)), path=folder, reason=reason)


def _write(sweep: Sweep, folder: Path, manifest: Path, count: int, progress: Progress | None) -> None:
    """The definitions, and the manifest under its temporary name; all of them are on the disk when it returns."""
    with manifest.open("wb", buffering=_BUFFER) as lines:
        _line(lines, head(sweep, count))
        for line, made in records(sweep, count):
            _new(os.path.join(folder, line["file"]), definition_text(made.definition).encode())
            _line(lines, line)
            if progress is not None:
                progress(line["number"], count)
    if hasattr(os, "sync"):
        os.sync()  # once, not for each of them; the manifest is synced and takes its name after this


def _new(path: str, text: bytes) -> None:
    """A new file of a few bytes: of all that makes files, three calls of the system take the least time."""
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0), 0o666)
    try:
        while text:
            text = text[os.write(descriptor, text) :]
    finally:
        os.close(descriptor)


def _line(stream: BinaryIO, record: dict[str, Any]) -> None:
    stream.write(json.dumps(record).encode() + b"\n")
