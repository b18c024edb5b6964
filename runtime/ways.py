"""Ways of training: what a run asks of whoever makes its steps, and the usual way, all ranks together in every step.

The others are for slow links (runtime/averaging.py), for processes of one machine that do not wait for one another
(runtime/shared.py), and for all data at once (runtime/lbfgs.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from nnlang.diagnostics import Diagnostic
from nnlang.network import Network, Training
from nnlang.placement import Placement
from nnlang.runtime.brake import Brake
from nnlang.runtime.devices import Device
from nnlang.runtime.executor import At, Part
from nnlang.runtime.feed import Batch, Feed, Ids
from nnlang.runtime.mesh import ALONE_MESH, Mesh
from nnlang.runtime.program import Program
from nnlang.runtime.steps import Wait

if TYPE_CHECKING:
    from nnlang.runtime.collective import Ranks

Hurry = Callable[[], bool]  # whether somebody waits for the run to stand still: to end it, or to write a checkpoint
Note = Callable[[Diagnostic], None]


class Steps(Protocol):
    """The training steps of a run, in groups.

    What a group gives are outcomes of whole batches, rows and errors of all ranks, the same on every rank. All ranks
    launch equally many groups, and after each they stand at the same batch: it may be followed by a checkpoint.
    """

    @property
    def ahead(self) -> int:
        """Groups that may be under way while the next is prepared."""

    def parts(self, order: Ids | None, first: int) -> Iterator[Any]:
        """An epoch's groups, in an order of all examples, from batch `first` on.

        How many batches a group has (`count`) is known when it has been launched.
        """

    def launch(self, part: Any, at: At) -> Wait:
        """Runs a group; what is given back waits for what it gave."""


class Way(Protocol):
    """How a run is trained."""

    @property
    def name(self) -> str:
        """What the model's record calls it; nothing for the usual way."""

    @property
    def entry(self) -> str:
        """The entry point whose data the program needs."""

    def program(
        self, network: Network, settings: Training, batch: int, device: Device, placement: Placement, mesh: Mesh
    ) -> Program:
        """The program that makes the steps of batches of `batch` rows, of all ranks together."""

    def batches(self, examples: int, batch: int) -> int:
        """How many outcomes an epoch has."""

    def steps(self, program: Program, feed: Any, brake: Brake, mesh: Mesh, hurry: Hurry, note: Note) -> Steps:
        """The steps of a run that goes on from a brake's state; the program's states are where they are to begin."""


@dataclass(frozen=True)
class Dealt:
    """How the examples of every batch are dealt out: rank r of N gets the r-th of N parts, the first ones the larger.

    Batches hold the same examples whatever the number of ranks. A rank may get nothing of the last one.
    """

    feed: Any
    size: int  # rows of a batch
    rank: int
    ranks: int

    @property
    def most(self) -> int:
        """Rows that a rank gets of a batch at most."""
        return share(self.size, self.ranks)

    @property
    def batches(self) -> int:
        """Batches of an epoch."""
        return -(-int(self.feed.examples) // self.size)

    def rows(self, number: int) -> int:
        """Rows of all ranks in a batch of the epoch."""
        return min(self.size, int(self.feed.examples) - number * self.size)

    def part(self, order: Ids | None, number: int) -> Batch | Part | None:
        """This rank's part of a batch of the epoch; None where it gets nothing."""
        first = number * self.size
        begin, end = (first + start(self.rows(number), self.ranks, r) for r in (self.rank, self.rank + 1))
        if begin == end:
            return None
        if not isinstance(self.feed, Feed):
            return Part(self.feed.batch(np.arange(begin, end) if order is None else order[begin:end]), self.most)
        return self.feed.consecutive(begin, end) if order is None else self.feed.batch(order[begin:end])


def dealt(feed: Any, batch: int, ranks: Ranks) -> Dealt:
    """The examples of a feed as they are dealt out to a group of ranks, in batches of `batch` or of all there are."""
    return Dealt(feed, min(batch, int(feed.examples)), ranks.rank, ranks.size)


def alone_beside(mesh: Mesh) -> Mesh:
    """The mesh of a program that runs alone, while the other ranks of its machine run theirs beside it."""
    return replace(ALONE_MESH, world=mesh.world)


def share(rows: int, ranks: int) -> int:
    """The most rows that one of so many ranks gets."""
    return -(-rows // ranks)


def start(rows: int, ranks: int, rank: int) -> int:
    """The first row of a rank where rows are dealt out as evenly as they can be, the first ranks getting the rest."""
    each, rest = divmod(rows, ranks)
    return rank * each + min(rank, rest)
