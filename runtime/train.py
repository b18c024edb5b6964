"""Training: epochs of batches through the step entry, with checkpoints, resume and brake (dsstne.md 5.3)."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nnlang.codes import training as codes
from nnlang.diagnostics import Diagnostic, stop
from nnlang.lower import StateInfo
from nnlang.network import Network, Training
from nnlang.runtime import checkpoint, scalars
from nnlang.runtime.dataset import DataSet
from nnlang.runtime.feed import Batch, Feed
from nnlang.runtime.files import check_room
from nnlang.runtime.model import Model
from nnlang.runtime.philox import philox
from nnlang.runtime.program import Program, feed_for
from nnlang.runtime.resume import Position, compare, position
from nnlang.runtime.versions import versions

SHUFFLE = 4  # the purpose in the fourth counter word of the generator
SECONDS_BETWEEN_CHECKPOINTS = 600.0  # a crash loses ten minutes at most, however long an epoch is


@dataclass(frozen=True)
class Event:
    """Something that an observer of a training may show."""

    kind: str  # "epoch", "batch", "checkpoint", "brake" or "notice"
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


@dataclass(frozen=True)
class TrainResult:
    """What a training gave: the model, epochs done, the last one's error, seconds, whether it was interrupted."""

    model: Model
    epochs: int
    error: float
    seconds: float
    interrupted: bool = False


Observer = Callable[[Event], None]


def train(
    network: Network,
    datasets: Mapping[str, DataSet],
    settings: Training,
    *,
    output: Path,
    definition: str = "",
    labels: Mapping[str, tuple[str, ...]] | None = None,
    resume: bool = False,
    observer: Observer | None = None,
    interrupted: Callable[[], bool] | None = None,
) -> TrainResult:
    """Trains a network and writes its model, whole, at the end; checkpoints on the way.

    The data sets are those that the network's layers bind, by name. `interrupted` is asked after every batch; a yes
    writes a checkpoint and ends. Raises Stop: data that do not fit (3), no memory (4), divergence (6), disk (7).
    """
    if not resume:
        checkpoint.check_place(output)
    run = Run(network, datasets, settings, output, observer or _ignore)
    run.model = Model(network, {}, {}, labels=dict(labels or {}), definition=definition, training=settings)
    run.model.versions = versions()
    check_room(output, sum(t.numel() * t.element_size() for t in run.program.states.values()))  # now, not at the end
    if not (resume and run.resume()):
        if resume:
            run.observer(Event("notice", 0, notice=Diagnostic(codes.NOTHING_TO_RESUME, None, {"path": output})))
        checkpoint.discard(output)  # of an older run under this name: a later --resume must not take them up
        run.program.initialise(settings.seed)
    return run.go(interrupted or _never)


def _ignore(event: Event) -> None:
    pass


def _never() -> bool:
    return False


class Run:
    """One training run."""

    def __init__(
        self, network: Network, datasets: Mapping[str, DataSet], settings: Training, output: Path, observer: Observer
    ) -> None:
        self.network, self.settings, self.output, self.observer = network, settings, output, observer
        batch = min(settings.batch, max(d.facts.examples for d in datasets.values())) if datasets else settings.batch
        self.program = Program(network, ["step"], batch, settings)
        self.feed: Feed = feed_for(self.program, "step", datasets)
        self.model: Model
        self.at = Position()
        self.data = {d.name: d.sha256 for d in self.feed.datasets}
        self.shuffle = network.shuffle if settings.shuffle is None else settings.shuffle
        self.batches = -(-self.feed.examples // settings.batch)
        self._saved = time.monotonic()
        self._kept = ""

    def resume(self) -> bool:
        """Takes up the newest checkpoint of this run's model; False where there is none."""
        newest = checkpoint.newest(self.output)
        if newest is None:
            return False
        for notice in newest.notices:
            self.observer(Event("notice", 0, notice=notice))
        saved = newest.model
        for notice in compare(saved, newest.path, self.network, self.settings, self.data):
            self.observer(Event("notice", self.at.epoch + 1, notice=notice))
        self.at = position(saved, newest.path, self.batches, self.feed.examples)
        self.program.load(saved)
        return True

    def go(self, interrupted: Callable[[], bool]) -> TrainResult:
        """Runs until the epochs are done or somebody interrupts."""
        began = time.monotonic()
        while self.at.epoch < self.settings.epochs:
            if not self._epoch(interrupted):
                self.keep()
                return TrainResult(self.model, self.at.epoch, self.at.last_error, time.monotonic() - began, True)
            interval = self.settings.checkpoint_interval
            if interval and self.at.epoch % interval == 0 and self.at.epoch < self.settings.epochs:
                checkpoint.keep_interval(self.snapshot(), self.output)
                self.keep()
        checkpoint.finish(self.snapshot(), self.output)
        return TrainResult(self.model, self.at.epoch, self.at.last_error, time.monotonic() - began)

    def _epoch(self, interrupted: Callable[[], bool]) -> bool:
        """Runs the rest of an epoch; False if it was interrupted."""
        size, began, first = self.settings.batch, time.monotonic(), self.at.rows
        order = shuffled(self.settings.seed, self.at.epoch, self.feed.examples) if self.shuffle else None
        while self.at.batch < self.batches:
            start = self.at.batch * size
            end = min(start + size, self.feed.examples)
            batch = self.feed.consecutive(start, end) if order is None else self.feed.batch(order[start:end])
            error = self._step(batch)
            self.observer(Event("batch", self.at.epoch + 1, self.at.batch, self.batches, error, error))
            if interrupted():
                return False
            if time.monotonic() - self._saved > SECONDS_BETWEEN_CHECKPOINTS:
                self.keep()
        self._close_epoch(time.monotonic() - began, self.at.rows - first)
        return True

    def _step(self, batch: Batch) -> float:
        """One step; its error per example."""
        at, settings = self.at, self.settings
        rate = self.rate() * at.brake.factor()
        step = scalars.of_step(settings, rate, batch.rows, at.steps)
        with torch.inference_mode():
            (rows,) = self.program.run("step", batch, step, seed=settings.seed, epoch=at.epoch, steps=at.steps)
        total = float(rows.double().sum())
        if not math.isfinite(total):
            raise self._diverged(total, self.at.epoch + 1, self.at.batch + 1)
        at.error, at.rows, at.batch, at.steps = at.error + total, at.rows + batch.rows, at.batch + 1, at.steps + 1
        error = total / batch.rows
        if at.brake.take(error):
            facts: dict[str, object] = {"error": f"{error:.6g}", "average": f"{at.brake.average:.6g}"}
            facts |= {"epoch": at.epoch + 1, "batch": at.batch}
            notice = Diagnostic(codes.BRAKE, None, facts)
            self.observer(Event("brake", at.epoch + 1, at.batch, error=error, notice=notice))
        return error

    def rate(self) -> float:
        """The step size now: alpha, its interval's multiplications, decay by steps."""
        settings = self.settings
        alpha = settings.alpha
        if settings.alpha_interval:
            alpha *= settings.alpha_multiplier ** (self.at.epoch // settings.alpha_interval)
        return alpha / (1 + self.network.decay * self.at.steps) if self.network.decay > 0 else alpha

    def _diverged(self, error: float, epoch: int, batch: int) -> Exception:
        bad = self._not_finite()
        where = f"; the first values that are not finite stand in {self._told(bad)}" if bad else ""
        facts: dict[str, Any] = {"error": error, "epoch": epoch, "batch": batch, "where": where}
        kept = self._kept or "none was written yet"
        return stop(codes.DIVERGENCE, None, **facts, alpha=self.settings.alpha, checkpoint=kept)

    def _not_finite(self) -> StateInfo | None:
        return next((info for info, t in self.program.states.items() if not bool(torch.isfinite(t).all())), None)

    def _told(self, info: StateInfo) -> str:
        weights, layers = self.network.weights, self.network.layers
        layer = layers[info.index if info.owner == "bn" else weights[info.index].target]
        return f"the {info.owner} of layer {layer.name}"

    def _close_epoch(self, seconds: float, rows: int) -> None:
        at = self.at
        training, penalty = at.error / max(1, at.rows), self.regularization_error()
        if not math.isfinite(training + penalty):
            raise self._diverged(training + penalty, at.epoch + 1, at.batch)
        at.epoch, at.batch, at.error, at.rows = at.epoch + 1, 0, 0.0, 0
        at.last_error = training + penalty
        speed = rows / seconds if seconds > 0 else 0.0
        done = (at.epoch, self.batches, self.batches)
        self.observer(Event("epoch", *done, at.last_error, training, penalty, seconds, speed))

    def regularization_error(self) -> float:
        """Sum over unshared matrices of lambda / 2 w^2 + lambda1 |w|, as the weights are now (dsstne.md 3.5)."""
        total = 0.0
        for info, w in self.program.states.items():
            if info.owner == "weight" and not info.part:
                if self.settings.lambda_:
                    total += 0.5 * self.settings.lambda_ * float(w.square().sum(1).double().sum())
                if self.settings.lambda1:
                    total += self.settings.lambda1 * float(w.abs().sum(1).double().sum())
        return total

    def snapshot(self) -> Model:
        """The model as it is now, with everything that going on needs; Stop where the last update was not finite."""
        if self._not_finite():
            raise self._diverged(self.at.last_error, self.at.epoch + (self.at.batch > 0), self.at.batch)
        self.program.store(self.model)
        self.model.training = self.settings
        self.model.progress = {**self.at.progress(), "data": self.data}
        return self.model

    def keep(self) -> None:
        """Writes a checkpoint to go on from."""
        path = checkpoint.keep(self.snapshot(), self.output)
        self._saved, self._kept = time.monotonic(), str(path)
        self.observer(Event("checkpoint", self.at.epoch + 1, self.at.batch, path=str(path)))


def shuffled(seed: int, epoch: int, examples: int) -> NDArray[np.int64]:
    """The order of an epoch's examples: a function of (seed, epoch)."""
    counters = np.arange(examples, dtype=np.uint64)
    keys = philox(seed, counters, np.uint64(0) * counters, epoch, SHUFFLE)[0]
    return np.argsort(keys, kind="stable")
