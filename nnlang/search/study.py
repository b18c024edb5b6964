"""What is known of a sweep: its trials, as the event log tells them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from nnlang.diagnostics import Code, Diagnostic, Place, Stop
from nnlang.measures import Metric

Params = Mapping[str, Any]  # axis name -> JSON value, active axes only


class State(Enum):
    """What has become of a trial."""

    WAITING = "waiting"
    RUNNING = "running"
    PAUSED = "paused"  # at a rung, until it is decided whether it goes on
    FINISHED = "finished"
    PRUNED = "pruned"
    FAILED = "failed"  # ended with an error
    DIVERGED = "diverged"
    MEMORY = "out of memory"
    TIME = "out of time"


DONE = frozenset((State.FINISHED, State.PRUNED, State.FAILED, State.DIVERGED, State.MEMORY, State.TIME))


@dataclass(frozen=True)
class Trial:
    """One trial. Number 0 is the base definition; `values` are (epoch, metric on the validation part), ascending.

    `value` is the best of them and `best_epoch` its epoch; seconds are of training, over all segments.
    """

    number: int
    state: State
    params: Params = field(default_factory=dict)
    seed: int = 0
    values: tuple[tuple[int, float], ...] = ()
    value: float | None = None
    best_epoch: int = 0
    epochs: int = 0
    seconds: float = 0.0
    error: str = ""


@dataclass(frozen=True)
class Study:
    """A sweep as far as it has come; `total` trials are wanted beside the base, `axes` stand in the file's order."""

    folder: Path
    name: str
    metric: Metric
    method: str
    total: int
    axes: tuple[str, ...]
    trials: tuple[Trial, ...]

    @property
    def base(self) -> Trial | None:
        """The trial of the base definition."""
        return next((t for t in self.trials if t.number == 0), None)

    def ranked(self) -> list[Trial]:
        """The trials that were neither pruned nor failed, best first, ties by number; the base among them."""
        found = [t for t in self.trials if t.state is State.FINISHED and t.value is not None]
        sign = -1.0 if self.metric.measure.more_is_better else 1.0
        return sorted(found, key=lambda t: (sign * (t.value or 0.0), t.number))

    @property
    def best(self) -> Trial | None:
        """The best finished trial."""
        return next(iter(self.ranked()), None)


def refusal(code: Code, path: Path, **facts: object) -> Stop:
    """The exception for what a sweep's folder refuses; its words may name `path`, and `folder` as a shell reads it."""
    told: dict[str, object] = {"path": path, "folder": shlex.quote(str(path)), **facts}
    return Stop(Diagnostic(code, Place(str(path)), told))


def load(folder: Path) -> Study:
    """The study in a sweep's folder, as far as its event log tells; raises `Stop`: no sweep there, a damaged log."""
    from nnlang.search.events import NAME, read
    from nnlang.search.history import replay

    path = folder / NAME
    return replay(read(path).items, path).study(folder)
