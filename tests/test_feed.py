"""Batches against dense rows: both orders of the entries, every kind of data set, and what does not fit together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlang.codegen.grid import gather_leaf
from nnlang.codes import training as codes
from nnlang.diagnostics import DATA, Stop
from nnlang.lower import Slot as SlotInfo
from nnlang.network import Network
from nnlang.runtime.block import Slot
from nnlang.runtime.dataset import DataSet, dense_set, sparse_set
from nnlang.runtime.feed import Feed
from nnlang.runtime.kernels import densify, gather_sum, segment_sum
from tests import networks


@st.composite
def sets(draw: Any) -> tuple[DataSet, np.ndarray, np.ndarray]:
    """A sparse set with the dense values [examples, units] of its examples, and their weights."""
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    rows, units = draw(st.integers(1, 8)), draw(st.sampled_from((1, 3, 40, 2500)))
    present = random.random((rows, units)) < draw(st.sampled_from((0.0, 0.05, 0.6)))
    analog, indexed, weighted = draw(st.booleans()), draw(st.booleans()), draw(st.booleans())
    values = np.where(present, random.standard_normal((rows, units)) if analog else 1.0, 0.0).astype(np.float32)
    examples = draw(st.integers(1, 10)) if indexed else rows
    row = random.integers(0, rows, examples) if indexed else None
    weight = random.random(examples).astype(np.float32) if weighted else None
    offsets = np.concatenate(([0], np.cumsum(present.sum(1))))
    entries = values[present] if analog else None
    made = sparse_set("input", offsets, np.nonzero(present)[1], entries, width=units, weight=weight, row=row)
    return made, values[row] if indexed else values, np.ones(examples, np.float32) if weight is None else weight


def fed(data: DataSet, units: int, role: str = "target", by_unit: bool = True) -> Feed:
    """A feed of one slot."""
    net = networks.one_hidden(units, 4, units)
    stored = "dense" if not data.facts.sparse else "boolean" if data.values is None else "analog"
    info = SlotInfo(net.inputs[0].index, data.name, role, stored, units, data.weight is not None)
    return Feed(net, [info], {data.name: data}, by_unit=by_unit)


@given(
    case=sets(),
    wider=st.sampled_from((0, 7)),
    chosen=st.randoms(use_true_random=False),
    role=st.sampled_from(("input", "target")),
)
@settings(max_examples=150, deadline=None)
def test_both_orders_hold_the_rows(case: Any, wider: int, chosen: Any, role: str) -> None:
    data, values, weight = case
    units = values.shape[1] + wider
    ids = np.array([chosen.randrange(len(values)) for _ in range(chosen.randrange(1, 6))])
    (slot,) = fed(data, units, role).batch(ids).slots
    m = len(ids)
    expected = np.zeros((m, units), np.float32)
    expected[:, : values.shape[1]] = values[ids] * (weight[ids, None] if role == "input" else 1)
    assert np.array_equal(densify(slot, slot.values, torch.empty(m, units)).numpy(), expected)
    by_unit = np.zeros((units, m), np.float32)
    by_unit[np.repeat(np.arange(units), np.diff(slot.columns.numpy())), slot.rows.numpy()] = slot.by_unit().numpy()
    assert np.array_equal(by_unit.T, expected)
    assert np.array_equal(slot.flat.numpy(), np.sort(slot.index.numpy() * m + slot.row.numpy()))
    assert np.array_equal(slot.index[slot.order].numpy() * m + slot.row[slot.order].numpy(), slot.flat.numpy())
    assert np.array_equal(slot.example.numpy(), ids[slot.row.numpy()])
    stored = np.bincount(slot.row.numpy(), minlength=m)
    assert slot.share is not None
    assert np.allclose(slot.share.numpy(), np.divide(1, stored, out=np.zeros(m), where=stored > 0))
    if data.weight is not None:
        assert slot.weight is not None and np.array_equal(slot.weight.numpy(), weight[ids])
    _bags(slot, units)
    _products(slot, expected)


def _bags(slot: Slot, units: int) -> None:
    """Each bag holds the entries of one leaf of one row."""
    leaves = (len(slot.bags) - 1) // slot.m
    leaf = gather_leaf(units)
    assert leaves & (leaves - 1) == 0 and leaves * leaf >= units
    for bag in range(slot.m * leaves):
        start, end = int(slot.bags[bag]), int(slot.bags[bag + 1])
        assert (slot.row[start:end] == bag // leaves).all() and (slot.index[start:end] // leaf == bag % leaves).all()


def _products(slot: Slot, expected: np.ndarray) -> None:
    make = torch.Generator().manual_seed(1)
    m, units = expected.shape
    w, delta = torch.randn(units, 3, generator=make), torch.randn(m, 3, generator=make)
    out = gather_sum(slot, w, slot.values, torch.empty(m, 3))
    assert np.allclose(out.numpy(), expected @ w.numpy(), atol=1e-4)
    found = segment_sum(slot, delta, slot.values, 0, units)
    assert np.allclose(found.numpy(), expected.T @ delta.numpy(), atol=1e-4)
    middle = units // 2
    parts = [segment_sum(slot, delta, slot.values, a, b) for a, b in ((0, middle), (middle, units)) if b > a]
    assert torch.equal(torch.cat(parts), found)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.float32, np.float64, np.int64, np.int32])
@pytest.mark.parametrize("role", ["input", "target"])
def test_dense_values_are_scaled_by_type_and_role(dtype: Any, role: str) -> None:
    raw = np.array([[0, 1, 127], [64, 2, 5]]).astype(dtype)
    (slot,) = fed(dense_set("input", raw), 4, role).batch(np.array([1, 0, 1])).slots
    scale, shift = {"uint8": (256, -0.5 if role == "input" else 0), "int8": (128, 0)}.get(raw.dtype.name, (1, 0))
    expected = np.zeros((3, 4), np.float32)
    expected[:, :3] = raw[[1, 0, 1]].astype(np.float64) / scale + shift
    assert slot.dense is not None and np.allclose(slot.dense.numpy(), expected)


def test_class_numbers_are_one_hot() -> None:
    (slot,) = fed(dense_set("input", [2, 0, 1], classes=True, width=3), 3).batch(np.array([0, 1, 2])).slots
    assert slot.dense is not None and slot.dense.tolist() == [[0, 0, 1], [1, 0, 0], [0, 1, 0]]


def test_dense_rows_may_be_indexed() -> None:
    data = dense_set("input", np.array([[1.0], [2.0]], np.float32), row=[1, 1, 0])
    feed = fed(data, 1)
    (slot,) = feed.batch(np.array([0, 2])).slots
    assert feed.examples == 3 and slot.dense is not None and slot.dense.tolist() == [[2], [1]]


def test_consecutive_batches_are_kept_while_there_is_room() -> None:
    data = sparse_set("input", [0, 2, 3], [0, 1, 1], width=2)
    feed = fed(data, 2)
    assert feed.consecutive(0, 2) is feed.consecutive(0, 2)
    net = networks.one_hidden(2, 4, 2)
    short = Feed(net, feed.slots, {"input": data}, budget=10)
    one, two = short.consecutive(0, 2), short.consecutive(0, 2)
    assert one is not two and torch.equal(one.slots[0].index, two.slots[0].index)


def test_an_autoencoder_sorts_its_rows_once() -> None:
    sets_of = {n: sparse_set(n, [0, 2, 3], [0, 1, 1], width=2) for n in ("input", "output")}
    net = networks.one_hidden(2, 4, 2)
    slots = [SlotInfo(0, "input", "input", "boolean", 2, False), SlotInfo(2, "output", "target", "boolean", 2, False)]
    one, two = Feed(net, slots, sets_of).batch(np.array([1, 0])).slots
    assert one.index is two.index and one.order is two.order


def refused(net: Network, found: dict[str, DataSet], **info: Any) -> Any:
    slots = [SlotInfo(0, "input", "input", "boolean", 4, False), SlotInfo(2, "output", "target", "boolean", 4, False)]
    with pytest.raises(Stop) as stopped:
        Feed(net, [replace(s, **info) for s in slots], found)
    assert stopped.value.exit_code == DATA
    return stopped.value.diagnostics[0]


def test_what_does_not_fit_is_refused() -> None:
    net = networks.one_hidden(4, 3, 4)
    one, two = sparse_set("input", [0, 1, 2], [0, 3], width=4), sparse_set("output", [0, 1], [0], width=4)
    assert refused(net, {"input": one}).code is codes.MISSING_DATA
    told = refused(net, {"input": one, "output": two})
    assert told.code is codes.EXAMPLES_DIFFER and "`output` has 1" in told.message
    assert refused(net, {"input": one, "output": one}, units=3).code is codes.NARROW_LAYER
