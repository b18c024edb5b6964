"""nnlang's side of `benchmarks/gpu.py`: training as `nnlang train` runs it, and each launch of its step alone."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from gpu_machine import Machine
from gpu_report import Timed

from nnlang.codegen.plan import Launch, Plan
from nnlang.lower import FILTER, Ranking
from nnlang.network import Network, Training
from nnlang.runtime import scalars
from nnlang.runtime.brake import Brake
from nnlang.runtime.dataset import DataSet
from nnlang.runtime.devices import Device
from nnlang.runtime.executor import At, DeviceExecutor
from nnlang.runtime.model import Model
from nnlang.runtime.program import Program, feed_for
from nnlang.runtime.recs import Top, chosen
from nnlang.runtime.steps import steps_of

REPEATS = 20  # of a launch in one graph
K = 10  # recommendations for each user


class Trainer:
    """A network on a device with its data there, ready to train any of its batches."""

    def __init__(self, network: Network, settings: Training, device: Device, start: Model | None = None) -> None:
        self.settings = settings
        self.program = Program(network, ["step"], settings.batch, settings, device=device)
        if start is None:
            self.program.initialise(settings.seed)
        else:
            self.program.load(start)
        self.steps = steps_of(self.program, Brake())
        self.parts: list[Any] = []
        self._done = 0

    @property
    def plan(self) -> Plan:
        """The plan of a step."""
        return self.program.compiled.plans["step"]

    def feed(self, sets: Mapping[str, DataSet]) -> Any:
        """The feed of some data sets; another trainer of the same network may read it too."""
        return feed_for(self.program, "step", sets)

    def read(self, feed: Any) -> None:
        """Takes a feed, to be read in its order."""
        self.parts = list(self.program.parts(feed, most=self.steps.most))

    def train(self, batches: int | None = None) -> None:
        """Trains the first batches, or all: the host fills in a group of steps while the one before runs."""
        waiting: Callable[[], Any] | None = None
        left = sum(part.count for part in self.parts) if batches is None else batches
        for part in self.parts:
            if left <= 0:
                break
            queued = self.steps.launch(part, At(self.settings.seed, 0, self._done))
            self._done, left = self._done + part.count, left - part.count
            self._take(waiting)
            waiting = queued
        self._take(waiting)

    def _take(self, waiting: Callable[[], Any] | None) -> None:
        for outcome in waiting() if waiting else ():
            if not math.isfinite(outcome.error):
                raise ArithmeticError("the error of a step is not finite")


class Predictor:
    """A model on a device with everybody's rows there, ready to recommend to all of them."""

    def __init__(self, network: Network, model: Model, sets: Mapping[str, DataSet], device: Device, batch: int) -> None:
        ranking = Ranking(network.outputs[0].index, K, "boolean")
        self.program = Program.for_predict(network, model, batch, device, ranking)
        (given,) = (sets[x.dataset] for x in network.inputs)
        self.parts = list(self.program.parts(feed_for(self.program, "recommend", {given.name: given, FILTER: given})))

    def run(self) -> list[Top]:
        """The K best of every user without what the user has, on the host."""
        queued = [self.program.recommend(part).clone() for part in self.parts]
        return [chosen(packed) for packed in queued]


def floor(machine: Machine, flops: float, moved: float, precision: str) -> float:
    """The least milliseconds for some work: its bytes at the copy's rate, or its flops at that of products."""
    return 1e3 * max(moved / machine.copy, flops / machine.peaks[precision])


@dataclass(frozen=True)
class Call:
    """One launch of a kernel, ready to be repeated."""

    kernel: str
    launch: Launch
    again: Callable[[], object]


@dataclass(frozen=True)
class Recorder:
    """Stands in for a kernel of an emitted module: what is launched is launched, and written down."""

    name: str
    kernel: Any
    launch: Launch
    calls: list[Call]

    def __getitem__(self, grid: object) -> Callable[..., None]:
        def launch(*args: object, **constants: object) -> None:
            self.calls.append(Call(self.name, self.launch, lambda: self.kernel[grid](*args, **constants)))
            self.calls[-1].again()

        return launch


def record(trainer: Trainer) -> list[Call]:
    """The launches of a step on the first batch; its step size is 0, so that repeating them changes no weight."""
    program, executor = trainer.program, trainer.program.executor
    assert isinstance(executor, DeviceExecutor)
    part, at = trainer.parts[0].split()[0], At(trainer.settings.seed)
    calls: list[Call] = []
    tables = executor.tables("step", 1)
    given = program.given(part.rows, scalars.of_step(trainer.settings, 0.0, part.rows, 0))
    tables.fill([part.ints(at)], [executor.scalars("step", given)])
    module, names = vars(executor.module), {x.name: x for x in trainer.plan.launches}
    owners = {k: launch_of(k, names) for k, v in module.items() if hasattr(v, "run")}
    kernels = {k: module[k] for k, launch in owners.items() if launch}
    module |= {k: Recorder(k, v, owners[k], calls) for k, v in kernels.items()}
    try:
        executor.call("step", program.states_of("step"), part.slots, tables, 0)
    finally:
        module |= kernels
    return calls


def launch_of(kernel: str, launches: Mapping[str, Launch]) -> Launch | None:
    """The launch that a kernel belongs to: `walk_sigmoid_9_logits` is one of `walk_sigmoid_9`."""
    while kernel and kernel not in launches:
        kernel = kernel.rpartition("_")[0]
    return launches.get(kernel)


def time_launches(machine: Machine, trainer: Trainer, precision: str) -> list[Timed]:
    """Every launch of a step alone, and the kernels of those that have several."""
    calls = record(trainer)
    flush = Flush(machine)
    rows = []
    for launch in dict.fromkeys(call.launch for call in calls):
        mine = [call for call in calls if call.launch is launch]
        cold, warm = flush.time(mine)
        least = floor(machine, launch.cost.flops, launch.cost.bytes, precision) * 1e3
        rows.append(Timed(launch.name, launch.kind, cold, warm, launch.cost.flops, launch.cost.bytes, least))
        kernels = dict.fromkeys(call.kernel for call in mine)
        for kernel in kernels if len(kernels) > 1 else ():
            some = [call for call in mine if call.kernel == kernel]
            rows.append(Timed(kernel, f"{len(some)} x", *flush.time(some)))
    return rows


class Flush:
    """Times launches in graphs: each after something else was read through the cache, and each at once again."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.other = torch.ones(1 << 10 if machine.dry else 1 << 26, device=machine.device)  # 256 MiB
        self.sum = torch.zeros((), device=machine.device)
        self.alone = self.repeat(self.flush)

    def flush(self) -> None:
        """Leaves the cache full of other data, none of which has to be written back."""
        torch.sum(self.other, 0, out=self.sum)

    def time(self, calls: Sequence[Call]) -> tuple[float, float]:
        """Microseconds of some launches in a row: with their data in memory, and with what fits in the cache."""

        def warm() -> None:
            for call in calls:
                call.again()

        def cold() -> None:
            self.flush()
            warm()

        return self.repeat(cold) - self.alone, self.repeat(warm)

    def repeat(self, work: Callable[[], None]) -> float:
        """The median microseconds of some work among others of its kind in a graph."""
        times = 1 if self.machine.dry else REPEATS
        replay = self.machine.graph(lambda: [work() for _ in range(times)], warm_up=1)
        rounds = 1 if self.machine.dry else 9
        return statistics.median(self.machine.timed(replay) for _ in range(rounds)) * 1e3 / times
