"""Periodic averaging: every rank trains alone on its part of each batch, and every K batches all take the mean.

For links so slow that a sum in every step would take longer than the step. What is averaged is everything that training
changes: weights, the optimiser's states, the running statistics of batch normalisation. With plain gradient descent and
K = 1 this is the step of the whole batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from nnlang.codes import ranks as codes
from nnlang.diagnostics import stop
from nnlang.network import Network, Training
from nnlang.placement import Placement
from nnlang.runtime.brake import Brake
from nnlang.runtime.devices import Device
from nnlang.runtime.executor import At
from nnlang.runtime.feed import Ids
from nnlang.runtime.program import Program
from nnlang.runtime.steps import Outcome, Wait, steps_of
from nnlang.runtime.ways import Hurry, Note, alone_beside, dealt, share

if TYPE_CHECKING:
    from nnlang.runtime.collective import Ranks
    from nnlang.runtime.mesh import Mesh

SMALL = 1 << 16  # elements; smaller states travel together, since each message costs the time of about a megabyte


@dataclass(frozen=True)
class Averaging:
    """Training apart, and averaging every so many batches, and at the end of every epoch."""

    every: int
    entry = "step"

    @property
    def name(self) -> str:
        """What the model's record calls it."""
        return f"averaging every {self.every} batches"

    def program(
        self, network: Network, settings: Training, batch: int, device: Device, placement: Placement, mesh: Mesh
    ) -> Program:
        """The program of one rank, for its part of a batch; Stop (NN820) where a batch has fewer rows than ranks."""
        return apart(network, settings, batch, device, mesh)

    def batches(self, examples: int, batch: int) -> int:
        """How many outcomes an epoch has."""
        return -(-examples // batch)

    def steps(self, program: Program, feed: Any, brake: Brake, mesh: Mesh, hurry: Hurry, note: Note) -> AveragingSteps:
        """The steps of a run that goes on from a brake's state."""
        return AveragingSteps(program, feed, brake, mesh, self.every)


def apart(network: Network, settings: Training, batch: int, device: Device, mesh: Mesh) -> Program:
    """The program of one rank that trains on its own part of every batch; Stop (NN820) where it may get none."""
    if batch < mesh.data.size:
        raise stop(codes.BATCH_TOO_SMALL, batch=batch, ranks=mesh.data.size)
    rows = share(batch, mesh.data.size)
    return Program(network, ["step"], rows, settings, device=device, mesh=alone_beside(mesh))


@dataclass(frozen=True)
class Group:
    """Batches `first`.. of an epoch's order, up to the next averaging."""

    order: Ids | None
    first: int
    count: int


class AveragingSteps:
    """Steps of a rank's own program, in groups that end with the mean over all ranks.

    Within a group a rank brakes by its own errors; after it all have the brake that the errors of whole batches give.
    """

    ahead = 0

    def __init__(self, program: Program, feed: Any, brake: Brake, mesh: Mesh, every: int) -> None:
        assert program.training is not None
        self._program, self._mesh, self._every, self._brake = program, mesh, every, replace(brake)
        self._dealt = dealt(feed, program.training.batch, mesh.data)
        self._steps: Any = steps_of(program, brake)  # whose batches are those of its feed

    def parts(self, order: Ids | None, first: int) -> Iterator[Group]:
        """The groups of an epoch from a batch on."""
        for begin in range(first, self._dealt.batches, self._every):
            yield Group(order, begin, min(self._every, self._dealt.batches - begin))

    def launch(self, part: Group, at: At) -> Wait:
        """Runs this rank's part of the group's batches, then averages."""
        waits: list[Wait | None] = []
        for i in range(part.count):
            mine = self._dealt.part(part.order, part.first + i)
            here = at._replace(steps=at.steps + i)
            waits.append(None if mine is None else self._steps.launch(mine, here))
        errors = [0.0 if wait is None else wait()[0].error for wait in waits]
        rows = [self._dealt.rows(part.first + i) for i in range(part.count)]
        outcomes = together(self._mesh, self._brake, rows, errors)  # first, since it waits as long as the slowest takes
        average(list(self._program.states.values()), self._mesh.data)
        self._steps.go_on(self._brake)
        return lambda: outcomes


def together(mesh: Mesh, brake: Brake, rows: Sequence[int], errors: Sequence[float]) -> list[Outcome]:
    """The outcomes of whole batches from the errors of every rank, which all ranks get; the brake takes them."""
    found = []
    by_rank: list[list[float]] = mesh.everyone(list(errors))
    for count, each in zip(rows, zip(*by_rank, strict=True), strict=True):
        total = 0.0
        for error in each:
            total += error
        brake.take(total / count)
        found.append(Outcome(count, total, replace(brake)))
    return found


def average(states: Sequence[Tensor], ranks: Ranks) -> None:
    """Puts the mean over the ranks in the place of each state; small ones travel together."""
    if ranks.size == 1:
        return
    small = [t for t in states if t.numel() < SMALL]
    for large in (t for t in states if t.numel() >= SMALL):
        ranks.sum(large).div_(ranks.size)
    if not small:
        return
    packed = torch.cat([t.reshape(-1) for t in small])
    ranks.sum(packed).div_(ranks.size)
    for state, mean in zip(small, torch.split(packed, [t.numel() for t in small]), strict=True):
        state.copy_(mean.view_as(state))
