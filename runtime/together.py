"""The usual way of training: all ranks make every step together, and hold what one rank would hold after it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from nnlang.network import Network, Training
from nnlang.placement import Placement
from nnlang.runtime import scalars
from nnlang.runtime.brake import Brake
from nnlang.runtime.devices import Device
from nnlang.runtime.executor import At, Part
from nnlang.runtime.feed import Feed, Ids
from nnlang.runtime.program import Program
from nnlang.runtime.steps import Outcome, Wait, steps_of
from nnlang.runtime.ways import Dealt, Hurry, Note, Steps, share

if TYPE_CHECKING:
    from nnlang.runtime.mesh import Mesh


@dataclass(frozen=True)
class Together:
    """Every step is that of the whole batch; where rows are dealt out, gradients are summed in the step."""

    name: str = ""
    entry: str = "step"

    def program(
        self, network: Network, settings: Training, batch: int, device: Device, placement: Placement, mesh: Mesh
    ) -> Program:
        """The program of this rank, for its rows of a batch."""
        rows = share(batch, placement.data)
        return Program(network, ["step"], rows, settings, device=device, placement=placement, mesh=mesh)

    def batches(self, examples: int, batch: int) -> int:
        """How many outcomes an epoch has."""
        return -(-examples // batch)

    def steps(self, program: Program, feed: Any, brake: Brake, mesh: Mesh, hurry: Hurry, note: Note) -> Steps:
        """The steps of a run that goes on from a brake's state."""
        if mesh.data.size == 1:
            return Whole(program, feed, brake)
        return DealtOut(program, feed, brake)


PLAIN = Together()


class Whole:
    """Steps of batches whose rows every rank has."""

    def __init__(self, program: Program, feed: Any, brake: Brake) -> None:
        self._program, self._feed, self._steps = program, feed, steps_of(program, brake)
        self.ahead = self._steps.ahead

    def parts(self, order: Ids | None, first: int) -> Iterator[Any]:
        """An epoch's groups from a batch on."""
        return self._program.parts(self._feed, order, first, self._steps.most)

    def launch(self, part: Any, at: At) -> Wait:
        """Runs a group."""
        return self._steps.launch(part, at)


@dataclass(frozen=True)
class Numbered:
    """A batch of an epoch, by its number."""

    order: Ids | None
    number: int
    count: int = 1


class DealtOut:
    """Steps of batches whose rows are dealt out: every rank runs its part, which may be empty."""

    ahead = 0

    def __init__(self, program: Program, feed: Any, brake: Brake) -> None:
        assert program.training is not None
        self._program, self._training, self._feed, self._brake = program, program.training, feed, replace(brake)
        data = program.mesh.data
        self._dealt = Dealt(feed, min(program.training.batch, int(feed.examples)), data.rank, data.size)

    def parts(self, order: Ids | None, first: int) -> Iterator[Numbered]:
        """An epoch's batches from one on."""
        return (Numbered(order, number) for number in range(first, self._dealt.batches))

    def launch(self, part: Numbered, at: At) -> Wait:
        """Runs the step on a batch: scalars are those of all its rows."""
        rows = self._dealt.rows(part.number)
        rate = scalars.rate(self._training, self._program.network.decay, at.epoch, at.steps)
        given = scalars.of_step(self._training, rate * self._brake.factor(), rows, at.steps)
        mine = self._dealt.part(part.order, part.number) or self._empty()
        (errors,) = self._program.run("step", mine, given, **at._asdict())
        error = self._summed(float(errors[: mine.rows].double().sum()))
        self._brake.take(error / rows)
        outcome = Outcome(rows, error, replace(self._brake))
        return lambda: [outcome]

    def _empty(self) -> Any:
        """A batch without rows, for the rank that a small last batch leaves without."""
        found = self._feed.batch(np.empty(0, np.int64))
        return found if isinstance(self._feed, Feed) else Part(found, self._program.batch)

    def _summed(self, error: float) -> float:
        """The sum of all groups' errors, in their order: every rank has the same bits."""
        mesh, total = self._program.mesh, 0.0
        by_rank: list[float] = mesh.everyone(error)  # steers the brake, and so is no traffic of the step
        for one in by_rank[mesh.model.rank :: mesh.placement.model]:
            total += one
        return total
