"""Training: epochs of batches through the step entry, with checkpoints, resume and brake (dsstne.md 5.3)."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from nnlang.codes import training as codes
from nnlang.diagnostics import Diagnostic, stop
from nnlang.lower import StateInfo
from nnlang.network import Network, Training
from nnlang.runtime import checkpoint, totals
from nnlang.runtime.dataset import DataSet
from nnlang.runtime.devices import CPU, Device
from nnlang.runtime.events import SECONDS_BETWEEN_CHECKPOINTS, Course, Event, Observer, TrainResult
from nnlang.runtime.executor import At
from nnlang.runtime.files import check_room
from nnlang.runtime.mesh import ALONE_MESH, Mesh
from nnlang.runtime.model import Model
from nnlang.runtime.philox import philox
from nnlang.runtime.preparation import recorded
from nnlang.runtime.program import feed_for
from nnlang.runtime.resume import Position, compare, position
from nnlang.runtime.steering import Order, Steering
from nnlang.runtime.steps import Outcome, Wait
from nnlang.runtime.together import PLAIN
from nnlang.runtime.versions import DECISIVE, versions
from nnlang.runtime.ways import Way

if TYPE_CHECKING:
    from nnlang.runtime.validation import Validation

__all__ = ["SECONDS_BETWEEN_CHECKPOINTS", "Course", "Event", "Observer", "TrainResult", "shuffled", "train"]

SHUFFLE = 4  # the purpose in the fourth counter word of the generator


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
    validation: Validation | None = None,
    pause: int | None = None,
    checkpoint_seconds: float = SECONDS_BETWEEN_CHECKPOINTS,
    mesh: Mesh = ALONE_MESH,
    way: Way = PLAIN,
) -> TrainResult:
    """Trains a network and writes its model, whole, at the end; checkpoints on the way.

    The data sets are those that the network's layers bind, by name. `interrupted` is asked after every group of batches
    (on the CPU after each); a yes writes a checkpoint and ends. With a validation the model written is that of the best
    epoch, and the run may end early. After epoch `pause` a checkpoint is written and the run is left there, unless it
    has come to its end; the same call with `resume` goes on as if nothing had been. Raises Stop: data that do not fit
    (3), no memory (4), the device fails (5), divergence (6), disk (7).

    mesh: the ranks that train together, laid for a placement; each of them makes this call, with the same network,
    settings and data (or its part of them). The first one alone observes, judges, writes, and is interrupted; the other
    ones' observer, validation and interrupted do not count. Resuming, all ranks read the first one's checkpoint.
    """
    if mesh.is_first and not resume:
        checkpoint.check_place(output)
    if mesh.placement.exact and device.kind == "cpu":
        torch.set_num_threads(1)  # as the program does: before it is noted how many there are
    now = versions(device, mesh.placement)
    mesh.agree({name: now[name] for name in DECISIVE if name in now})  # what all ranks compute would else drift apart
    if mesh.size > 1:
        from nnlang.runtime.validation import shared

        validation = shared(validation, mesh)
        observer, interrupted = (observer, interrupted) if mesh.is_first else (None, None)
    course = Course(validation, pause, checkpoint_seconds)
    run = Run(network, datasets, settings, output, observer or _ignore, device, course, mesh, way)
    run.model = Model(network, {}, {}, labels=dict(labels or {}), definition=definition, training=settings)
    run.model.versions, run.model.preparation = now, recorded(datasets)
    run.model.progress = run.progress()
    if mesh.is_first:
        check_room(output, run.bytes_to_write())  # now, not at the end
    if not (resume and run.resume()):
        if resume:
            run.observer(Event("notice", 0, notice=Diagnostic(codes.NOTHING_TO_RESUME, None, {"path": output})))
        if mesh.is_first:
            checkpoint.discard(output)  # of an older run under this name: a later --resume must not take them up
        run.program.initialise(settings.seed)
    with run.program.watched():
        return run.go(interrupted or _never)


def _ignore(event: Event) -> None:
    pass


def _never() -> bool:
    return False


class Run:
    """One training run; of several ranks all go through the same calls."""

    def __init__(
        self,
        network: Network,
        datasets: Mapping[str, DataSet],
        settings: Training,
        output: Path,
        observer: Observer,
        device: Device,
        course: Course,
        mesh: Mesh = ALONE_MESH,
        way: Way = PLAIN,
    ) -> None:
        self.network, self.settings, self.output, self.observer = network, settings, output, observer
        self.course, self.validation, self.mesh, self.way = course, course.validation, mesh, way
        batch = min(settings.batch, max(d.facts.examples for d in datasets.values())) if datasets else settings.batch
        self.program = way.program(network, settings, batch, device, mesh.placement, mesh)
        self.shuffle = network.shuffle if settings.shuffle is None else settings.shuffle
        self.feed = feed_for(self.program, way.entry, datasets, shuffled=self.shuffle)
        self.model: Model
        self.at = Position(judged=course.validation.judged if course.validation else "")
        self.data = {d.name: d.sha256 for d in self.feed.datasets}
        self.batches = way.batches(self.feed.examples, settings.batch)
        self._saved = time.monotonic()
        self._kept = ""
        self._kept_at = (-1, 0)

    def bytes_to_write(self) -> int:
        """What all states take in a file."""
        return sum(t.element_size() * math.prod(a.total for a in i.axes) for i, t in self.program.states.items())

    def resume(self) -> bool:
        """Takes up the newest checkpoint of this run's model; False where there is none."""
        newest = checkpoint.newest_of_all(self.output, self.program.spans(), self.mesh)
        if newest is None:
            return False
        for notice in newest.notices:
            self.observer(Event("notice", 0, notice=notice))
        saved = newest.model
        now = versions(self.program.device, self.mesh.placement)
        for notice in compare(saved, newest.path, self.model, self.settings, self.data, now):
            self.observer(Event("notice", self.at.epoch + 1, notice=notice))
        self.at = position(saved, newest.path, self.batches, self.feed.examples)
        self.program.load(saved)
        self._take_up(saved)
        return True

    def _take_up(self, saved: Model) -> None:
        """Goes on with what the run has measured, where it is still measured in the same way and the best is there."""
        at, judged = self.at, self.validation.judged if self.validation else ""
        if not at.validation:
            at.judged = judged
            return
        best = self.validation.best(at.validation) if self.validation else None
        if at.judged != judged:
            facts: dict[str, object] = {"then": at.judged, "now": judged or "nothing (no --validate)"}
            self._note(Diagnostic(codes.JUDGED_OTHERWISE, None, facts))
        elif best is None or self._first(lambda: checkpoint.best_of(self.output, saved, best[0]) is not None):
            return
        else:
            self._tell_gone(best[0])
        at.validation, at.judged = (), judged

    def _first(self, work: Callable[[], Any]) -> Any:
        """What the first rank's work gives, on every rank; the others wait as long as it takes."""
        return self.mesh.share(work() if self.mesh.is_first else None)

    def _written(self, write: Callable[[], object]) -> None:
        """Has the first rank write something, while the others wait."""
        if self.mesh.is_first:
            write()
        self.mesh.barrier()

    def _tell_gone(self, best: int) -> None:
        facts: dict[str, object] = {"best": best, "kept": checkpoint.best_path(self.output), "path": self.output}
        self._note(Diagnostic(codes.BEST_GONE, None, facts))

    def _note(self, notice: Diagnostic) -> None:
        self.observer(Event("notice", self.at.epoch + (self.at.batch > 0), notice=notice))

    def go(self, interrupted: Callable[[], bool]) -> TrainResult:
        """Runs until the epochs are done, nothing gets better, it is time to pause, or somebody interrupts."""
        began = time.monotonic()
        self.steering = Steering(self.mesh, interrupted, self._is_due)
        self.mesh.barrier()  # reading and loading take some ranks longer than others
        self.steps = self.way.steps(
            self.program, self.feed, self.at.brake, self.mesh, self.steering.hurry, self._note
        )  # fmt: skip
        between = self.at.epoch > 0 and not self.at.batch  # what followed the epoch may have been cut off
        if between and not self._close(interrupted):
            return self._left(began, interrupted=True)
        while self.at.epoch < self.settings.epochs and not self._is_exhausted():
            if self.course.pause is not None and self.at.epoch >= self.course.pause:
                return self._left(began, paused=True)
            if not (self._epoch() and self._close(interrupted)):
                return self._left(began, interrupted=True)
        return self._finished(began)

    def _is_due(self) -> bool:
        return time.monotonic() - self._saved > self.course.checkpoint_seconds

    def _left(self, began: float, **why: bool) -> TrainResult:
        """Leaves the run where it stands, with a checkpoint to go on from."""
        is_kept = self._kept_at == (self.at.epoch, self.at.batch)
        model = self.snapshot() if is_kept else self.keep()
        return self._result(model, began, checkpoint=self._kept, **why)

    def _finished(self, began: float) -> TrainResult:
        """Ends the run: the best epoch becomes the model, and the last one stays beside it where that is another."""
        last, best = self.snapshot(), self._best()
        early = self.at.epoch < self.settings.epochs
        if early:
            self._tell_early_stop(best)
        found = None
        if best is not None and best[0] != self.at.epoch and self.mesh.is_first:
            found = checkpoint.best_of(self.output, last, best[0])
            if found is None:
                self._tell_gone(best[0])
        if found is None:
            self._written(lambda: checkpoint.finish(last, self.output))
            return self._result(last, began, stopped_early=early)
        found.training, found.versions = self.settings, self.model.versions
        found.progress["trained"] = self.at.epoch
        self._written(lambda: checkpoint.finish(found, self.output, last))
        return self._result(found, began, stopped_early=early)

    def _result(self, model: Model, began: float, **more: Any) -> TrainResult:
        best = self._best() or (0, math.nan)
        measured = tuple((epoch, math.nan if value is None else value) for epoch, value in self.at.validation)
        more |= {"best_epoch": best[0], "best": best[1], "validation": measured}
        return TrainResult(model, self.at.epoch, self.at.last_error, time.monotonic() - began, **more)

    def _best(self) -> tuple[int, float] | None:
        return self.validation.best(self.at.validation) if self.validation else None

    def _is_exhausted(self) -> bool:
        return self.validation is not None and self.validation.exhausted(self.at.validation)

    def _is_unmeasured(self) -> bool:
        """Whether the run stands after an epoch that should have been measured, and was not."""
        if self.validation is None or not self.validation.due(self.at.epoch):
            return False
        return not self.at.validation or self.at.validation[-1][0] < self.at.epoch

    def _close(self, interrupted: Callable[[], bool]) -> bool:
        """What follows an epoch: measuring, and the copy that stays. False if it was interrupted."""
        if self._is_unmeasured() and not self._measure(interrupted):
            return False
        interval = self.settings.checkpoint_interval
        if interval and self.at.epoch % interval == 0 and self.at.epoch < self.settings.epochs:
            model = self.snapshot()
            self._written(lambda: checkpoint.keep_interval(model, self.output))
            self.keep()
        return True

    def _measure(self, interrupted: Callable[[], bool]) -> bool:
        """Measures the model, and keeps it where it is better than all before; False if it was interrupted."""
        validation = self.validation
        assert validation is not None
        began, at, metric, model = time.monotonic(), self.at, validation.metric, self.snapshot()
        measures: dict[str, float] = self._first(lambda: dict(validation.measure(model, interrupted)))
        if not measures:
            return False
        value = measures[str(metric)]
        value = value if math.isfinite(value) else math.nan
        before = self._best()
        is_best = metric.better(value, before[1] if before else math.nan)
        at.validation = (*at.validation, (at.epoch, None if math.isnan(value) else value))
        seconds = time.monotonic() - began
        self.observer(Event("validation", at.epoch, seconds=seconds, measures=measures, best=is_best))
        if is_best:
            model.progress = self.progress()
            self._written(lambda: checkpoint.keep_best(model, self.output))
            self._saved, self._kept = time.monotonic(), str(checkpoint.best_path(self.output))
        return True

    def _tell_early_stop(self, best: tuple[int, float] | None) -> None:
        assert self.validation is not None
        told = f"{best[1]:.6g} of epoch {best[0]}" if best else "what is no number"
        facts: dict[str, object] = {"metric": self.validation.metric, "best": told, "epoch": self.at.epoch}
        facts |= {"patience": self.validation.patience, "times": self.validation.stale(self.at.validation)}
        self._note(Diagnostic(codes.EARLY_STOP, None, facts | {"epochs": self.settings.epochs}))

    def _epoch(self) -> bool:
        """Runs the rest of an epoch; False if it was interrupted."""
        began, first, launched = time.monotonic(), self.at.rows, self.at.steps
        order = shuffled(self.settings.seed, self.at.epoch, self.feed.examples) if self.shuffle else None
        running: deque[Wait] = deque()
        for part in self.steps.parts(order, self.at.batch):
            running.append(self.steps.launch(part, At(self.settings.seed, self.at.epoch, launched)))
            launched += part.count
            self._take(running, self.steps.ahead)
            if not self._obeyed(self.steering.after_group(), running):
                return False
        if not self._obeyed(self.steering.at_end(), running):
            return False
        self._take(running, 0)
        self._close_epoch(time.monotonic() - began, self.at.rows - first)
        return True

    def _obeyed(self, order: Order, running: deque[Wait]) -> bool:
        """Does what is to be done between two groups of batches; False if the run is to end here."""
        if order.stop or order.save:
            self._take(running, 0)
        if order.save and not order.stop:
            self.keep()
        return not order.stop

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
        bad = totals.not_finite(self.program)
        where = f"; the first values that are not finite stand in {self._told(bad)}" if bad else ""
        facts: dict[str, Any] = {"error": error, "epoch": epoch, "batch": batch, "where": where}
        kept = self._kept or "none was written yet"
        return stop(codes.DIVERGENCE, None, **facts, alpha=self.settings.alpha, checkpoint=kept)

    def _told(self, info: StateInfo) -> str:
        weights, layers = self.network.weights, self.network.layers
        layer = layers[info.index if info.owner == "bn" else weights[info.index].target]
        return f"the {info.owner} of layer {layer.name}"

    def _close_epoch(self, seconds: float, rows: int) -> None:
        at = self.at
        training, penalty = at.error / max(1, at.rows), totals.regularization_error(self.program, self.settings)
        if not math.isfinite(training + penalty):
            raise self._diverged(training + penalty, at.epoch + 1, at.batch)
        at.epoch, at.batch, at.error, at.rows = at.epoch + 1, 0, 0.0, 0
        at.last_error = training + penalty
        speed = rows / seconds if seconds > 0 else 0.0
        done = (at.epoch, self.batches, self.batches)
        self.observer(Event("epoch", *done, at.last_error, training, penalty, seconds, speed))

    def snapshot(self) -> Model:
        """The model as it is now, with everything that going on needs; Stop where the last update was not finite.

        Of several ranks the first one gets the numbers, which stay in memory as long as the caller wants them.
        """
        if totals.not_finite(self.program):
            raise self._diverged(self.at.last_error, self.at.epoch + (self.at.batch > 0), self.at.batch)
        empty: dict[str, Any] = {name: {} for name in ("weights", "biases", "batch_norm", "state")}
        made = replace(self.model, **empty, training=self.settings, progress=self.progress())
        return self.program.store(made)

    def progress(self) -> dict[str, Any]:
        """What the model's record says of how far this run has come, and on what."""
        way = {"way": self.way.name} if self.way.name else {}
        return {**self.at.progress(), "data": self.data, **way}

    def keep(self) -> Model:
        """Writes a checkpoint to go on from; answers what it holds."""
        model, at = self.snapshot(), checkpoint.Position(self.at.epoch, self.at.batch)
        self._written(lambda: checkpoint.keep(model, self.output))
        self._saved, self._kept, self._kept_at = time.monotonic(), str(checkpoint.checkpoint_path(self.output, at)), at
        self.observer(Event("checkpoint", self.at.epoch + 1, self.at.batch, path=self._kept))
        return model


def shuffled(seed: int, epoch: int, examples: int) -> NDArray[np.int64]:
    """The order of an epoch's examples: a function of (seed, epoch)."""
    counters = np.arange(examples, dtype=np.uint64)
    keys = philox(seed, counters, np.uint64(0) * counters, epoch, SHUFFLE)[0]
    return np.argsort(keys, kind="stable")
