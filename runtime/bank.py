"""One set of tensors that a feed loads batches into, on a GPU by a stream of its own while others compute."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nnlang.runtime.slots import Capacity, DeviceSlot


class Bank:
    """Slots whose tensors stay where they are; with a stream, the pinned memory that they are copied from."""

    def __init__(self, slots: Sequence[DeviceSlot], stream: torch.cuda.Stream | None) -> None:
        self.slots = tuple(slots)
        self._stream = stream
        self._pinned: dict[tuple[int, str], Tensor] = {}
        if stream is not None:
            self._loaded, self._left = _event(), _event()
            self._left.record()  # the memory of these tensors may have been another's until now
            for tensor in (t for slot in self.slots for t in vars(slot).values() if isinstance(t, Tensor)):
                tensor.record_stream(stream)  # nor may it be another's before the last copy is done

    def set(self, capacities: Sequence[Capacity]) -> None:
        """Gives the slots these capacities; they stay the same objects where nothing changes."""
        pairs = list(zip(self.slots, capacities, strict=True))
        if any(_capacity(slot) != wanted for slot, wanted in pairs):
            self.slots = tuple(
                replace(s, entry_capacity=c.entries, row_piece_capacity=c.row_pieces, unit_piece_capacity=c.unit_pieces)
                for s, c in pairs
            )

    def put(self, i: int, name: str, first: int, numbers: NDArray[np.generic]) -> None:
        """Copies numbers into a tensor of slot i from element (or row) `first` on."""
        target: Tensor = getattr(self.slots[i], name)
        source = torch.from_numpy(np.require(numbers, requirements=["C", "W"]))
        place = slice(first, first + len(numbers))
        if self._stream is not None:
            pinned = self._pinned.get((i, name))
            if pinned is None:
                pinned = self._pinned[i, name] = torch.empty_like(target, device="cpu", pin_memory=True)
            source = pinned[place].copy_(source)
        target[place].copy_(source, non_blocking=self._stream is not None)

    def load(self, fill: Callable[[Bank], None]) -> None:
        """Fills the bank: at once, or queued behind all that uses what it holds now."""
        if self._stream is None:
            return fill(self)
        self._loaded.synchronize()  # the pinned memory is free when its last copies are done
        with torch.cuda.stream(self._stream):
            self._stream.wait_event(self._left)
            fill(self)
            self._loaded.record()

    @contextmanager
    def in_use(self) -> Iterator[tuple[DeviceSlot, ...]]:
        """The slots, for work that is queued while this lasts."""
        if self._stream is None:
            yield self.slots
            return
        torch.cuda.current_stream(self._stream.device).wait_event(self._loaded)
        try:
            yield self.slots
        finally:
            self._left.record(torch.cuda.current_stream(self._stream.device))


def _capacity(slot: DeviceSlot) -> Capacity:
    return Capacity(slot.entry_capacity, slot.row_piece_capacity, slot.unit_piece_capacity)


def _event() -> torch.cuda.Event:
    return torch.cuda.Event()  # type: ignore[no-untyped-call]
