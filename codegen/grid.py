"""The reduction grid: how sums over units are split into leaves. It follows from the network alone, and is meaning.

Sums over the units of a wide layer go through at most 64 leaves and one balanced tree; how many leaves are computed in
one go (the chunk) is tuning: it changes no bit for batches of 16 rows and more (smaller products are
rounded by their shape, see docs/numerics.md). Layers of fewer than two leaves of 256 units are summed in one piece.
"""

from __future__ import annotations

import math
from itertools import pairwise

LEAVES = 64
SMALLEST = 256  # units: shorter products would spend their time in calls
ALIGN = 64  # units: whole vector registers, equal shapes
MOST_EXACT = 8  # ranks that give the bits of one
GATHER_LEAVES = MOST_EXACT  # of a sparse row: it holds some hundred entries, more partial sums would cost more than it
PIECE = 32  # entries that one partial sum of a sparse row or column holds; longer ones are split, so that no program
#             waits for the longest
RANKED = 512  # scores that a program compares with the k-th best in one go: none of this changes a bit


def leaf(units: int) -> int:
    """Units of one leaf of a layer's sums; the last leaf may be shorter.

    Aimed at are as many leaves as a power of two: as many as have three quarters of 256 units. Rounding a leaf up to
    whole registers leaves more than three quarters of them, so that four ranks can have whole subtrees.
    """
    if units < 2 * SMALLEST:
        return units
    most = 4 * units // (3 * SMALLEST)
    return _aligned(units, min(LEAVES, 1 << most.bit_length() - 1))


def leaves(units: int) -> int:
    """Leaves of a layer's sums, as a power of two; the last ones may be empty."""
    return _power(math.ceil(units / leaf(units)))


def gather_leaf(units: int) -> int:
    """Units of one leaf of a sparse row's sum: whole leaves of the layer, so that at most 8 remain."""
    return leaf(units) * max(1, leaves(units) // GATHER_LEAVES)


def gather_leaves(units: int, total: int = 0) -> int:
    """Leaves of a sparse row's sum over a rank's units, of a layer of `total`: a power of two, the last maybe empty."""
    return _power(math.ceil(units / gather_leaf(total or units)))


def parts(units: int, ranks: int) -> tuple[tuple[int, int], ...] | None:
    """The units (first, last + 1) of each rank, in whole leaves; None where there are fewer leaves than ranks.

    Where the ranks are a power of two and none would be left without, the parts are whole subtrees of the balanced
    tree; otherwise they are as equal as leaves allow.
    """
    size, count = leaf(units), math.ceil(units / leaf(units))
    if count < ranks:
        return None
    if _is_aligned(count, ranks):
        share = leaves(units) // ranks
        bounds = [i * share for i in range(ranks)]
    else:
        bounds = [i * count // ranks for i in range(ranks)]
    first = [min(units, b * size) for b in (*bounds, count)]
    return tuple(pairwise(first))


def is_exact(units: int, ranks: int) -> bool:
    """Whether parts of so many ranks give the bits of one rank: sums over sparse rows have 8 leaves at most.

    No part has but a few units, for torch sums narrow tensors over their rows in another order than wide ones.
    """
    if ranks == 1:
        return True
    if ranks > MOST_EXACT or not _is_aligned(math.ceil(units / leaf(units)), ranks):
        return False
    dealt = parts(units, ranks)
    return dealt is not None and min(last - first for first, last in dealt) >= ALIGN


def _is_aligned(count: int, ranks: int) -> bool:
    """Whether equal parts of a balanced tree of `count` leaves leave no rank without one."""
    return _power(ranks) == ranks and (ranks - 1) * (_power(count) // ranks) < count and ranks <= count


def _power(count: int) -> int:
    """The power of two that is not smaller."""
    return 1 << (count - 1).bit_length()


def room(k: int) -> int:
    """Of a list from which the k best of a row are chosen, as a power of two: the best, and what a block can add."""
    return (k + RANKED - 1).bit_length()


def _aligned(units: int, parts: int) -> int:
    """Units of one of some parts, rounded up to whole registers."""
    share = math.ceil(units / parts)
    return math.ceil(share / ALIGN) * ALIGN


def leaves_per_chunk(units: int, bytes_per_unit: int, budget: int, most: int) -> int:
    """Leaves that are worked on together: the largest power of two up to `most` whose tiles fit `budget` bytes."""
    size, count = leaf(units), most
    while count > 1 and count * size * bytes_per_unit > budget:
        count //= 2
    return count
