"""Training steps: one by one on the CPU; on a device in groups that are one launch, a CUDA graph where there is one.

What the host knows beforehand of a group's steps (rows, positions, rates) it writes into tables; what only the device
knows (errors, whether the brake acts) stays there from step to step and comes back once a group.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from nnlang.runtime import scalars
from nnlang.runtime.brake import BRAKED, FACTOR, WARM_UP, Brake
from nnlang.runtime.devices import Device
from nnlang.runtime.executor import At, DeviceExecutor, Part, upload
from nnlang.runtime.feed import Batch
from nnlang.runtime.program import Program

GROUP = 32  # steps of a graph: its launch and the host's work for it take less time than they run
GRAPHS = 8  # that are kept
BLOCK = 1024  # rows whose errors are added at a time


class Outcome(NamedTuple):
    """What a step gave: its rows, the sum of their errors, the brake after it."""

    rows: int
    error: float
    brake: Brake


Wait = Callable[[], list[Outcome]]  # waits for a group of steps


class CpuSteps:
    """Steps of a program on the CPU, each done when `launch` returns."""

    most, ahead = 1, 0

    def __init__(self, program: Program, brake: Brake) -> None:
        assert program.training is not None
        self._program, self._training = program, program.training
        self.go_on(brake)

    def go_on(self, brake: Brake) -> None:
        """From now on with another brake's state."""
        self._brake = replace(brake)

    def launch(self, part: Batch, at: At) -> Wait:
        """Runs the step on a batch."""
        rate = scalars.rate(self._training, self._program.network.decay, at.epoch, at.steps)
        given = scalars.of_step(self._training, rate * self._brake.factor(), part.rows, at.steps)
        (rows,) = self._program.run("step", part, given, **at._asdict())
        error = float(rows.double().sum())
        self._brake.take(error / part.rows)
        outcome = Outcome(part.rows, error, replace(self._brake))
        return lambda: [outcome]


class DeviceSteps:
    """Steps of a program on a device, in groups.

    The first group of its kind runs kernel by kernel, which compiles them and takes their scratch memory; from the
    second on a graph is replayed.
    """

    most = GROUP

    def __init__(self, program: Program, executor: DeviceExecutor, brake: Brake) -> None:
        assert program.training is not None
        self._program, self._executor, self._training = program, executor, program.training
        self._device: Device = executor.device
        self._states = program.states_of("step")
        self._tables = executor.tables("step", GROUP + 1)  # a row beyond: every step writes the next one's alpha
        self._alpha = executor.module.SCALARS["step"].index("alpha")
        there = torch.zeros(0, dtype=torch.float64, device=self._device.torch)
        self._rates = there.new_zeros(GROUP + 1, 2)  # padded to 16 bytes
        self._brake = there.new_zeros(3)
        self._outcomes = there.new_zeros(GROUP, 4)
        self._graphs: dict[object, torch.cuda.CUDAGraph] = {}
        self._ran: set[object] = set()
        self.go_on(brake)

    def go_on(self, brake: Brake) -> None:
        """From now on with another brake's state."""
        self._brake.copy_(self._brake.new_tensor([brake.average, brake.batches, brake.left]))

    @property
    def ahead(self) -> int:
        """Groups that may be under way while the next is prepared."""
        return int(self._device.on_gpu)

    @property
    def _is_recording(self) -> bool:
        return self._device.on_gpu

    def launch(self, part: Part, at: At) -> Wait:
        """Queues the steps on the batches of a part, at most GROUP."""
        with torch.inference_mode():
            self._fill(part, at)
            self._run(part)
            return self._collect(part)

    def _fill(self, part: Part, at: At) -> None:
        ints, rates, rows = [], [], []
        for i, one in enumerate(part.split()):
            here = at._replace(steps=at.steps + i)
            rate = scalars.rate(self._training, self._program.network.decay, here.epoch, here.steps)
            given = self._program.given(one.rows, scalars.of_step(self._training, rate, one.rows, here.steps))
            ints.append(one.ints(here))
            rates.append([rate, 0.0])
            rows.append(self._executor.scalars("step", given))
        self._tables.fill(ints, rows)
        upload(self._device, self._rates, rates)

    def _run(self, part: Part) -> None:
        key = self._recorded(part)
        if key not in self._ran or not self._is_recording:
            self._steps(part)
            self._ran.add(self._recorded(part))  # once more: the first run may have made scratch memory grow
            return
        if key not in self._graphs:
            if len(self._graphs) >= GRAPHS:
                torch.cuda.synchronize()  # one of them may still run
                self._graphs.clear()
            self._graphs[key] = self._captured(part)
        self._graphs[key].replay()

    def _recorded(self, part: Part) -> tuple[object, ...]:
        """What a graph takes over from a part: how many batches, where their chunk's data stand, how large it all is.

        Which batches of the chunk they are stands in the tables.
        """
        fields: list[Any] = [value for slot in part.slots for value in vars(slot).values()]
        places = (x.data_ptr() if isinstance(x, Tensor) else x for x in fields)
        return (part.count, self._executor.scratch.generation, *places)

    def _captured(self, part: Part) -> torch.cuda.CUDAGraph:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):  # a feed's thread may copy meanwhile
            self._steps(part)
        return graph

    def _steps(self, part: Part) -> None:
        from nnlang.runtime.account import account, begin

        ints, alphas = self._tables.ints, self._tables.scalars[:, self._alpha :]
        begin[(1,)](self._rates[0], self._brake, alphas[0], FACTOR=FACTOR)
        for row in range(part.count):
            (errors,) = self._executor.call("step", self._states, part.slots, self._tables, row)
            account[(1,)](
                errors, self._executor.batch, ints[row], self._brake, self._outcomes[row], self._rates[row + 1],
                alphas[row + 1], WARM_UP=WARM_UP, BRAKED=BRAKED, FACTOR=FACTOR, BLOCK=BLOCK,
            )  # fmt: skip

    def _collect(self, part: Part) -> Wait:
        """Queues the copy of what the steps gave; to be called when it is wanted."""
        queued = self._outcomes[: part.count]
        found = torch.empty(queued.shape, dtype=queued.dtype, pin_memory=self._device.on_gpu)
        found.copy_(queued, non_blocking=True)
        done = torch.cuda.Event() if self._device.on_gpu else None  # type: ignore[no-untyped-call]
        if done is not None:
            done.record()

        def wait() -> list[Outcome]:
            if done is not None:
                done.synchronize()
            rows = (one.rows for one in part.split())
            return [Outcome(n, error, Brake(average, int(batches), int(left))) for n, (error, average, batches, left)
                    in zip(rows, found.tolist(), strict=True)]  # fmt: skip

        return wait


def steps_of(program: Program, brake: Brake) -> CpuSteps | DeviceSteps:
    """The training steps of a program, going on from a brake's state."""
    if isinstance(program.executor, DeviceExecutor):
        return DeviceSteps(program, program.executor, brake)
    return CpuSteps(program, brake)
