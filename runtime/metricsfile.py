"""The curve of a training, `<model>.metrics.jsonl`: one JSON object for each epoch, and one for each validation.

{"event": "epoch", "epoch": 3, "error": ..., "training_error": ..., ...}
{"event": "validation", "epoch": 3, "ndcg@100": ...}    every other key is a metric; null: no number
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from nnlang.codes import files as codes
from nnlang.diagnostics import Place, stop
from nnlang.runtime.files import atomic_text
from nnlang.runtime.train import Event

Line = dict[str, Any]
_ORDER = ("epoch", "validation")  # of the lines of one epoch


def path_of(model: str | os.PathLike[str]) -> Path:
    """Where the curve of the training of a model stands."""
    return Path(f"{os.fspath(model)}.metrics.jsonl")


def record(event: Event) -> Line | None:
    """What a line says of an event of a training; None for events that have no line."""
    make = _RECORDS.get(event.kind)
    return None if make is None else make(event)


def _epoch(event: Event) -> Line:
    return {
        "event": "epoch",
        "epoch": event.epoch,
        "error": event.error,
        "training_error": event.training_error,
        "regularization_error": event.regularization_error,
        "seconds": event.seconds,
        "samples_per_second": event.samples_per_second,
    }


def _validation(event: Event) -> Line:
    plain = {name: value if math.isfinite(value) else None for name, value in event.measures.items()}
    return {"event": "validation", "epoch": event.epoch, **plain}


_RECORDS: Mapping[str, Callable[[Event], Line]] = {"epoch": _epoch, "validation": _validation}


@contextmanager
def recorder(path: Path, *, resume: bool = False) -> Iterator[Callable[[Event], None]]:
    """An observer that writes the lines of a training, each to the disk's cache as soon as it is known.

    The file is begun with the first line. On a resumed run that keeps the lines of what is not done again. Raises
    `Stop` (7) where the operating system refuses.
    """
    stream: IO[str] | None = None

    def observe(event: Event) -> None:
        nonlocal stream
        line = record(event)
        if line is None:
            return
        with _writing(path):
            if stream is None:
                stream = _begun(path, line, resume)
            stream.write(json.dumps(line) + "\n")
            stream.flush()

    try:
        yield observe
    finally:
        if stream is not None:
            with suppress(OSError):  # a full disk was told when the line was flushed
                stream.close()


def _begun(path: Path, first: Line, resume: bool) -> IO[str]:
    """The file, open behind the lines that come before the first new one; a kill leaves the old file or this one."""
    if not resume:
        return path.open("w", encoding="utf-8")
    atomic_text(path, (json.dumps(line) + "\n" for line in read(path) if _place(line) < _place(first)))
    return path.open("a", encoding="utf-8")


def _place(line: Line) -> tuple[int, int]:
    return line["epoch"], _ORDER.index(line["event"])


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """A refusal of the operating system to write is the user's business: a full disk, a folder of that name."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise stop(codes.WRITE_FAILED, Place(str(path)), path=path, reason=reason) from error


def read(path: str | os.PathLike[str]) -> Sequence[Line]:
    """The whole lines of a metrics file, in its order, [] where there is none; what a crash cut off is left out."""
    if not os.path.isfile(path):
        return []
    found = []
    for text in Path(path).read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if isinstance(line, dict) and isinstance(line.get("epoch"), int) and line.get("event") in _ORDER:
            found.append(line)
    return found
