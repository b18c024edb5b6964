"""Everything that happens in one call of an entry point: buffers with lifetimes, launches in order, what they cost.

A plan is data for people and for emit: `dump()` is its golden text, and its sums answer what a step costs before
anything has run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nnlang.ops import Op

# What each entry point of a module says that it gives.
DOCS: Mapping[str, str] = {
    "predict": "The outputs of a batch.",
    "recommend": "The best units of each row: [m, 2k] their scores, then their numbers as the bits of int32.",
    "step": "One training step: each row's error; the states are updated in place.",
    "gradient": "Each row's error and the mean gradients, in validation mode; nothing is updated.",
    "evaluate": "Each row's error, in validation mode; nothing is updated.",
}


@dataclass(frozen=True)
class Buffer:
    """A dense value that is stored: elements = rows * per_row + fixed; alive from launch `first` to launch `last`."""

    name: str
    op: Op
    shape: tuple[int | None, ...]  # None: the rows of the batch
    first: int
    last: int
    slot: int

    def elements(self, batch: int) -> int:
        """How many elements at a batch size."""
        total = 1
        for size in self.shape:
            total *= batch if size is None else size
        return total


@dataclass(frozen=True)
class Cost:
    """What a launch does at a batch size: floating-point operations, bytes of memory read and written at least."""

    flops: float
    bytes: float


@dataclass(frozen=True)
class Traffic:
    """What a launch exchanges with other ranks: collective calls, bytes that one rank sends in them."""

    collectives: int = 0
    bytes: int = 0

    def __add__(self, other: Traffic) -> Traffic:
        return Traffic(self.collectives + other.collectives, self.bytes + other.bytes)


NONE = Traffic()


@dataclass(frozen=True)
class Launch:
    """One step of the schedule: the operation, the kind that select chose, a name that says what it is."""

    number: int
    kind: str
    name: str
    op: Op
    cost: Cost
    chunk: int = 0  # units (or rows of a state) in one go; 0 where the whole is one go
    traffic: Traffic = NONE


@dataclass(frozen=True)
class Plan:
    """One entry point, scheduled for one batch size."""

    entry: str
    batch: int
    launches: tuple[Launch, ...]
    buffers: tuple[Buffer, ...]
    slots: tuple[int, ...]  # elements of each slot of the arena
    scratch: int  # bytes of tiles beside the arena
    state_bytes: int
    feed_bytes: int
    declined: tuple[str, ...] = ()

    @property
    def flops(self) -> float:
        """Floating-point operations of one call."""
        return sum(launch.cost.flops for launch in self.launches)

    @property
    def bytes(self) -> float:
        """Bytes of memory traffic of one call, each launch reading and writing its operands once."""
        return sum(launch.cost.bytes for launch in self.launches)

    @property
    def wire(self) -> int:
        """Bytes that one rank sends in one call."""
        return sum(launch.traffic.bytes for launch in self.launches)

    @property
    def collectives(self) -> int:
        """Collective calls of one call."""
        return sum(launch.traffic.collectives for launch in self.launches)

    @property
    def peak_memory(self) -> int:
        """Bytes held at most: states, arena, tiles, one batch of the feed."""
        return self.state_bytes + 4 * sum(self.slots) + self.scratch + self.feed_bytes

    def dump(self) -> str:
        """The golden text."""
        lines = [f"plan {self.entry} batch={self.batch}"]
        lines += [f"slot {i} elements={n}" for i, n in enumerate(self.slots)]
        for b in self.buffers:
            shape = ", ".join("rows" if s is None else str(s) for s in b.shape)
            lines.append(f"buffer {b.name} [{shape}] slot={b.slot} launches={b.first}..{b.last}")
        for x in self.launches:
            chunk = f" chunk={x.chunk}" if x.chunk else ""
            cost = f"flops={x.cost.flops:.0f} bytes={x.cost.bytes:.0f}{_told(x.traffic)}"
            lines.append(f"launch {x.number} {x.name} kind={x.kind}{chunk} {cost}")
        lines += [f"declined {text}" for text in self.declined]
        total = f"flops={self.flops:.0f} bytes={self.bytes:.0f} peak_memory={self.peak_memory}"
        total += _told(Traffic(self.collectives, self.wire))
        return "\n".join([*lines, f"total launches={len(self.launches)} {total}"]) + "\n"


def _told(traffic: Traffic) -> str:
    return f" collectives={traffic.collectives} wire={traffic.bytes}" if traffic.collectives else ""
