"""The reduction grid: how sums over units are split into leaves. It follows from the network alone, and is meaning.

Sums over the units of a wide layer go through at most 64 leaves and one balanced tree; how many leaves are computed in
one go (the chunk) is tuning: it changes no bit for batches of 16 rows and more (smaller products are
rounded by their shape, see docs/numerics.md). Layers of fewer than two leaves of 256 units are summed in one piece.
"""

from __future__ import annotations

import math

LEAVES = 64
SMALLEST = 256  # units: shorter products would spend their time in calls
ALIGN = 64  # units: whole vector registers, equal shapes
GATHER_LEAVES = 8  # of a sparse row: rows hold some hundred entries, 64 partial sums would cost more than the sum
PIECE = 32  # entries that one partial sum of a sparse row or column holds; longer ones are split, so that no program
#             waits for the longest
RANKED = 512  # scores that a program compares with the k-th best in one go: none of this changes a bit


def leaf(units: int) -> int:
    """Units of one leaf of a layer's sums; the last leaf may be shorter."""
    if units < 2 * SMALLEST:
        return units
    return max(SMALLEST, _aligned(units, LEAVES))


def gather_leaf(units: int) -> int:
    """Units of one leaf of a sparse row's sum: 1/8 of the layer in multiples of 64, or all of a narrow one."""
    if units < GATHER_LEAVES * SMALLEST:
        return units
    return _aligned(units, GATHER_LEAVES)


def gather_leaves(units: int) -> int:
    """Leaves of a sparse row's sum, a power of two; the last ones may be empty."""
    return 1 << (math.ceil(units / gather_leaf(units)) - 1).bit_length()


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
