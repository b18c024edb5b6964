"""The data of one bound layer for a chunk of batches, on a device: rows, and each batch's entries by unit.

A bag is what a row stores of one leaf of features, or what a batch stores of one unit; it is cut into pieces of at most
PIECE entries. What comes from a data set is loaded; everything else follows from it on the device in some whole-array
operations, without waiting for the device: how many pieces there are is bounded, not asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nnlang.codegen.grid import PIECE, gather_leaf, gather_leaves
from nnlang.lower import Slot as SlotInfo
from nnlang.runtime.dataset import DataSet
from nnlang.runtime.feed import Ids, dense_rows, lengths_of, positions, whole_lengths_of

LIMIT = 2**31  # entries of a chunk: their numbers are 32-bit integers
DENSE_BLOCK = 64 << 20  # bytes of dense rows that the host makes at a time
FLOAT, INT = torch.float32, torch.int32
OWN = ("weight", "values")  # what two slots of the same rows do not share

Shapes = Mapping[str, tuple[torch.dtype, tuple[int, ...]]]


@dataclass
class DeviceSlot:
    """A chunk's rows for one bound layer; batch b has rows b * m up to the next batch's or the chunk's last one.

    ids [rows]: global example numbers; dense [rows, units]; weight [rows]; share [rows]: 1 / entries, 0 for none.
    Of a layer that is split over ranks: units `first` on, numbered from 0; lengths [rows]: entries of whole rows, which
    share counts. A leaf of a row's sum has `leaf` units.
    By row: starts [rows + 1] first entries; index [entries] features, ascending in each row; values [entries], None for
    ones; bag (row, leaf) owns pieces row_bags[row * leaves + leaf] up to the next bag's; row_pieces: first entries.
    By unit, where asked for; the entries of a batch in the same range, sorted by unit and row: bag (batch, unit) owns
    pieces unit_bags[batch * units + unit] up to the next one's; unit_pieces: first entries; unit_row: rows within the
    batch; unit_index: units; unit_order: entry numbers by row.
    Capacities: the most entries and pieces that a batch has, or a bound. Tensors may be longer than a chunk needs.
    """

    units: int
    leaves: int
    leaf: int
    sparse: bool
    ids: Tensor
    dense: Tensor | None = None
    weight: Tensor | None = None
    share: Tensor | None = None
    lengths: Tensor | None = None
    starts: Tensor | None = None
    index: Tensor | None = None
    values: Tensor | None = None
    row_bags: Tensor | None = None
    row_pieces: Tensor | None = None
    unit_bags: Tensor | None = None
    unit_pieces: Tensor | None = None
    unit_row: Tensor | None = None
    unit_index: Tensor | None = None
    unit_order: Tensor | None = None
    entry_capacity: int = 1
    row_piece_capacity: int = 1
    unit_piece_capacity: int = 1
    first: int = 0


class Room(NamedTuple):
    """What tensors have room for: rows, batches, entries."""

    rows: int
    batches: int
    entries: int


class Capacity(NamedTuple):
    """The most entries, pieces of rows and pieces of units that a batch may have."""

    entries: int = 1
    row_pieces: int = 1
    unit_pieces: int = 1


def loaded_shapes(info: SlotInfo, data: DataSet, room: Room) -> Shapes:
    """The tensors of a slot that come from its data set."""
    weight: Shapes = {} if data.weight is None else {"weight": (FLOAT, (room.rows,))}
    if not data.facts.sparse:
        return {**weight, "dense": (FLOAT, (room.rows, info.units))}
    values: Shapes = {"values": (FLOAT, (room.entries,))} if _has_values(info, data) else {}
    lengths: Shapes = {} if data.lengths is None else {"lengths": (INT, (room.rows,))}
    return {**weight, **values, **lengths, "starts": (INT, (room.rows + 1,)), "index": (INT, (room.entries,))}


def derived_shapes(info: SlotInfo, data: DataSet, room: Room, by_unit: bool) -> Shapes:
    """The tensors of a slot that follow from the loaded ones."""
    if not data.facts.sparse:
        return {}
    bags = room.rows * gather_leaves(info.units, info.total)
    found: dict[str, tuple[torch.dtype, tuple[int, ...]]] = {
        "share": (FLOAT, (room.rows,)),
        "row_bags": (INT, (bags + 1,)),
        "row_pieces": (INT, (most_pieces(room.entries, bags) + 1,)),
    }
    if by_unit:
        bags = room.batches * info.units
        found |= {"unit_bags": (INT, (bags + 1,)), "unit_pieces": (INT, (most_pieces(room.entries, bags) + 1,))}
        found |= dict.fromkeys(("unit_row", "unit_index", "unit_order"), (INT, (room.entries,)))
    return found


def most_pieces(entries: int, bags: int) -> int:
    """The most pieces that so many entries in so many bags can make."""
    return (entries + (PIECE - 1) * min(entries, bags)) // PIECE


def size(shapes: Shapes) -> int:
    """Bytes of tensors."""
    return sum(prod(shape) * kind.itemsize for kind, shape in shapes.values())


def building(info: SlotInfo, room: Room, by_unit: bool) -> int:
    """Bytes that `derive` takes for a while, on any device."""
    bags = max(room.rows * gather_leaves(info.units, info.total), room.batches * info.units if by_unit else 0)
    width = 8 if bags >= LIMIT else 4
    each = 5 * width + 20 if by_unit else 3 * width  # sorting has two copies of keys and of 64-bit numbers
    return each * room.entries + (width + 8) * bags + 16 * most_pieces(room.entries, bags) + 24 * room.rows


def make(info: SlotInfo, shapes: Shapes, ids: Tensor, same: DeviceSlot | None) -> DeviceSlot:
    """A slot with memory for what `shapes` names; the rest is that of the slot of the same rows."""
    sparse = "dense" not in shapes
    leaves, leaf = gather_leaves(info.units, info.total), gather_leaf(info.total)
    slot = DeviceSlot(info.units, leaves, leaf, sparse, ids, first=info.first)
    if same is not None:
        slot = replace(same, weight=None, values=None)
    for name, (kind, shape) in shapes.items():
        setattr(slot, name, torch.zeros(shape, dtype=kind, device=ids.device))
    return slot


def content(info: SlotInfo, data: DataSet, ids: Ids, own: bool) -> Iterator[tuple[str, int, NDArray[np.generic]]]:
    """The loaded tensors of a slot for some examples: name, first row or entry, numbers from there on.

    `own`: only those that it does not share with a slot of the same rows.
    """
    if data.weight is not None:
        yield "weight", 0, data.weight[ids]
    if not data.facts.sparse:
        step = max(1, DENSE_BLOCK // (4 * info.units))
        for first in range(0, len(ids), step):
            yield "dense", first, dense_rows(info, data, ids[first : first + step])
        return
    lengths, where = lengths_of(data, ids), positions(data, ids)
    if not own:
        assert data.index is not None
        yield "starts", 0, np.concatenate(([0], np.cumsum(lengths)))
        yield "index", 0, data.index[where]
        if data.lengths is not None:
            yield "lengths", 0, whole_lengths_of(data, ids)
    stored, scale = data.values, _scale(info, data)
    values = None if stored is None else stored[where]
    if scale is not None:
        factor = np.repeat(scale[ids], lengths)
        values = factor if values is None else values * factor
    if values is not None:
        yield "values", 0, values


def _has_values(info: SlotInfo, data: DataSet) -> bool:
    return data.values is not None or _scale(info, data) is not None


def _scale(info: SlotInfo, data: DataSet) -> NDArray[np.float32] | None:
    """What an example's entries are multiplied with (dsstne.md 4.2)."""
    return data.weight if info.role == "input" else None


def permute(source: DeviceSlot, slot: DeviceSlot, entries: int, own: bool) -> None:
    """Loads a slot from one of all examples in stored order, in the order of its ids; `entries` of all of them.

    `own`: only what it does not share with a slot of the same rows.
    """
    order = slot.ids
    for name in ("weight", "dense"):
        if (given := getattr(source, name)) is not None:
            torch.index_select(given, 0, order, out=getattr(slot, name))
    if not slot.sparse or (own and slot.values is None):
        return
    assert source.starts is not None and slot.starts is not None
    lengths = source.starts.diff()[order]
    if not own:
        if source.lengths is not None:
            torch.index_select(source.lengths, 0, order, out=slot.lengths)
        torch.cumsum(lengths, 0, dtype=INT, out=slot.starts[1:])
    row = torch.repeat_interleave(lengths, output_size=entries)
    where = (source.starts[order] - slot.starts[:-1]).index_select(0, row)
    where += torch.arange(entries, dtype=INT, device=order.device)
    for name in ("values",) if own else ("index", "values"):
        if (given := getattr(source, name)) is not None:
            torch.index_select(given, 0, where, out=getattr(slot, name)[:entries])


def derive(slot: DeviceSlot, rows: int, entries: int, m: int) -> None:
    """Fills in what follows from a slot's rows: shares, bags and pieces, and the entries by unit in batches of m."""
    assert slot.starts is not None and slot.index is not None and slot.share is not None
    assert slot.row_bags is not None and slot.row_pieces is not None
    lengths, index = slot.starts[: rows + 1].diff(), slot.index[:entries]
    whole = lengths if slot.lengths is None else slot.lengths[:rows]
    slot.share[:rows] = torch.where(whole > 0, 1.0 / whole.double(), 0.0)
    row = torch.repeat_interleave(lengths, output_size=entries)
    bags = rows * slot.leaves
    keys = _wide(row, bags) * slot.leaves + index // slot.leaf
    _cut(keys, slot.row_bags[: bags + 1], slot.row_pieces)
    if slot.unit_bags is None:
        return
    assert slot.unit_row is not None and slot.unit_index is not None
    assert slot.unit_order is not None and slot.unit_pieces is not None
    bags = -(-rows // m) * slot.units
    keys = _wide(row, bags).div(m, rounding_mode="floor").mul_(slot.units).add_(index)
    keys, order = torch.sort(keys, stable=True)  # rows ascend, and do so in each bag
    slot.unit_order[:entries] = order
    torch.index_select(index, 0, order, out=slot.unit_index[:entries])
    torch.index_select(row.remainder_(m), 0, order, out=slot.unit_row[:entries])
    del row, order
    _cut(keys, slot.unit_bags[: bags + 1], slot.unit_pieces)


def _wide(numbers: Tensor, bags: int) -> Tensor:
    """The numbers in a type that numbers of bags fit."""
    return numbers if bags < LIMIT else numbers.long()


def _cut(keys: Tensor, bags: Tensor, pieces: Tensor) -> None:
    """Fills in which pieces each bag owns, and where each piece starts, from the ascending bag of each entry."""
    device = keys.device
    edges = torch.searchsorted(keys, torch.arange(len(bags), dtype=keys.dtype, device=device), out_int32=True)
    torch.cumsum((edges.diff() + (PIECE - 1)) // PIECE, 0, dtype=INT, out=bags[1:])
    number = torch.minimum(torch.arange(len(pieces), dtype=INT, device=device), bags[-1])
    bag = torch.searchsorted(bags, number, right=True, out_int32=True).sub_(1)
    torch.sub(number, bags.index_select(0, bag), out=pieces)
    pieces.mul_(PIECE).add_(edges.index_select(0, bag))


def measured(slot: DeviceSlot, rows: int, entries: int, m: int) -> Capacity:
    """The most pieces that a batch of a derived slot has, where its fullest batch has so many entries. Waits."""
    if slot.row_bags is None:
        return Capacity()
    at = torch.arange(0, rows + m, m, device=slot.row_bags.device).clamp_(max=rows)
    most = [slot.row_bags[at * slot.leaves].diff().max()]
    if slot.unit_bags is not None:
        most.append(slot.unit_bags[: (len(at) - 1) * slot.units + 1 : slot.units].diff().max())
    return Capacity(*(max(1, n) for n in (entries, *torch.stack(most).tolist())))


def bounded(info: SlotInfo, entries: int, m: int) -> Capacity:
    """What no batch of m rows with at most so many entries can exceed."""
    bags = (m * gather_leaves(info.units, info.total), info.units)
    return Capacity(entries, *(max(1, most_pieces(entries, n)) for n in bags))
