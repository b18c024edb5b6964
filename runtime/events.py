"""What a training tells on its way and gives at its end, and how it is to be watched."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nnlang.diagnostics import Diagnostic
from nnlang.runtime.model import Model

if TYPE_CHECKING:
    from nnlang.runtime.validation import Validation

SECONDS_BETWEEN_CHECKPOINTS = 600.0  # a crash loses ten minutes at most, however long an epoch is


@dataclass(frozen=True)
class Event:
    """Something that an observer of a training may show."""

    kind: str  # "epoch", "batch", "checkpoint", "brake", "notice" or "validation"
    epoch: int  # from 1
    batch: int = 0  # finished ones of this epoch
    batches: int = 0
    error: float = 0.0  # mean over examples of the sum over units; with regularisation for an epoch
    training_error: float = 0.0
    regularization_error: float = 0.0
    seconds: float = 0.0
    samples_per_second: float = 0.0
    path: str = ""
    notice: Diagnostic | None = None
    measures: Mapping[str, float] = field(default_factory=dict)  # of a validation, by metric
    best: bool = False  # whether they are better than those of all epochs before


@dataclass(frozen=True)
class TrainResult:
    """What a training gave: the model, epochs done, the last one's error, seconds, why it ended before its end.

    validation: (epoch, value) of all that was measured, in all segments; `best` and `best_epoch` are the best of them
    (nan and 0 without any), and where the run has come to its end `model` is that of the best epoch. checkpoint: the
    file to go on from where the run was interrupted or paused. Of several ranks the first one has the model's numbers.
    """

    model: Model
    epochs: int
    error: float
    seconds: float
    interrupted: bool = False
    paused: bool = False
    stopped_early: bool = False
    best_epoch: int = 0
    best: float = math.nan
    validation: tuple[tuple[int, float], ...] = ()
    checkpoint: str = ""


@dataclass(frozen=True)
class Course:
    """How a run is judged on the way, after which epoch it pauses, and how often it writes a checkpoint."""

    validation: Validation | None = None
    pause: int | None = None
    checkpoint_seconds: float = SECONDS_BETWEEN_CHECKPOINTS


Observer = Callable[[Event], None]
