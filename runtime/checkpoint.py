"""The files that a training run leaves beside its model, for `gl.nc`:

    gl.nc.checkpoint.<epoch>.<batch>.nc    to go on from: the newest two stay, none once the run has finished
    gl.nc.best.nc                          the best epoch so far of a run that is judged on the way; gone at its end
    gl.nc<epoch>.nc                        DSSTNE's (dsstne.md 9.6), one every K epochs; they stay
    gl.nc                                  the finished model, with the optimiser's state, so that it can be trained on

A run that was judged on the way ends with its best epoch in gl.nc. Where that is not its last one, the last one stays
as its checkpoint, and training on goes on from there: the numbers do not hang on where a run was said to end.

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
from typing import TYPE_CHECKING, Any, NamedTuple

from nnlang.codes import data as data_codes
from nnlang.codes import model as codes
from nnlang.codes import ranks as ranks_codes
from nnlang.diagnostics import Diagnostic, Place, Stop, stop
from nnlang.runtime.files import is_hdf5
from nnlang.runtime.hdf import is_data
from nnlang.runtime.model import Model, load, save
from nnlang.runtime.modelarrays import Wanted

if TYPE_CHECKING:
    from nnlang.runtime.mesh import Mesh

KEPT = 2
_NUMBERS = re.compile(r"\.checkpoint\.([0-9]{1,12})\.([0-9]{1,12})\.nc")
# Of a writer that was killed, see atomic_write: of the model, a checkpoint, a copy that stays, the metrics file.
_REMAINS = re.compile(
    r"(?:\.checkpoint\.[0-9]{1,12}\.[0-9]{1,12}\.nc|\.best\.nc|[0-9]{1,12}\.nc|\.metrics\.jsonl)?"
    r"\.[0-9a-f]{12}\.tmp"
)


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


def checkpoint_path(path: str | os.PathLike[str], at: Position) -> Path:
    """Where the checkpoint of a place in a run stands: `gl.nc.checkpoint.2.117.nc`."""
    target = Path(path)
    return target.with_name(f"{target.name}.checkpoint.{at.epoch}.{at.batch}.nc")


def best_path(path: str | os.PathLike[str]) -> Path:
    """Where the best epoch so far stands: `gl.nc.best.nc`."""
    target = Path(path)
    return target.with_name(f"{target.name}.best.nc")


def keep(model: Model, path: str | os.PathLike[str]) -> Path:
    """Write the checkpoint of a run for the model `path`, then drop all but the newest two; answers its path.

    Checkpoints that claim to be ahead of this one belong to a run that was given up, and go too.
    """
    target, here = Path(path), position(model)
    written = checkpoint_path(target, here)
    save(model, written)
    older = [p for at, p in found(target) if at < here]
    _remove(p for _, p in found(target) if p != written and p not in older[: KEPT - 1])
    return written


def keep_interval(model: Model, path: str | os.PathLike[str]) -> Path:
    """Write the copy that stays, under DSSTNE's name for the model's epoch; answers its path."""
    written = interval_path(path, position(model).epoch)
    save(model, written)
    return written


def keep_best(model: Model, path: str | os.PathLike[str]) -> Path:
    """Write the best epoch so far, in place of the one before; answers its path."""
    written = best_path(path)
    save(model, written)
    return written


def best_of(path: str | os.PathLike[str], last: Model, epoch: int) -> Model | None:
    """The model of the best epoch that the run of `last` has gone through; None where no file holds it.

    It stands as the best so far, or as the finished model where the run has ended before and was gone on with.
    """
    judged: list[list[Any]] = last.progress.get("validation", [])
    passed = [pair for pair in judged if pair[0] <= epoch]
    for file in (best_path(path), Path(path)):
        with suppress(Stop):
            model = load(file)
            if position(model) == (epoch, 0) and all(
                model.progress.get(key) == wanted
                for key, wanted in (("validation", passed), ("data", last.progress.get("data")))
            ):
                return model
    return None


def finish(model: Model, path: str | os.PathLike[str], last: Model | None = None) -> None:
    """Write the finished model, then drop the checkpoints that led to it; interval copies stay.

    last: the state to train on from where the finished model is an earlier one; it stays as a checkpoint.
    """
    kept = None if last is None else keep(last, path)
    save(model, path)
    _discard(Path(path), kept)


def found(path: str | os.PathLike[str]) -> list[tuple[Position, Path]]:
    """The checkpoints beside a model, newest first, unread."""
    matched = ((_NUMBERS.fullmatch(rest), file) for rest, file in _beside(Path(path), ""))
    return sorted(((Position(int(m[1]), int(m[2])), file) for m, file in matched if m), reverse=True)


def newest(path: str | os.PathLike[str], wanted: Wanted | None = None) -> Newest | None:
    """The furthest of a run's checkpoints and its finished model that is whole; None where there is no file at all.

    wanted: of arrays that are needed in part only, as `model.load` has it. A model that stands there from another run,
    which the one with the checkpoints is to replace, does not count. Each file that cannot be used is a warning
    (NN728). `Stop` with the reasons where there are files and none is whole.
    """
    target = Path(path)
    rank = [(at, 0, file) for at, file in found(target)]
    failures: list[Stop] = []
    read: dict[Path, Model] = {}  # files whose names do not say how far they are
    for number, file in ((1, target), (2, best_path(target))):
        if file.exists():
            with _noting(failures):
                read[file] = load(file, wanted)
                rank.append((position(read[file]), number, file))
    for _, _, file in sorted(rank, reverse=True):
        with _noting(failures):
            model = read[file] if file in read else load(file, wanted)
            if file == target and _foreign(model, target):
                continue
            return Newest(model, file, tuple(_skipped(failure) for failure in failures))
    if failures:
        raise Stop(*(d for failure in failures for d in failure.diagnostics))
    return None


def newest_of_all(path: str | os.PathLike[str], wanted: Wanted, mesh: Mesh) -> Newest | None:
    """What `newest` gives to the first of some ranks, for all of them: each reads its part of the same file.

    Raises `Stop` (NN830) on a rank that cannot read what the first one has found.
    """
    if mesh.size == 1:
        return newest(path)
    mine = newest(path, wanted) if mesh.is_first else None
    told: str | None = mesh.share(None if mine is None else os.path.abspath(mine.path))
    if mine is not None or told is None:
        return mine
    try:
        return Newest(load(told, wanted), Path(told))
    except Stop as failure:
        reason = failure.diagnostics[0].message
        raise stop(ranks_codes.OUT_OF_REACH, rank=mesh.rank, path=told, reason=reason) from failure


def _foreign(finished: Model, target: Path) -> bool:
    """Whether the checkpoints beside a finished model come from another run; checkpoints of older runs never stay."""
    for file in (*(file for _, file in found(target)), best_path(target)):
        with suppress(Stop):
            return _identity(load(file)) != _identity(finished)
    return False


def _identity(model: Model) -> object:
    """What tells runs apart: two of the same identity go through the same numbers, however long they are."""
    training = model.training
    settings = None if training is None else replace(training, epochs=0, checkpoint_interval=0)
    return model.definition, settings, model.progress.get("data")


def begun(path: str | os.PathLike[str]) -> bool:
    """Whether an unfinished training for the model `path` has left something to go on from."""
    return bool(found(path)) or best_path(path).exists()


def discard(path: str | os.PathLike[str]) -> None:
    """Remove the checkpoints beside a model, and what killed writers left; interval copies and the model stay."""
    _discard(Path(path), None)


def _discard(target: Path, kept: Path | None) -> None:
    _remove(file for _, file in found(target) if file != kept)
    _remove([best_path(target)])
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
