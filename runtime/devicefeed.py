"""Batches on a device: the whole data set stays there where it fits, else chunks of it come by, the next one early.

Either way a batch holds the same numbers. Tensors keep their places: an epoch in another order, or another chunk, is
copied into the same ones, so that what was recorded over their addresses can be replayed. Only where an order has a
fuller batch than all before do capacities grow, and streaming takes new memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from nnlang.codes import training as codes
from nnlang.diagnostics import stop
from nnlang.lower import Slot as SlotInfo
from nnlang.network import Network
from nnlang.runtime import slots as parts
from nnlang.runtime.bank import Bank
from nnlang.runtime.dataset import DataSet
from nnlang.runtime.feed import Ids, bound_all, examples_of, first_same, lengths_of
from nnlang.runtime.hdf import available_memory
from nnlang.runtime.memory import text
from nnlang.runtime.slots import Capacity, DeviceSlot, Room

STREAMED = 512 << 20  # bytes of two chunks: enough that copying one takes far longer than its many small steps

Counts = Sequence[NDArray[np.int64]]  # entries of each batch, for each slot


@dataclass(frozen=True)
class Chunk:
    """Consecutive batches on the device, the first one number `first_batch` of the epoch: a slot for each bound layer.

    All are full but the last one of an epoch; `rows` are the rows of all. Valid until the next chunk is asked for.
    """

    slots: tuple[DeviceSlot, ...]
    first_batch: int
    batches: int
    rows: int


class DeviceFeed:
    """The data sets of a network, cut into batches of `batch` rows on a device.

    `needed` bytes hold it whole (and `building` more for a while); `resident` says whether they fit the budget: bytes,
    by default what is free on a GPU less `margin`, or half of a computer's free memory. `shuffled` says that orders
    will be asked for, which takes a second copy of the rows; without it the first order decides anew. Raises Stop: data
    that do not fit the network (3), no memory for chunks of one batch (4).
    """

    def __init__(
        self,
        network: Network,
        slots: Sequence[SlotInfo],
        datasets: Mapping[str, DataSet],
        *,
        batch: int,
        device: torch.device,
        by_unit: bool = True,
        shuffled: bool = False,
        budget: int | None = None,
        margin: int = 0,
    ) -> None:
        self.slots, self.device, self.by_unit, self._m = tuple(slots), device, by_unit, batch
        self.datasets = bound_all(network, slots, datasets)
        self.examples = examples_of(self.datasets)
        self.batches = -(-self.examples // batch)
        self._same = [first_same(self.slots, self.datasets, i) for i in range(len(slots))]
        self._stored = np.arange(self.examples)  # the order
        self._lengths = [lengths_of(d, self._stored) if d.facts.sparse else 0 * self._stored for d in self.datasets]
        self._budget = _free(device) - margin if budget is None else budget
        self._capacities = [Capacity() for _ in slots]
        self._single: tuple[Bank, list[Room]] | None = None
        self._decide(shuffled)

    def chunks(self, order: Ids | None = None, first_batch: int = 0) -> Iterator[Chunk]:
        """An epoch in stored order, or in that of a permutation of the examples, from a batch on.

        A resident feed gives the whole epoch as one chunk; else the first chunk begins with the batch.
        """
        if order is not None and self.resident and not self._shuffled:
            self._decide(shuffled=True)
        if first_batch >= self.batches:
            return
        if self.resident:
            yield Chunk(self._whole(order), 0, self.batches, self.examples)
        else:
            yield from self._streamed(self._stored if order is None else order, first_batch)

    def batch(self, ids: Ids) -> Chunk:
        """One batch of any examples, up to a full batch of them; valid until the next call."""
        entries = [np.array([n[ids].sum()]) for n in self._lengths]
        bank, rooms = self._single or (None, [Room(self._m, 1, 1) for _ in self.slots])
        if bank is None or _exceed(entries, rooms):
            rooms = [r._replace(entries=max(r.entries, int(n[0]))) for r, n in zip(rooms, entries, strict=True)]
            bank = self._bank(rooms)
            bank.set([parts.bounded(info, r.entries, self._m) for info, r in zip(self.slots, rooms, strict=True)])
            self._single = bank, rooms
        self._fill(bank, ids)
        return Chunk(bank.slots, 0, 1, len(ids))

    def _decide(self, shuffled: bool) -> None:
        """Whether the data set is to stay on the device, or how many batches of it a chunk is to hold."""
        self._shuffled = shuffled
        self._resident_bank: Bank | None = None
        self._source: Bank | None = None
        self._pair: tuple[Bank, Bank] | None = None
        whole = self._rooms(self.batches, self._entries(self._stored, self._m), self._m)
        self.needed = self._size(whole) + (self._size(whole, derived=False) if shuffled else 0)
        self.building = self._building(whole)
        self.resident = self.needed + self.building <= self._budget and max(r.entries for r in whole) < parts.LIMIT
        self._streamed_rooms = [] if self.resident else self._plan(self._stored)

    def _entries(self, order: Ids, m: int) -> Counts:
        starts = np.arange(0, self.examples, m)
        return [np.add.reduceat(n[order], starts) for n in self._lengths]

    def _rooms(self, batches: int, entries: Counts, m: int) -> list[Room]:
        """Room for so many batches of average entries, or for the fullest one."""
        each = (max(int(n.max()), -(-int(n.sum()) * batches // len(n)), 1) for n in entries)
        return [Room(min(self.examples, batches * m), batches, n) for n in each]

    def _plan(self, order: Ids) -> list[Room]:
        """Room for as many batches of an order as a streamed chunk may hold; Stop (4) where not even one fits."""

        def taken(batches: int, m: int) -> tuple[int, int]:
            """Bytes of two chunks, and entries of one."""
            rooms = self._rooms(batches, self._entries(order, m), m)
            return 2 * self._size(rooms) + self._building(rooms), max(r.entries for r in rooms)

        def fits(batches: int, m: int, budget: int) -> bool:
            return all(n <= most for n, most in zip(taken(batches, m), (budget, parts.LIMIT - 1), strict=True))

        count, m = self.batches, self._m
        while count > 1 and not fits(count, m, min(self._budget, STREAMED)):
            count //= 2
        if count > 1 or fits(1, m, self._budget):
            return self._rooms(count, self._entries(order, m), m)
        bytes, entries = taken(1, m)
        while m > 1 and not fits(1, m, self._budget):
            m //= 2
        help = None
        if not fits(1, m, self._budget):
            help = "no batch is small enough: use fewer units, or a machine with more memory"
        elif entries >= parts.LIMIT:
            help = f"a batch may store {parts.LIMIT - 1} entries: use a smaller one (-b {m} would fit)"
        raise stop(codes.OUT_OF_MEMORY, help=help, needed=text(bytes), free=text(self._budget), batch=m)

    def _shapes(self, i: int, room: Room, derived: bool) -> parts.Shapes:
        """The tensors of slot i that it does not share with an earlier one."""
        info, data = self.slots[i], self.datasets[i]
        shapes = {**parts.loaded_shapes(info, data, room)}
        if derived:
            shapes |= parts.derived_shapes(info, data, room, self.by_unit)
        return shapes if self._same[i] == i else {name: shapes[name] for name in parts.OWN if name in shapes}

    def _size(self, rooms: Sequence[Room], derived: bool = True) -> int:
        return 8 * rooms[0].rows + sum(parts.size(self._shapes(i, room, derived)) for i, room in enumerate(rooms))

    def _building(self, rooms: Sequence[Room]) -> int:
        sparse = (i for i, data in enumerate(self.datasets) if data.facts.sparse)
        return max((parts.building(self.slots[i], rooms[i], self.by_unit) for i in sparse), default=0)

    def _bank(self, rooms: Sequence[Room], derived: bool = True, stream: torch.cuda.Stream | None = None) -> Bank:
        with torch.inference_mode(False):  # else only inference mode could write to them
            ids = torch.zeros(rooms[0].rows, dtype=torch.int64, device=self.device)
            made: list[DeviceSlot] = []
            for i, info in enumerate(self.slots):
                same = made[self._same[i]] if self._same[i] < i else None
                made.append(parts.make(info, self._shapes(i, rooms[i], derived), ids, same))
            return Bank(made, stream)

    def _fill(self, bank: Bank, ids: Ids, derived: bool = True) -> None:
        """Some examples from the data sets into a bank."""
        bank.put(0, "ids", 0, ids)
        for i, (info, data) in enumerate(zip(self.slots, self.datasets, strict=True)):
            for name, first, numbers in parts.content(info, data, ids, self._same[i] < i):
                bank.put(i, name, first, numbers)
        if derived:
            self._derive(bank, ids)

    def _derive(self, bank: Bank, ids: Ids) -> None:
        for i, slot in enumerate(bank.slots):
            if slot.sparse and self._same[i] == i:
                parts.derive(slot, len(ids), int(self._lengths[i][ids].sum()), self._m)

    def _grow(self, found: Sequence[Capacity]) -> list[Capacity]:
        """Capacities for all that was found so far."""
        pairs = zip(self._capacities, found, strict=True)
        self._capacities = [Capacity(*map(max, old, new)) for old, new in pairs]
        return self._capacities

    def _whole(self, order: Ids | None) -> tuple[DeviceSlot, ...]:
        """The whole epoch; built once where nobody wants another order than the data set's."""
        bank, ids = self._resident_bank, self._stored if order is None else order
        if bank is not None and self._source is None:
            return bank.slots
        entries = self._entries(ids, self._m)
        if bank is None:
            rooms = self._rooms(self.batches, entries, self._m)
            bank = self._resident_bank = self._bank(rooms)
            self._source = self._bank(rooms, derived=False) if self._shuffled else None
            self._fill(self._source or bank, self._stored, derived=False)
        if self._source is not None:
            self._permute(self._source, bank, ids)
        self._derive(bank, ids)
        pairs = zip(bank.slots, entries, strict=True)
        bank.set(self._grow([parts.measured(slot, self.examples, int(n.max()), self._m) for slot, n in pairs]))
        return bank.slots

    def _permute(self, source: Bank, bank: Bank, ids: Ids) -> None:
        bank.put(0, "ids", 0, ids)
        for i, (old, new) in enumerate(zip(source.slots, bank.slots, strict=True)):
            parts.permute(old, new, int(self._lengths[i].sum()), self._same[i] < i)

    def _streamed(self, order: Ids, first: int) -> Iterator[Chunk]:
        """Chunks of whole batches; the next one is loaded while the one that was given is used."""
        banks, m = self._banks(order), self._m
        spans = list(pairwise(self._cuts(order, first)))
        worker = ThreadPoolExecutor(1) if self.device.type == "cuda" else None

        def started(number: int) -> Callable[[], object]:
            ids = order[spans[number][0] * m : spans[number][1] * m]
            job = partial(banks[number % 2].load, partial(self._fill, ids=ids))
            return worker.submit(job).result if worker else job

        try:
            wait = started(0)
            for number, (begin, end) in enumerate(spans):
                wait()
                if number + 1 < len(spans):
                    wait = started(number + 1)
                with banks[number % 2].in_use() as slots:
                    yield Chunk(slots, begin, end - begin, min(end * m, self.examples) - begin * m)
        finally:
            if worker:
                worker.shutdown()

    def _banks(self, order: Ids) -> tuple[Bank, Bank]:
        """The tensors that chunks of an order are loaded into, in turn; new ones where a batch does not fit the old."""
        entries = self._entries(order, self._m)
        if self._pair is None or _exceed(entries, self._streamed_rooms):
            self._streamed_rooms = rooms = self._plan(order)
            stream = _stream(self.device)
            self._pair = self._bank(rooms, stream=stream), self._bank(rooms, stream=stream)
        fullest = (max(1, int(n.max())) for n in entries)
        found = self._grow([parts.bounded(i, n, self._m) for i, n in zip(self.slots, fullest, strict=True)])
        for bank in self._pair:
            bank.set(found)
        return self._pair

    def _cuts(self, order: Ids, first: int) -> list[int]:
        """The first batch of each chunk of an order from a batch on, and the end."""
        before = [np.concatenate(([0], np.cumsum(n))) for n in self._entries(order, self._m)]
        cuts, most = [first], self._streamed_rooms[0].batches
        while cuts[-1] < self.batches:
            ends = (int(np.searchsorted(n, n[cuts[-1]] + room.entries, "right")) - 1
                    for n, room in zip(before, self._streamed_rooms, strict=True))  # fmt: skip
            cuts.append(min(self.batches, cuts[-1] + most, *ends))
        return cuts


def _exceed(entries: Counts, rooms: Sequence[Room]) -> bool:
    """Whether a batch holds more entries than there is room for."""
    return any(int(n.max()) > room.entries for n, room in zip(entries, rooms, strict=True))


def _free(device: torch.device) -> int:
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else available_memory() // 2


def _stream(device: torch.device) -> torch.cuda.Stream | None:
    """A stream of its own for copies, on a GPU."""
    return torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]
