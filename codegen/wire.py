"""What the launches of one rank send to the others: the formulas by which the program counts, too.

A sum of D elements over P ranks: every rank sends a P-th of it to each other (all-to-all), adds up what it got, and
sends its part of the sum to each other (all-gather): 2 (P - 1) ceil(D / P) elements; a ring's all-reduce sends as many.
"""

from __future__ import annotations

import math

from nnlang.codegen.cost import ELEMENT, elements
from nnlang.codegen.grid import parts
from nnlang.codegen.plan import NONE, Traffic
from nnlang.expressions import ZERO
from nnlang.ops import (
    BATCH,
    Axis,
    Clip,
    Gather,
    GatherSum,
    Matmul,
    Op,
    Pointwise,
    Reduce,
    Softmax,
    State,
    Stored,
    Top,
    Update,
    Walk,
)


def sum_of(count: int, ranks: int) -> Traffic:
    """A sum of so many elements, so that every rank has it."""
    return Traffic(1, 2 * (ranks - 1) * math.ceil(count / ranks) * ELEMENT) if ranks > 1 else NONE


def max_of(count: int, ranks: int) -> Traffic:
    """The greatest of every rank's elements, so that every rank has them."""
    return Traffic(1, (ranks - 1) * count * ELEMENT) if ranks > 1 else NONE


def gathered(rows: int, axis: Axis) -> Traffic:
    """Every rank's part of rows, so that every rank has them whole: parts are sent as long as the longest."""
    dealt = parts(axis.total, axis.ranks)
    assert dealt is not None
    longest = max(last - first for first, last in dealt)
    return Traffic(1, (axis.ranks - 1) * rows * longest * ELEMENT)


def traffic(op: Op, batch: int, chunk: int, transposed: frozenset[int] = frozenset()) -> Traffic:
    """What a launch exchanges at a batch size, where it works on `chunk` units or rows in one go.

    transposed: the numbers of states kept as [out, in], whose rows are output units.
    """
    match op:
        case Matmul(a=a, transpose_a=turned):
            axis = a.type.axes[0 if turned else 1]
            return sum_of(elements(op.type, batch), axis.ranks)
        case GatherSum(feed=feed):
            return sum_of(elements(op.type, batch), feed.type.axes[1].ranks)
        case Reduce(axis=axis, replicas=replicas):
            return sum_of(elements(op.type, batch), replicas if axis == BATCH else axis.ranks)
        case Softmax(x=x):
            return _normaliser(batch, x.type.axes[1].ranks)
        case Top(x=x, softmax=True):
            return _normaliser(batch, x.type.axes[1].ranks)
        case Gather(x=x):
            return gathered(batch, x.type.axes[1])
        case Clip(state=state):
            return sum_of(state.type.axes[1].size or 0, state.type.axes[0].ranks)
        case Update(states=(State(number=number, type=type), *_)):
            return _update(op, chunk, type.axes[-1 if number in transposed else 0].size or 0)
        case Walk():
            return _walk(op, batch, chunk)
    return NONE


def _normaliser(batch: int, ranks: int) -> Traffic:
    return max_of(batch, ranks) + sum_of(batch, ranks)


def _update(op: Op, chunk: int, rows: int) -> Traffic:
    """The sum of a gradient over the replicas, by chunks of rows."""
    assert isinstance(op, Update)
    if op.replicas == 1:
        return NONE
    width = elements(op.states[0].type, 1) // max(1, rows)
    total = NONE
    for first in range(0, rows, chunk or rows):
        total += sum_of(width * min(chunk or rows, rows - first), op.replicas)
    return total


def _walk(op: Walk, batch: int, chunk: int) -> Traffic:
    axis = op.w.type.axes[1]
    total = NONE
    for update in op.updates:
        total += _update(update, chunk, axis.size or 0)
    if not axis.is_split:
        return total
    if op.value is not None:
        total += sum_of(error_rows(op) * batch, axis.ranks)
    if op.softmax:
        total += _normaliser(batch, axis.ranks) + sum_of(batch, axis.ranks)
    return total + (sum_of(elements(op.type, batch), axis.ranks) if op.type.storage == "dense" else NONE)


def error_rows(op: Walk) -> int:
    """How many sums make up a row's error: what stored entries add stands apart from what all units do."""
    match op.value:
        case Stored(absent=absent):
            return 1 + (absent != ZERO)
        case Pointwise():
            return 1
    return 0
