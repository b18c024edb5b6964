"""A prepared training, run: with its metrics file, and with signals that end it well. Prints nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from nnlang.runtime.devices import CPU, Device
from nnlang.runtime.interrupts import interruptible
from nnlang.runtime.metricsfile import path_of, recorder
from nnlang.runtime.session import Session
from nnlang.runtime.together import PLAIN
from nnlang.runtime.train import SECONDS_BETWEEN_CHECKPOINTS, Event, Observer, TrainResult, train
from nnlang.runtime.validation import Validation
from nnlang.runtime.ways import Way


def execute(
    session: Session,
    output: Path,
    device: Device = CPU,
    *,
    resume: bool = False,
    observers: Sequence[Observer] = (),
    validation: Validation | None = None,
    pause: int | None = None,
    checkpoint_seconds: float = SECONDS_BETWEEN_CHECKPOINTS,
    metrics: Path | None = None,
    told: Callable[[], None] = lambda: None,
    way: Way = PLAIN,
) -> TrainResult:
    """Trains, and writes the model and its metrics file (`metrics`, by default `<output>.metrics.jsonl`).

    SIGINT, SIGTERM and SIGHUP end it after the batch with a checkpoint; `told` is called when the first one comes, the
    second one ends at once. To be called in a main thread. Everything else is as nnlang.runtime.train.train has it. Of
    several ranks the first one alone listens to signals and writes; the others end with it.
    """
    with ExitStack() as open_ones:
        interrupted = None
        if session.mesh.is_first:
            interrupted = open_ones.enter_context(interruptible(told))
            observers = (open_ones.enter_context(recorder(metrics or path_of(output), resume=resume)), *observers)
        return train(
            session.network,
            dict(session.datasets),
            session.settings,
            output=output,
            definition=session.text,
            labels=dict(session.labels),
            resume=resume,
            observer=_all_of(observers),
            interrupted=interrupted,
            device=device,
            validation=validation,
            pause=pause,
            checkpoint_seconds=checkpoint_seconds,
            mesh=session.mesh,
            way=way,
        )


def _all_of(observers: Sequence[Observer]) -> Observer:
    def observe(event: Event) -> None:
        for observer in observers:
            observer(event)

    return observe
