"""Ranks that score together: whose batches are whose, and how what they find comes together on the first of them.

The lists of a batch are packed as programs of devices give them: float32 [rows, 2k], k scores, then the bits of k int32
units. A list that is too short ends in scores of -inf.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor

from nnlang.runtime.collective import heard
from nnlang.runtime.mesh import Mesh
from nnlang.runtime.recs import NotFinite, Top

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Rota:
    """Examples in batches of `size` rows, which groups of ranks take in turns.

    They are the batches of one device, so that every group computes what it would.
    """

    examples: int
    size: int
    groups: int = 1

    @property
    def batches(self) -> int:
        """How many batches there are."""
        return -(-self.examples // self.size)

    def span(self, batch: int) -> tuple[int, int]:
        """The first example of a batch, and its rows."""
        first = batch * self.size
        return first, min(self.size, self.examples - first)

    def group(self, batch: int) -> int:
        """The group whose turn it is."""
        return batch % self.groups

    def of(self, group: int) -> Ints:
        """The examples of a group, in order."""
        examples = np.arange(self.examples, dtype=np.int64)
        mine: Ints = np.flatnonzero(examples // self.size % self.groups == group)
        return mine


def packed(found: Callable[[], Top], rows: int, k: int, first: int = 0) -> Tensor:
    """The lists of a batch, packed, their units counted from `first` on; k: their length.

    A row whose scores are not finite begins with NaN, for `recs.chosen` to find on the first rank.
    """
    scores, units = torch.zeros(rows, k), torch.zeros(rows, k, dtype=torch.int32)
    try:
        best = found()
    except NotFinite as bad:
        scores[bad.row, 0] = torch.nan
    else:
        scores.copy_(torch.from_numpy(best.score))
        units.copy_(torch.from_numpy(best.feature + first))
    return torch.cat([scores, units.view(torch.float32)], 1)


def merged(lists: Sequence[Tensor], k: int) -> Tensor:
    """The best k of several packed lists of each row, packed: highest score first, ties to the lower unit.

    lists: those of consecutive ranges of units, in their order, each sorted so. NaN stands before all numbers.
    """
    if len(lists) == 1:
        return lists[0]
    halves = [x.chunk(2, dim=1) for x in lists]
    scores = torch.cat([s for s, _ in halves], 1)
    units = torch.cat([u.view(torch.int32) for _, u in halves], 1)
    best, order = torch.sort(scores, dim=1, descending=True, stable=True)
    chosen = units.gather(1, order[:, :k])
    return torch.cat([best[:, :k], chosen.view(torch.float32)], 1)


def together(
    mesh: Mesh, rota: Rota, widths: Sequence[int], mine: Iterator[Tensor]
) -> Iterator[tuple[int, list[Tensor]]]:
    """The first example of each batch and what its group has made of it, in order, on the first rank.

    mine: float32 [rows, width] of each batch of this rank's group. widths: of what each rank of a group makes, as many
    as are to be heard: one where all ranks of a group have the same. Other ranks get nothing, and send.
    """
    placement, place = mesh.placement, mesh.placement.model_rank(mesh.rank)
    if not mesh.is_first:
        for made in mine:
            if place < len(widths):
                send(mesh, made.cpu(), 0)
        return
    for batch in range(rota.batches):
        (first, rows), leader = rota.span(batch), rota.group(batch) * placement.model
        others = zip(range(leader, leader + len(widths)), widths, strict=True)
        yield first, [receive(mesh, torch.empty(rows, w), rank) if rank else next(mine) for rank, w in others]
    deque(mine, maxlen=0)


def send(mesh: Mesh, x: Tensor, rank: int) -> None:
    """Sends a tensor of the CPU to a rank, which is to call `receive`, however long it takes to come to that."""
    if x.numel():
        with heard():
            dist.send(x.contiguous(), rank)


def receive(mesh: Mesh, x: Tensor, rank: int) -> Tensor:
    """Fills x with what a rank sends."""
    if x.numel():
        with heard():
            dist.recv(x, rank)
    return x
