"""The files that a training run leaves beside its model, for `gl.nc`:

    gl.nc.checkpoint.<epoch>.<batch>.nc    to go on from: the newest two stay, none once the run has finished
    gl.nc<epoch>.nc                        DSSTNE's (dsstne.md 9.6), one every K epochs; they stay
    gl.nc                                  the finished model, with the optimiser's state, so that it can be trained on

All are whole model files. Epoch and batch are `progress["epoch"]`, the whole epochs done, and `progress["batch"]`, the
batches done in the next one. The number in the name ranks checkpoints; the time of a file says nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from nnlang.codes import data as data_codes
from nnlang.codes import model as codes
from nnlang.diagnostics import Diagnostic, Place, Stop, stop
from nnlang.runtime.files import is_hdf5
from nnlang.runtime.hdf import is_data
from nnlang.runtime.model import Model, load, save

KEPT = 2
_NUMBERS = re.compile(r"\.checkpoint\.([0-9]{1,12})\.([0-9]{1,12})\.nc")
# Of a writer that was killed, see atomic_write: of the model, a checkpoint or a copy that stays.
_REMAINS = re.compile(r"(?:\.checkpoint\.[0-9]{1,12}\.[0-9]{1,12}\.nc|[0-9]{1,12}\.nc)?\.[0-9a-f]{12}\.tmp")


class Position(NamedTuple):
    """How far a run has come."""

    epoch: int
    batch: int


@dataclass(frozen=True)
class Newest:
    """The model to go on from, its file, and a warning for every newer file that could not be used."""

    model: Model
    path: Path
    notices: tuple[Diagnostic, ...] = ()


def check_place(path: str | os.PathLike[str]) -> None:
    """Raise `Stop` (NN473) where a model would take the place of something that is none."""
    target = Path(path)
    found = "a data set" if is_data(target) else "no model"
    if target.is_file() and target.stat().st_size and (found == "a data set" or not is_hdf5(target)):
        raise stop(data_codes.OTHER_KIND, Place(str(target)), path=target, found=found, new="a model")


def position(model: Model) -> Position:
    """How far the run of a model had come; (0, 0) where the model does not say."""
    epoch, batch = (model.progress.get(key, 0) for key in ("epoch", "batch"))
    return Position(epoch if isinstance(epoch, int) else 0, batch if isinstance(batch, int) else 0)


def interval_path(path: str | os.PathLike[str], epoch: int) -> Path:
    """DSSTNE's name of the copy that stays after an epoch: `gl.nc10.nc`."""
    target = Path(path)
    return target.with_name(f"{target.name}{epoch}.nc")


def keep(model: Model, path: str | os.PathLike[str]) -> Path:
    """Write the checkpoint of a run for the model `path`, then drop all but the newest two; answers its path.

    Checkpoints that claim to be ahead of this one belong to a run that was given up, and go too.
    """
    target, here = Path(path), position(model)
    written = target.with_name(f"{target.name}.checkpoint.{here.epoch}.{here.batch}.nc")
    save(model, written)
    older = [p for at, p in found(target) if at < here]
    _remove(p for _, p in found(target) if p != written and p not in older[: KEPT - 1])
    return written


def keep_interval(model: Model, path: str | os.PathLike[str]) -> Path:
    """Write the copy that stays, under DSSTNE's name for the model's epoch; answers its path."""
    written = interval_path(path, position(model).epoch)
    save(model, written)
    return written


def finish(model: Model, path: str | os.PathLike[str]) -> None:
    """Write the finished model, then drop the checkpoints that led to it; interval copies stay."""
    save(model, path)
    discard(path)


def found(path: str | os.PathLike[str]) -> list[tuple[Position, Path]]:
    """The checkpoints beside a model, newest first, unread."""
    matched = ((_NUMBERS.fullmatch(rest), file) for rest, file in _beside(Path(path), ""))
    return sorted(((Position(int(m[1]), int(m[2])), file) for m, file in matched if m), reverse=True)


def newest(path: str | os.PathLike[str]) -> Newest | None:
    """The furthest of a run's checkpoints and its finished model that is whole; None where there is no file at all.

    A model that stands there from another run, which the one with the checkpoints is to replace, does not count.
    Each file that cannot be used is a warning (NN728). `Stop` with the reasons where there are files and none is whole.
    """
    target = Path(path)
    rank = [(at, 0, file) for at, file in found(target)]
    failures: list[Stop] = []
    finished = None
    if target.exists():
        with _noting(failures):
            finished = load(target)
            rank.append((position(finished), 1, target))
    for _, _, file in sorted(rank, reverse=True):
        with _noting(failures):
            model = finished if finished is not None and file == target else load(file)
            if model is finished and _foreign(finished, target):
                continue
            return Newest(model, file, tuple(_skipped(failure) for failure in failures))
    if failures:
        raise Stop(*(d for failure in failures for d in failure.diagnostics))
    return None


def _foreign(finished: Model, target: Path) -> bool:
    """Whether the checkpoints beside a finished model come from another run; checkpoints of older runs never stay."""
    for _, file in found(target):
        with suppress(Stop):
            return _identity(load(file)) != _identity(finished)
    return False


def _identity(model: Model) -> object:
    """What tells runs apart: two of the same identity go through the same numbers, however long they are."""
    training = model.training
    settings = None if training is None else replace(training, epochs=0, checkpoint_interval=0)
    return model.definition, settings, model.progress.get("data")


def discard(path: str | os.PathLike[str]) -> None:
    """Remove the checkpoints beside a model, and what killed writers left; interval copies and the model stay."""
    target = Path(path)
    _remove(file for _, file in found(target))
    _remove(file for rest, file in _beside(target, ".") if _REMAINS.fullmatch(rest))


@contextmanager
def _noting(failures: list[Stop]) -> Iterator[None]:
    try:
        yield
    except Stop as failure:
        failures.append(failure)


def _beside(target: Path, before: str) -> list[tuple[str, Path]]:
    """What follows `before` and the model's name in the names of its folder, with the files."""
    start = before + target.name
    with suppress(OSError):
        return [(p.name[len(start) :], p) for p in target.parent.iterdir() if p.name.startswith(start)]
    return []


def _remove(files: Iterable[Path]) -> None:
    for file in files:
        with suppress(OSError):
            file.unlink(missing_ok=True)


def _skipped(failure: Stop) -> Diagnostic:
    first = failure.diagnostics[0]
    where = first.place.file if first.place else ""
    return Diagnostic(codes.CHECKPOINT_SKIPPED, Place(where), {"path": where, "reason": first.message})
