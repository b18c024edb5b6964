"""What an emitted CPU module calls beside torch: sums in a fixed order, sparse gathers, counter-based masks."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from nnlang.formulas import MAX_LOG
from nnlang.runtime.block import Block, Slot
from nnlang.runtime.collective import ALONE, Ranks
from nnlang.runtime.philox import keep_units, uniform_entries


class Tree:
    """The sum of leaves that come one after another, by one balanced tree: a counter of partial sums, largest first."""

    def __init__(self) -> None:
        self._partial: list[tuple[int, Tensor]] = []  # (log2 of the leaves in it, their sum)

    def add(self, leaf: Tensor, rank: int = 0) -> None:
        """Takes the next leaf (or the finished sum of the next 2^rank leaves); the tensor becomes the tree's own."""
        while self._partial and self._partial[-1][0] == rank:
            leaf = self._partial.pop()[1].add_(leaf)
            rank += 1
        self._partial.append((rank, leaf))

    def add_all(self, leaves: Tensor) -> None:
        """Takes leaves [count, ...]; whole aligned groups are summed level by level."""
        rank, count = 0, leaves.shape[0]
        if count & (count - 1) == 0:
            while leaves.shape[0] > 1:
                leaves, rank = leaves[0::2] + leaves[1::2], rank + 1
        for leaf in leaves.unbind(0):
            self.add(leaf, rank)

    def total(self) -> Tensor:
        """The sum of all leaves; the tree is empty afterwards."""
        total = self._partial.pop()[1]
        while self._partial:
            total = self._partial.pop()[1].add_(total)
        return total


def input_delta(tree: Tree, delta: Tensor, w: Tensor, leaf: int) -> None:
    """Adds delta.T @ w, leaf by leaf of units: delta [units, rows], w [units, k]."""
    units, rows = delta.shape
    whole = units // leaf
    if whole:
        parts = delta[: whole * leaf].view(whole, leaf, rows).transpose(1, 2)
        tree.add_all(torch.bmm(parts, w[: whole * leaf].view(whole, leaf, -1)))
    if units % leaf:
        tree.add(delta[whole * leaf :].t().mm(w[whole * leaf :]))


def leaf_sums(tree: Tree, values: Tensor, leaf: int) -> None:
    """Adds the sums over each leaf of units of values [units, rows]."""
    units, rows = values.shape
    whole = units // leaf
    if whole:
        tree.add_all(values[: whole * leaf].view(whole, leaf, rows).sum(1))
    if units % leaf:
        tree.add(values[whole * leaf :].sum(0))


def leaf_stored(tree: Tree, values: Tensor, slot: Slot, first: int, last: int, leaf: int) -> None:
    """Adds the sums of values that stand at the stored entries of units first..last-1, row by row and leaf by leaf."""
    start, end = slot.span(first, last)
    m = slot.m
    count = -(-(last - first) // leaf)
    where = (slot.flat[start:end] - first * m).div_(leaf * m, rounding_mode="floor").mul_(m).add_(slot.rows[start:end])
    sums = torch.zeros(count * m, dtype=values.dtype).index_add_(0, where, values).view(count, m)
    whole = (last - first) // leaf
    if whole:
        tree.add_all(sums[:whole])
    if whole < count:
        tree.add(sums[whole])


def unit_sums(x: Tensor, leaf: int, out: Tensor) -> Tensor:
    """The sum over the units of each row of x [rows, units], by leaves and one balanced tree."""
    if x.shape[1] <= leaf:
        return torch.sum(x, 1, out=out)
    tree = Tree()
    for part in torch.split(x, leaf, 1):
        tree.add(part.sum(1))
    return out.copy_(tree.total())


def leaf_product(a: Tensor, b: Tensor, leaves: tuple[int, int, int], out: Tensor) -> Tensor:
    """a @ b in blocks of a leaf of rows and a leaf of columns, their terms by leaves and one balanced tree.

    leaves: of rows, of terms, of columns. All products have the shapes of whole leaves, wherever the axes are cut.
    """
    rows, terms, columns = leaves
    for top, left in zip(torch.split(out, rows, 0), torch.split(a, rows, 0), strict=True):
        for block, right in zip(torch.split(top, columns, 1), torch.split(b, columns, 1), strict=True):
            tree = Tree()
            for x, y in zip(torch.split(left, terms, 1), torch.split(right, terms, 0), strict=True):
                tree.add(_compact(x).mm(_compact(y)))
            block.copy_(tree.total())
    return out


def _compact(x: Tensor) -> Tensor:
    """x, or a copy in its own layout where its rows do not begin at 16 bytes: then the bits of products hang on where.

    Seen with MKL on widths that are no multiple of 4 floats, of which a rank has another number than one device.
    """
    if x.stride(0) == 1 and x.stride(1) != 1:
        return _compact(x.t()).t()
    return x if x.stride(0) % 4 == 0 and x.shape[0] > 1 and x.stride(1) == 1 else x.contiguous()


def leaf_softmax(x: Tensor, leaf: int, out: Tensor, ranks: Ranks = ALONE) -> Tensor:
    """exp(x - max) / sum over the units of each row of x [rows, units], by leaves and one balanced tree."""
    normaliser = Normaliser()
    normaliser.add(x.t().clone(memory_format=torch.contiguous_format), leaf)  # a copy, also where x has one column
    return torch.sub(x, normaliser.total(ranks)[:, None], out=out).exp_()


FACTORS = 16  # (1 - a) multiplied before one logarithm: a product of 16 takes 2 ms where 16 log1p take 8 (7 M units)
SMALLEST = 1e-37  # a product below it may have lost digits


def leaf_log_sums(tree: Tree, a: Tensor, leaf: int, scale: float) -> None:
    """Adds scale * sum of log(1 - a) over each leaf of units of a [units, rows], log(1 - a) at least -27.6.

    Products of 16 factors share a logarithm; where one underflows (a near 1), and in a leaf that is no multiple of 16
    units, every factor has its own. What a row's leaf gives depends on nothing beside it.
    """
    units, rows = a.shape
    whole = units // leaf if leaf % FACTORS == 0 else 0
    if whole:
        logs = _logs_of_products(a[: whole * leaf].view(whole, FACTORS, leaf // FACTORS, rows))
        tree.add_all(logs.sum(1).mul_(scale))
    if whole * leaf < units:
        leaf_sums(tree, _logs(a[whole * leaf :]).mul_(scale), leaf)


def _logs(a: Tensor) -> Tensor:
    return torch.log1p(-a).clamp_min_(-MAX_LOG)


def _logs_of_products(parts: Tensor) -> Tensor:
    """The sums of log(1 - parts) over axis 1 of [leaves, 16, n, rows]."""
    product = 1 - parts[:, 0]
    if not parts.shape[-1]:
        return product
    for k in range(1, FACTORS):
        product.addcmul_(product, parts[:, k], value=-1)
    lowest = product.amin((1, 2)).tolist()
    precise = [
        (i, product[i] >= SMALLEST) for i, low in enumerate(lowest) if not low >= SMALLEST
    ]  # not: NaN is low too
    logs = product.log_()
    for i, kept in precise:
        logs[i] = torch.where(kept, logs[i], _logs(parts[i]).sum(0))
    return logs


class Normaliser:
    """The logarithm of each row's sum of exponentials, from tiles of units x rows, by leaves and one balanced tree."""

    def __init__(self) -> None:
        self._peaks: list[Tensor] = []
        self._sums: list[Tensor] = []

    def add(self, tile: Tensor, leaf: int) -> None:
        """Takes the next leaves of logits; the tile is used up."""
        for part in torch.split(tile, leaf):
            peak = part.amax(0)
            self._peaks.append(peak)
            self._sums.append(part.sub_(peak).exp_().sum(0))

    def total(self, ranks: Ranks = ALONE) -> Tensor:
        """log sum exp of every row [rows], across ranks."""
        peaks = torch.stack(self._peaks)
        highest = ranks.max(peaks.amax(0))
        tree = Tree()
        tree.add_all(torch.stack(self._sums).mul_(peaks.sub_(highest).exp_()))
        return ranks.sum(tree.total()).log_().add_(highest)


def gather_sum(slot: Slot, w: Tensor, values: Tensor | None, out: Tensor) -> Tensor:
    """The sum of the rows of w that each sparse row stores [rows, n], by the slot's leaves of features and one tree."""
    if not slot.m:  # of a batch whose rows are dealt out, some rank may have none
        return out
    bags = functional.embedding_bag(
        slot.index, w, slot.bags, mode="sum", include_last_offset=True, per_sample_weights=values
    )
    parts = bags.view(out.shape[0], -1, out.shape[1])  # a power of two of them
    while parts.shape[1] > 2:
        parts = parts[:, 0::2] + parts[:, 1::2]
    return torch.add(parts[:, 0], parts[:, 1], out=out) if parts.shape[1] == 2 else out.copy_(parts[:, 0])


def segment_sum(slot: Slot, delta: Tensor, values: Tensor | None, first: int, last: int) -> Tensor:
    """For features first..last-1 the sum of the delta rows that store them [last - first, n], in order of examples."""
    start, end = int(slot.columns[first]), int(slot.columns[last])
    if start == end:
        return delta.new_zeros(last - first, delta.shape[1])
    return functional.embedding_bag(
        slot.rows[start:end],
        delta,
        slot.columns[first : last + 1] - start,
        mode="sum",
        include_last_offset=True,
        per_sample_weights=None if values is None else values[slot.order[start:end]],
    )


def denoise(slot: Slot, block: Block, layer: int, rate: float) -> Tensor:
    """The values of a slot's entries after denoising: dropped at the rate, survivors scaled by 1 / (1 - rate)."""
    keep = uniform_entries(block.seed, layer, block.epoch, slot.example, slot.feature()) >= rate
    values = keep.to(block.dtype).mul_(1.0 / (1.0 - rate))
    return values if slot.values is None else values.mul_(slot.values)


def densify(slot: Slot, values: Tensor | None, out: Tensor) -> Tensor:
    """The dense rows of a slot [rows, units]: its values (1 without) where it stores an entry, 0 elsewhere."""
    flat = out.zero_().view(-1)
    position = slot.row * out.shape[1] + slot.index
    if values is None:
        return flat.index_fill_(0, position, 1.0).view_as(out)
    return flat.index_add_(0, position, values).view_as(out)


def keep_mask(block: Block, layer: int, rate: float, out: Tensor, first: int = 0) -> Tensor:
    """1 with probability 1 - rate, keyed by (seed, layer, step, example, unit); the first unit's number is `first`."""
    return torch.ge(keep_units(block.seed, layer, block.step, block.ids, out.shape[1], first), rate, out=out)


def clip_columns(w: Tensor, limit: float, leaf: int, ranks: Ranks = ALONE) -> None:
    """Rescales every column of w [in, out] to at most `limit` in length, across ranks (WeightNorm)."""
    tree = Tree()
    for part in torch.split(w, leaf, 0):
        tree.add(part.mul(part).sum(0))
    length = ranks.sum(tree.total()).sqrt_().clamp_min_(limit)
    w.mul_(length.reciprocal_().mul_(limit))
