"""Training: epochs of batches through the step entry, with checkpoints, resume and brake (dsstne.md 5.3)."""

from __future__ import annotations

import math
import time
from collections import deque
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
from nnlang.runtime import checkpoint
from nnlang.runtime.dataset import DataSet
from nnlang.runtime.devices import CPU, Device
from nnlang.runtime.executor import At
from nnlang.runtime.files import check_room
from nnlang.runtime.model import Model
from nnlang.runtime.philox import philox
from nnlang.runtime.program import Program, feed_for
from nnlang.runtime.resume import Position, compare, position
from nnlang.runtime.steps import Outcome, Wait, steps_of
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
    device: Device = CPU,
) -> TrainResult:
    """Trains a network and writes its model, whole, at the end; checkpoints on the way.

    The data sets are those that the network's layers bind, by name. `interrupted` is asked after every group of batches
    (on the CPU after each); a yes writes a checkpoint and ends. Raises Stop: data that do not fit (3), no memory (4),
    the device fails (5), divergence (6), disk (7).
    """
    if not resume:
        checkpoint.check_place(output)
    run = Run(network, datasets, settings, output, observer or _ignore, device)
    run.model = Model(network, {}, {}, labels=dict(labels or {}), definition=definition, training=settings)
    run.model.versions = versions(device)
    check_room(output, sum(t.numel() * t.element_size() for t in run.program.states.values()))  # now, not at the end
    if not (resume and run.resume()):
        if resume:
            run.observer(Event("notice", 0, notice=Diagnostic(codes.NOTHING_TO_RESUME, None, {"path": output})))
        checkpoint.discard(output)  # of an older run under this name: a later --resume must not take them up
        run.program.initialise(settings.seed)
    with run.program.watched():
        return run.go(interrupted or _never)


def _ignore(event: Event) -> None:
    pass


def _never() -> bool:
    return False


class Run:
    """One training run."""

    def __init__(
        self,
        network: Network,
        datasets: Mapping[str, DataSet],
        settings: Training,
        output: Path,
        observer: Observer,
        device: Device,
    ) -> None:
        self.network, self.settings, self.output, self.observer = network, settings, output, observer
        batch = min(settings.batch, max(d.facts.examples for d in datasets.values())) if datasets else settings.batch
        self.program = Program(network, ["step"], batch, settings, device=device)
        self.shuffle = network.shuffle if settings.shuffle is None else settings.shuffle
        self.feed = feed_for(self.program, "step", datasets, shuffled=self.shuffle)
        self.model: Model
        self.at = Position()
        self.data = {d.name: d.sha256 for d in self.feed.datasets}
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
        now = versions(self.program.device)
        for notice in compare(saved, newest.path, self.network, self.settings, self.data, now):
            self.observer(Event("notice", self.at.epoch + 1, notice=notice))
        self.at = position(saved, newest.path, self.batches, self.feed.examples)
        self.program.load(saved)
        return True

    def go(self, interrupted: Callable[[], bool]) -> TrainResult:
        """Runs until the epochs are done or somebody interrupts."""
        began = time.monotonic()
        self.steps = steps_of(self.program, self.at.brake)
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
        began, first, launched = time.monotonic(), self.at.rows, self.at.steps
        order = shuffled(self.settings.seed, self.at.epoch, self.feed.examples) if self.shuffle else None
        running: deque[Wait] = deque()
        for part in self.program.parts(self.feed, order, self.at.batch, self.steps.most):
            running.append(self.steps.launch(part, At(self.settings.seed, self.at.epoch, launched)))
            launched += part.count
            self._take(running, self.steps.ahead)
            stopped = interrupted()
            due = time.monotonic() - self._saved > SECONDS_BETWEEN_CHECKPOINTS
            if stopped or due:
                self._take(running, 0)
            if stopped:
                return False
            if due:
                self.keep()
        self._take(running, 0)
        self._close_epoch(time.monotonic() - began, self.at.rows - first)
        return True

    def _take(self, running: deque[Wait], ahead: int) -> None:
        """Takes what launched groups gave, oldest first, until at most `ahead` are under way."""
        while len(running) > ahead:
            for outcome in running.popleft()():
                self._count(outcome)

    def _count(self, outcome: Outcome) -> None:
        """Takes what one step gave, and tells of it."""
        at, (rows, total, brake) = self.at, outcome
        if not math.isfinite(total):
            raise self._diverged(total, at.epoch + 1, at.batch + 1)
        at.error, at.rows, at.batch, at.steps = at.error + total, at.rows + rows, at.batch + 1, at.steps + 1
        at.brake, error = brake, total / rows
        if brake.has_acted:
            facts: dict[str, object] = {"error": f"{error:.6g}", "average": f"{brake.average:.6g}"}
            facts |= {"epoch": at.epoch + 1, "batch": at.batch}
            notice = Diagnostic(codes.BRAKE, None, facts)
            self.observer(Event("brake", at.epoch + 1, at.batch, error=error, notice=notice))
        self.observer(Event("batch", at.epoch + 1, at.batch, self.batches, error, error))

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
                for factor, order in ((0.5 * self.settings.lambda_, 2), (self.settings.lambda1, 1)):
                    if factor:  # by rows, whose order of summing hangs on no number of threads
                        norms = torch.linalg.vector_norm(w, order, 1, dtype=torch.float64)
                        total += factor * float(norms.pow(order).sum())
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
