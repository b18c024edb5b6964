"""One segment of a trial, in a process of its own: data and definition in, epochs and values out.

What it leaves in the trial's folder: `model.nc` with its checkpoints and `model.nc.metrics.jsonl`, `log.txt` (what the
process wrote), `result.json` (its last reply, so that a coordinator that was killed need not train again) and, of a
finished trial, `validation.json` (the metric of every user of the validation part).
"""

from __future__ import annotations

import errno
import json
import math
from collections.abc import Callable, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnlang.diagnostics import DISK, DIVERGED, MEMORY, Stop, render
from nnlang.measures import Metric, metric
from nnlang.search import segment as wire
from nnlang.search.segment import Reply, Segment
from nnlang.search.study import State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nnlang.runtime.dataset import DataSet
    from nnlang.runtime.session import Session
    from nnlang.runtime.train import TrainResult
    from nnlang.runtime.validation import Validation

MODEL, DEFINITION, RESULT, LOG, LOCK, VALUES = (
    "model.nc",
    "definition.json",
    "result.json",
    "log.txt",
    "trial.lock",
    "validation.json",
)
RECORD = "trial.json"
ERROR_LENGTH = 2000
_OUTCOMES = {DIVERGED: State.DIVERGED.value, MEMORY: State.MEMORY.value, DISK: wire.NO_ROOM}


def folder_of(sweep: Path, number: int) -> Path:
    """The folder of a trial."""
    return sweep / "trials" / f"{number:04d}"


def run(asked: Segment, read: Callable[[tuple[str, ...]], Mapping[str, DataSet]]) -> Reply:
    """Train a segment and answer how it ended; whatever goes wrong is part of the answer.

    read: gives the data sets of files, from memory where they were read before.
    """
    try:
        with _alone(Path(asked.folder)):
            made = _kept(asked)
            if made is None:
                made = _trained(asked, read)
                _keep(asked, made)
            if made.outcome == "finished":
                with suppress(MemoryError, RuntimeError):  # it is only larger then
                    _lighten(Path(asked.folder) / MODEL)
            return made
    except Stop as error:
        outcome = _OUTCOMES.get(error.exit_code, State.FAILED.value)
        return _failure(asked, outcome, str(error) if outcome == wire.NO_ROOM else render(error.diagnostics))
    except MemoryError:
        return _failure(asked, State.MEMORY.value, "there is not enough memory")
    except RuntimeError as error:
        if not any(words in str(error) for words in ("allocate memory", "out of memory")):
            raise
        return _failure(asked, State.MEMORY.value, str(error))
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            raise
        return _failure(asked, wire.NO_ROOM, str(error))


def _failure(asked: Segment, outcome: str, words: str) -> Reply:
    return Reply(asked.number, outcome, error=words[:ERROR_LENGTH])


def _lighten(path: Path) -> None:
    """Lets go of the optimiser's state in a finished model: two thirds of an Adam model, and nobody trains it on."""
    from nnlang.runtime.model import load, save

    model = load(path)
    if model.state:
        model.state = {}
        save(model, path)


def _trained(asked: Segment, read: Callable[[tuple[str, ...]], Mapping[str, DataSet]]) -> Reply:
    from nnlang.runtime import checkpoint
    from nnlang.runtime.devices import find
    from nnlang.runtime.training import execute

    folder = Path(asked.folder)
    output = folder / MODEL
    session = _session(asked, read)
    device = find(asked.device or None)
    validation = _validation(asked, session, read, device)
    result = execute(
        session,
        output,
        device,
        resume=output.exists() or checkpoint.begun(output),
        validation=validation,
        pause=asked.pause,
        checkpoint_seconds=asked.checkpoint_seconds,
    )
    if not (result.interrupted or result.paused):
        _keep_values(asked, validation, result)
    return _told(asked, result)


def _keep_values(asked: Segment, validation: Validation, result: TrainResult) -> None:
    """Writes the metric of every user of the validation part, for intervals and paired comparisons."""
    from nnlang.runtime.files import atomic_text

    if validation.per_user is not None and str(validation.metric) in (found := validation.per_user(result.model)):
        values = [float(v) if math.isfinite(v) else None for v in found[str(validation.metric)]]
        content = json.dumps({"metric": str(validation.metric), "values": values})
        atomic_text(Path(asked.folder) / VALUES, [content + "\n"])


def _session(asked: Segment, read: Callable[[tuple[str, ...]], Mapping[str, DataSet]]) -> Session:
    from nnlang.runtime.session import prepare

    given: dict[str, Any] = {"checkpoint_interval": 0}
    if asked.seed is not None:
        given["seed"] = asked.seed
    features: dict[str, Path | None] = {role: Path(path) for role, path in asked.features}
    files = [Path(path) for path in asked.files]
    return prepare(Path(asked.folder) / DEFINITION, files, given, features, read=lambda paths: read(asked.files))


def _validation(asked: Segment, session: Session, read: Any, device: Any) -> Validation:
    from nnlang.runtime.validation import blank, ranking_validation, set_validation

    model, judged = blank(session), _metric(asked)
    options = {"device": device, "patience": asked.patience}
    if asked.known:
        return ranking_validation(model, Path(asked.known), Path(asked.held), judged, **options)
    return set_validation(model, read(asked.validation), judged, **options)


def _metric(asked: Segment) -> Metric:
    found = metric(asked.metric)
    assert isinstance(found, Metric), found
    return found


def _told(asked: Segment, result: TrainResult) -> Reply:
    outcome = "interrupted" if result.interrupted else "paused" if result.paused else "finished"
    parameters = sum(w.size for w in (*result.model.weights.values(), *result.model.biases.values()))
    return Reply(
        asked.number,
        outcome,
        epochs=result.epochs,
        values=tuple(result.validation),
        seconds=result.seconds,
        facts={"parameters": int(parameters), "stopped_early": result.stopped_early},
    )


def _kept(asked: Segment) -> Reply | None:
    """What this segment came to before, where nobody heard of it."""
    with suppress(OSError, ValueError, TypeError, KeyError):
        told = json.loads((Path(asked.folder) / RESULT).read_bytes())
        if told["pause"] == asked.pause:
            return wire.reply(json.dumps(told["reply"]))
    return None


def _keep(asked: Segment, made: Reply) -> None:
    from nnlang.runtime.files import atomic_text

    if made.outcome in ("finished", "paused"):
        content = {"pause": asked.pause, "reply": json.loads(wire.text(made))}
        atomic_text(Path(asked.folder) / RESULT, [json.dumps(content) + "\n"])


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """While it lasts, no other process trains this trial: one that is about to die may still be there for a moment."""
    import fcntl

    with (folder / LOCK).open("a") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
