"""Chunks on a device against the CPU's batches: the same entries by row and by unit, wherever the data set stands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from nnlang.codegen.grid import PIECE
from nnlang.diagnostics import MEMORY, Stop
from nnlang.lower import Slot as SlotInfo
from nnlang.runtime import devicefeed, slots
from nnlang.runtime.block import Slot
from nnlang.runtime.dataset import DataSet, dense_set, sparse_set
from nnlang.runtime.devicefeed import Chunk, DeviceFeed
from nnlang.runtime.feed import Feed, Ids
from nnlang.runtime.slots import DeviceSlot
from tests import networks

CPU = torch.device("cpu")
on_each_device = pytest.mark.parametrize(
    "device",
    [
        CPU,
        pytest.param(
            torch.device("cuda"),
            marks=[pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")],
        ),
    ],
    ids=str,
)


def sparse(name: str, rows: int, units: int, seed: int, *, analog: bool = False, **options: Any) -> DataSet:
    """Rows of all fillings, from empty ones to full ones; some units are never stored."""
    random = np.random.default_rng(seed)
    filling = random.choice([0.0, 0.02, 0.3, 1.0], (rows, 1))
    present = (random.random((rows, units)) < filling) & (random.random(units) < 0.8)
    values = random.standard_normal(int(present.sum())).astype(np.float32) if analog else None
    offsets = np.concatenate(([0], np.cumsum(present.sum(1))))
    return sparse_set(name, offsets, np.nonzero(present)[1], values, width=units, **options)


def stored(data: DataSet, role: str) -> str:
    """How lowering calls what a data set holds."""
    if not data.facts.sparse:
        return "dense"
    return "analog" if data.values is not None or (role == "input" and data.weight is not None) else "boolean"


class Fed:
    """The data sets of an input and an output layer, as a device's feed and as the CPU's."""

    def __init__(self, one: DataSet, two: DataSet, wider: int = 0) -> None:
        units = one.facts.units + wider, two.facts.units + wider
        self.net, self.sets = networks.one_hidden(units[0], 4, units[1]), {d.name: d for d in (one, two)}
        self.infos = [
            SlotInfo(0, one.name, "input", stored(one, "input"), units[0], one.weight is not None),
            SlotInfo(2, two.name, "target", stored(two, "target"), units[1], two.weight is not None),
        ]
        self.cpu = Feed(self.net, self.infos, self.sets)

    def device(self, batch: int, device: torch.device = CPU, **options: Any) -> DeviceFeed:
        return DeviceFeed(self.net, self.infos, self.sets, batch=batch, device=device, **options)

    def streamed(self, batch: int, device: torch.device = CPU) -> DeviceFeed:
        """A feed with one byte too few to stay."""
        whole = self.device(batch, device)
        found = self.device(batch, device, budget=whole.needed + whole.building - 1)
        assert not found.resident
        return found


@st.composite
def fed(draw: Any) -> Fed:
    """An input beside an output of the same rows, of others, of dense values or of classes."""
    seed, rows = draw(st.integers(0, 2**32 - 9)), draw(st.integers(1, 30))
    random, units = np.random.default_rng(seed), draw(st.sampled_from((1, 3, 40, 2500)))
    row = random.integers(0, rows, draw(st.integers(1, 30))) if draw(st.booleans()) else None
    examples = rows if row is None else len(row)
    weights = [random.random(examples).astype(np.float32) if draw(st.booleans()) else None for _ in range(2)]
    analog = draw(st.booleans())
    one = sparse("input", rows, units, seed, analog=analog, weight=weights[0], row=row)
    makers: dict[str, Callable[[], DataSet]] = {
        "same": lambda: sparse("output", rows, units, seed, analog=analog, weight=weights[1], row=row),
        "other": lambda: sparse("output", examples, units, seed + 1, weight=weights[1]),
        "dense": lambda: dense_set("output", random.integers(0, 255, (examples, 5)).astype(np.uint8)),
        "classes": lambda: dense_set("output", random.integers(0, 4, examples), classes=True, width=4),
    }
    return Fed(one, makers[draw(st.sampled_from(sorted(makers)))](), draw(st.sampled_from((0, 7))))


def check_epoch(case: Fed, feed: DeviceFeed, m: int, order: Ids | None = None, first: int = 0) -> None:
    """Each batch of an epoch holds what the CPU's feed hands out for it."""
    ids, at = np.arange(feed.examples) if order is None else order, first
    for chunk in feed.chunks(order, first):
        assert chunk.first_batch <= at and chunk.rows == len(ids[chunk.first_batch * m :][: chunk.batches * m])
        for number in range(at - chunk.first_batch, chunk.batches):
            check_batch(case, chunk, number, ids[at * m : (at + 1) * m], m)
            at += 1
    assert at == max(first, feed.batches)


def check_batch(case: Fed, chunk: Chunk, number: int, ids: Ids, m: int) -> None:
    for found, expected in zip(chunk.slots, case.cpu.batch(ids).slots, strict=True):
        rows = slice(number * m, number * m + len(ids))
        assert np.array_equal(found.ids[rows].cpu().numpy(), ids) and found.units == expected.units
        check_same(found.weight, expected.weight, rows)
        check_same(found.dense, expected.dense, rows)
        assert found.sparse == (expected.dense is None)
        if found.sparse:
            check_same(found.share, expected.share, rows)
            check_rows(found, expected, rows)
            check_units(found, expected, number, rows)


def check_same(found: Tensor | None, expected: Tensor | None, part: slice) -> None:
    assert (found is None) == (expected is None)
    assert found is None or torch.equal(found[part].cpu(), expected)


def check_rows(found: DeviceSlot, expected: Slot, rows: slice) -> None:
    entries = entries_of(found, rows)
    assert entries.stop - entries.start == len(expected.index) <= found.entry_capacity
    check_same(found.index, expected.index, entries)
    check_same(found.values, expected.values, entries)
    bags = found.row_bags[rows.start * found.leaves : rows.stop * found.leaves + 1].cpu()
    check_pieces(bags, found.row_pieces, expected.bags + entries.start, found.row_piece_capacity)


def check_units(found: DeviceSlot, expected: Slot, number: int, rows: slice) -> None:
    entries = entries_of(found, rows)
    check_same(found.unit_row, expected.rows, entries)
    check_same(found.unit_order, expected.order + entries.start, entries)
    check_same(found.unit_index, expected.index[expected.order], entries)
    bags = found.unit_bags[number * found.units : (number + 1) * found.units + 1].cpu()
    check_pieces(bags, found.unit_pieces, expected.columns + entries.start, found.unit_piece_capacity)


def entries_of(found: DeviceSlot, rows: slice) -> slice:
    return slice(int(found.starts[rows.start]), int(found.starts[rows.stop]))


def check_pieces(bags: Tensor, pieces: Tensor, edges: Tensor, capacity: int) -> None:
    """Bags begin at the edges (in entries); each has no more pieces than it must, of 1 to PIECE entries."""
    assert torch.equal(pieces.cpu()[bags].long(), edges)
    assert torch.equal(bags.diff().long(), -(-edges.diff() // PIECE))
    sizes = pieces.cpu()[int(bags[0]) : int(bags[-1]) + 1].diff()
    assert ((sizes >= 1) & (sizes <= PIECE)).all() and len(sizes) <= capacity


@on_each_device
@given(case=fed(), m=st.integers(1, 12), seed=st.integers(0, 99), where=st.sampled_from(("resident", "streamed")))
@settings(max_examples=30, deadline=None)
def test_a_batch_is_that_of_the_cpu(device: torch.device, case: Fed, m: int, seed: int, where: str) -> None:
    if where == "resident":
        return check_epochs(case, case.device(m, device), m, seed)
    try:
        check_epochs(case, case.streamed(m, device), m, seed)
    except Stop:
        assume(False)  # two chunks of one batch may take more than all of so small a data set


def check_epochs(case: Fed, feed: DeviceFeed, m: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    check_epoch(case, feed, m)
    check_epoch(case, feed, m, first=int(random.integers(0, feed.batches + 1)))
    for order in (random.permutation(feed.examples) for _ in range(3)):
        check_epoch(case, feed, m, order, int(random.integers(0, 3)))
    check_epoch(case, feed, m)
    for _ in range(3):
        ids = random.integers(0, feed.examples, random.integers(1, m + 1))
        check_batch(case, feed.batch(ids), 0, ids, m)


def autoencoder(rows: int = 200, units: int = 60, **options: Any) -> Fed:
    data = sparse("input", rows, units, 3, **options)
    return Fed(data, replace(data, name="output"))


def tensors(*found: tuple[DeviceSlot, ...]) -> dict[int, Tensor]:
    """Every tensor of some slots, by its address."""
    return {t.data_ptr(): t for one in found for s in one for t in vars(s).values() if isinstance(t, Tensor)}


def addresses(chunk: Chunk) -> tuple[object, ...]:
    """What a recorded launch depends on."""
    return tuple(t.data_ptr() if isinstance(t, Tensor) else t for s in chunk.slots for t in vars(s).values())


def test_an_autoencoder_has_its_rows_once() -> None:
    (chunk,) = autoencoder(weight=np.ones(200, np.float32)).device(16).chunks()
    one, two = chunk.slots
    assert one.index is two.index and one.unit_order is two.unit_order and one.ids is two.ids
    assert one.values is not None and two.values is None and one.weight is not two.weight


def test_what_stays_keeps_its_place() -> None:
    case = autoencoder()
    feed = case.device(16)
    assert next(feed.chunks()).slots is next(feed.chunks(None, 3)).slots
    feed, random = case.device(16, shuffled=True), np.random.default_rng(0)
    places = {addresses(chunk)[:-3] for _ in range(4) for chunk in feed.chunks(random.permutation(200))}
    moved = {tuple(tensors(chunk.slots)) for chunk in feed.chunks()}
    assert len({key[3] for key in places}) == 1 and len(moved) == 1


def test_streaming_alternates_between_two_places() -> None:
    feed = autoencoder().streamed(16)
    one, two = ([addresses(chunk) for chunk in feed.chunks()] for _ in range(2))
    assert len(one) > 2 and len({*one, *two}) == 2 and one == two and one[0] != one[1] and one[2:] == one[:-2]


def test_capacities_grow_with_the_fullest_batch_only() -> None:
    """Rows in the order of their length make the fullest batches; after them every order fits."""
    case, random = autoencoder(), np.random.default_rng(0)
    data = case.sets["input"]
    assert data.start is not None and data.end is not None
    by_length = np.argsort(data.start - data.end, kind="stable")
    for feed in (case.device(16, shuffled=True), case.streamed(16)):
        first = {addresses(chunk) for chunk in feed.chunks(random.permutation(200))}
        check_epoch(case, feed, 16, by_length)
        full = {addresses(chunk) for chunk in feed.chunks(by_length)}
        assert not first & full
        assert {addresses(chunk) for chunk in feed.chunks(random.permutation(200))} == full


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("by_unit", [False, True])
@pytest.mark.parametrize("units", [60, 2500])
def test_memory_is_counted_before_it_is_taken(shuffled: bool, by_unit: bool, units: int) -> None:
    data = sparse("input", 200, units, 3, analog=True)
    case = Fed(data, dense_set("output", np.ones((200, 9), np.float32), weight=np.ones(200)))
    feed = case.device(16, shuffled=shuffled, by_unit=by_unit)
    (chunk,) = feed.chunks(np.arange(200)[::-1] if shuffled else None)
    assert chunk.slots[0].unit_bags is None or by_unit
    source = feed._source.slots if feed._source is not None else ()
    taken = sum(t.nbytes for t in tensors(chunk.slots, source).values())
    assert taken == pytest.approx(feed.needed, rel=0.001)
    assert case.device(16, shuffled=shuffled, by_unit=by_unit, budget=feed.needed + feed.building).resident


def test_an_order_may_take_the_room_for_staying() -> None:
    case = autoencoder()
    whole = case.device(16)
    feed = case.device(16, budget=whole.needed + whole.building)
    assert feed.resident
    check_epoch(case, feed, 16, np.arange(200)[::-1])
    assert not feed.resident


def test_no_room_for_a_batch_is_told_with_the_batch_that_fits() -> None:
    case = autoencoder()
    with pytest.raises(Stop) as stopped:
        case.device(200, budget=60_000)
    assert stopped.value.exit_code == MEMORY
    (told,) = stopped.value.diagnostics
    fits = int(told.facts["batch"])
    assert 1 < fits < 200 and not case.device(fits, budget=60_000).resident
    with pytest.raises(Stop) as stopped:
        case.device(200, budget=100)
    assert "no batch is small enough" in str(stopped.value.diagnostics[0].help)


def test_numbers_of_entries_stay_below_their_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    case = autoencoder()
    data = case.sets["input"]
    monkeypatch.setattr(slots, "LIMIT", 400)
    assert data.facts.entries > 1000
    feed = case.device(4)
    assert not feed.resident
    check_epoch(case, feed, 4)
    assert all(entries_of(c.slots[0], slice(0, c.rows)).stop < 400 for c in feed.chunks())
    with pytest.raises(Stop) as stopped:
        case.device(64)
    assert "store 399 entries" in str(stopped.value.diagnostics[0].help)


def test_an_unfinished_epoch_leaves_the_next_one_whole() -> None:
    case = autoencoder()
    feed = case.streamed(16)
    started: Iterator[Chunk] = feed.chunks()
    next(started)
    del started
    check_epoch(case, feed, 16)


def test_chunks_made_in_inference_mode_serve_outside() -> None:
    case = autoencoder()
    for feed in (case.device(16, shuffled=True), case.streamed(16)):
        with torch.inference_mode():
            check_epoch(case, feed, 16)
        check_epoch(case, feed, 16, np.arange(200)[::-1])


def test_a_free_gpu_is_not_asked_for_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devicefeed, "available_memory", lambda: 1 << 30)
    assert autoencoder().device(16).resident
    with pytest.raises(Stop):
        autoencoder().device(16, margin=1 << 30)
