"""The two ways of running an emitted module: torch calls on the CPU, Triton kernels over chunks of batches on a device.

Both hand out what they run as parts of a feed, and run an entry point on the (first) batch of a part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from types import ModuleType
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from nnlang.codegen.plan import Plan
from nnlang.runtime import collective
from nnlang.runtime.block import Block
from nnlang.runtime.collective import Ranks
from nnlang.runtime.devicefeed import Chunk, DeviceFeed
from nnlang.runtime.devices import Device
from nnlang.runtime.feed import Batch, Feed, Ids

INTS = 8  # of a step block: rows, position, number of the batch in its chunk, epoch, step, seed, two spare ones
ALIGNED = 4  # floats: rows of a table begin at multiples of 16 bytes, so that kernels are compiled once for all of them


class At(NamedTuple):
    """Where in a run a call stands: what its random numbers are keyed by."""

    seed: int = 0
    epoch: int = 0
    steps: int = 0


@dataclass(frozen=True)
class Part:
    """Consecutive batches of a chunk, `first` counted in it."""

    chunk: Chunk
    size: int  # rows of a full batch
    first: int = 0
    count: int = 1

    @property
    def rows(self) -> int:
        """Rows of all its batches."""
        start = self.first * self.size
        return min(self.chunk.rows, start + self.count * self.size) - start

    @property
    def slots(self) -> Sequence[Any]:
        """The data of the whole chunk, by bound layer."""
        return self.chunk.slots

    def split(self) -> list[Part]:
        """Its batches, one by one."""
        return [Part(self.chunk, self.size, self.first + i) for i in range(self.count)]

    def ints(self, at: At) -> list[int]:
        """The whole numbers of the step block of its (first) batch."""
        return [self.rows, self.first * self.size, self.first, at.epoch, at.steps, at.seed, 0, 0]


Given = Mapping[str, float]  # scalars by name


class Groups(NamedTuple):
    """Whom a rank adds up with: those that share its rows, those that share its units."""

    ranks: Ranks = collective.ALONE
    replicas: Ranks = collective.ALONE


ALONE = Groups()


class Executor(Protocol):
    """Runs the entry points of a module."""

    def parts(self, feed: Any, order: Ids | None = None, first: int = 0, most: int = 1) -> Iterator[Any]:
        """A feed's examples (in an order) as parts of at most so many batches, from batch `first` on."""

    def run(self, entry: str, states: Sequence[Tensor], part: Any, given: Given, at: At) -> tuple[Tensor, ...]:
        """What an entry point gives on a batch."""


class CpuExecutor:
    """Runs a module of torch calls."""

    def __init__(
        self, module: ModuleType, plans: Mapping[str, Plan], batch: int, dtype: torch.dtype, groups: Groups = ALONE
    ) -> None:
        self._module, self._batch, self._dtype, self._groups = module, batch, dtype, groups
        self.arenas = {name: [torch.empty(n, dtype=dtype) for n in plan.slots] for name, plan in plans.items()}
        self.tiles: dict[int, Tensor] = {}

    def parts(self, feed: Feed, order: Ids | None = None, first: int = 0, most: int = 1) -> Iterator[Batch]:
        """The batches of a feed, one by one."""
        size = self._batch
        for start in range(first * size, feed.examples, size):
            end = min(start + size, feed.examples)
            yield feed.consecutive(start, end) if order is None else feed.batch(order[start:end])

    def run(self, entry: str, states: Sequence[Tensor], part: Batch, given: Given, at: At) -> tuple[Tensor, ...]:
        """What an entry point gives on a batch."""
        ids = torch.from_numpy(part.ids)
        where = (at.seed, at.epoch, at.steps)
        block = Block(part.rows, ids, dict(given), *where, self.arenas[entry], self.tiles, self._dtype, *self._groups)
        found: tuple[Tensor, ...] = getattr(self._module, entry)(states, part.slots, block)
        return found


class Scratch:
    """Numbered memory of kernels, grown on demand; `generation` counts how often addresses have changed."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._held: dict[object, Tensor] = {}
        self.generation = 0

    def __call__(self, number: object, *shape: int) -> Tensor:
        """float32 memory of a shape; the same number is the same memory."""
        count = prod(shape)
        if number not in self._held or self._held[number].numel() < count:
            self._held[number] = torch.empty(count, dtype=torch.float32, device=self._device)
            self.generation += 1
        return self._held[number][:count].view(shape)


@dataclass(frozen=True)
class DeviceBlock:
    """The step block of a batch on a device: rows of a full batch; this one's numbers, to be read by kernels."""

    rows: int
    ints: Tensor  # int64 [INTS]
    scalars: Tensor  # float32, in the order of the module's SCALARS
    arena: Sequence[Tensor]
    scratch: Scratch
    ranks: Ranks = collective.ALONE  # that share the units of split layers
    replicas: Ranks = collective.ALONE  # that share the rows of a batch

    def buffer(self, slot: int, *shape: int) -> Tensor:
        """A view of an arena slot."""
        return self.arena[slot][: prod(shape)].view(shape)


@dataclass
class Tables:
    """The step blocks of some steps on the device: what the host fills in before they run."""

    ints: Tensor  # int64 [steps, INTS]
    scalars: Tensor  # float32 [steps, scalars, padded]
    device: Device

    @classmethod
    def of(cls, steps: int, scalars: int, device: Device) -> Tables:
        """Tables for so many steps."""
        ints = torch.zeros(steps, INTS, dtype=torch.int64, device=device.torch)
        width = max(1, -(-scalars // ALIGNED)) * ALIGNED
        return cls(ints, torch.zeros(steps, width, device=device.torch), device)

    def fill(self, ints: Sequence[Sequence[int]], scalars: Sequence[Sequence[float]]) -> None:
        """Queues the numbers of the first steps, a row each."""
        upload(self.device, self.ints, ints)
        upload(self.device, self.scalars, [[*row, *[0.0] * (self.scalars.shape[1] - len(row))] for row in scalars])


def upload(device: Device, table: Tensor, rows: Sequence[object]) -> None:
    """Queues a copy of numbers into the first rows of a table; the host may go on at once."""
    given = torch.tensor(rows, dtype=table.dtype)
    table[: len(rows)].copy_(given.pin_memory() if device.on_gpu else given, non_blocking=True)


@dataclass
class DeviceExecutor:
    """Runs a module of Triton kernels: arenas, scratch memory and step blocks stand on the device."""

    module: ModuleType
    plans: Mapping[str, Plan]
    batch: int
    device: Device
    groups: Groups = ALONE
    scratch: Scratch = field(init=False)

    def __post_init__(self) -> None:
        def arena(plan: Plan) -> list[Tensor]:
            return [torch.empty(n, dtype=torch.float32, device=self.device.torch) for n in plan.slots]

        self.scratch = Scratch(self.device.torch)
        self._arenas = {name: arena(plan) for name, plan in self.plans.items()}
        self._tables = {name: self.tables(name, 1) for name in self.plans}

    def tables(self, entry: str, steps: int) -> Tables:
        """Step blocks for some calls of an entry point."""
        return Tables.of(steps, len(self.module.SCALARS[entry]), self.device)

    def scalars(self, entry: str, given: Given) -> list[float]:
        """A row of scalars in the order that the module wants."""
        return [given[name] for name in self.module.SCALARS[entry]]

    def parts(self, feed: DeviceFeed, order: Ids | None = None, first: int = 0, most: int = 1) -> Iterator[Part]:
        """The chunks of a feed, cut into parts."""
        for chunk in feed.chunks(order, first):
            for number in range(max(0, first - chunk.first_batch), chunk.batches, most):
                yield Part(chunk, self.batch, number, min(most, chunk.batches - number))

    def call(
        self, entry: str, states: Sequence[Tensor], slots: Sequence[Any], tables: Tables, row: int
    ) -> tuple[Tensor, ...]:
        """Queues an entry point on the batch that a row of step blocks names."""
        numbers = tables.ints[row], tables.scalars[row]
        block = DeviceBlock(self.batch, *numbers, self._arenas[entry], self.scratch, *self.groups)
        function: Callable[..., tuple[Tensor, ...]] = getattr(self.module, entry)
        with np.errstate(all="ignore"):  # the interpreter computes with numpy, which warns of what masks throw away
            return function(states, slots, block)

    def run(self, entry: str, states: Sequence[Tensor], part: Part, given: Given, at: At) -> tuple[Tensor, ...]:
        """What an entry point gives on the first batch of a part: whole buffers, of a full batch's rows."""
        tables, one = self._tables[entry], part.split()[0]
        tables.fill([one.ints(at)], [self.scalars(entry, given)])
        return self.call(entry, states, part.slots, tables, 0)
