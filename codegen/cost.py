"""What operations cost, from their types alone: flops, bytes, memory. No torch, nothing is run.

Bytes count every operand read and every result written once per launch, 4 bytes an element, 4 bytes an index: what a
launch must move at least if nothing stays in a cache between launches.
"""

from __future__ import annotations

from nnlang.codegen.plan import Cost
from nnlang.expressions import calls
from nnlang.ops import (
    Denoise,
    Feed,
    GatherSum,
    Matmul,
    Op,
    Pointwise,
    Reduce,
    SegmentSum,
    Stage,
    Stored,
    Top,
    Type,
    Update,
    Walk,
    operands,
)

ELEMENT = INDEX = 4
NUMBER = 8  # what torch's sparse operations take as an index


def elements(type: Type, batch: int) -> int:
    """Elements of a dense value at a batch size."""
    total = 1
    for axis in type.axes:
        total *= batch if axis.size is None else axis.size
    return total


def entries(op: Op, batch: int) -> float:
    """Stored entries of a csr value at a batch size, by the data set's density."""
    feed = op.feed if isinstance(op, Denoise) else op
    density = feed.density if isinstance(feed, Feed) else 1.0
    return density * elements(op.type, batch)


def size(op: Op, batch: int) -> float:
    """Bytes of a value."""
    if op.type.storage == "csr":
        return entries(op, batch) * (INDEX + ELEMENT * (not isinstance(op, Feed) or op.stored == "analog"))
    return ELEMENT * elements(op.type, batch) if op.type.storage == "dense" else 0.0


def held(op: Feed, batch: int) -> float:
    """Bytes that a slot of the feed holds: six 64-bit numbers for each sparse entry, and where rows and units begin."""
    if op.type.storage != "csr":
        return size(op, batch)
    units = op.type.axes[1].size or 0
    return entries(op, batch) * (6 * NUMBER + ELEMENT * (op.stored == "analog")) + NUMBER * (units + 10 * batch)


def cost(op: Op, batch: int) -> Cost:
    """The cost of one launch."""
    match op:
        case Walk():
            return _walk(op, batch)
        case Update(gradient=gradient, states=states, fused=fused):
            moved = sum(2 * size(s, batch) for s in states)
            done = sum(calls(e) for _, e in op.body) * elements(states[0].type, batch)
            inner = cost(gradient, batch) if fused else Cost(0, size(gradient, batch))
            wrote = size(gradient, batch) if fused else 0.0
            return Cost(done + inner.flops, moved + inner.bytes - wrote)
        case Top(x=x, fused=True):
            inner = cost(x, batch)
            products = 1 + op.softmax
            return Cost(products * inner.flops, products * (inner.bytes - size(x, batch)) + size(op, batch))
    reads = sum(_read(op, x, batch) for x in operands(op))
    return Cost(_flops(op, batch), reads + size(op, batch))


def _read(op: Op, x: Op, batch: int) -> float:
    if isinstance(op, GatherSum) and x is op.w:  # at most one row of w an entry, each distinct row once
        rows = min(entries(op.feed, batch), x.type.axes[0].size or 0)
        return ELEMENT * rows * (x.type.axes[1].size or 0)
    return size(x, batch)


def _flops(op: Op, batch: int) -> float:
    done = elements(op.type, batch)
    match op:
        case Matmul(a=a, transpose_a=ta, epilogue=epilogue):
            inner = a.type.axes[0 if ta else 1].size or batch
            return 2.0 * done * inner + _stages(epilogue) * done
        case GatherSum(feed=feed, epilogue=epilogue):
            return 2.0 * entries(feed, batch) * (op.type.axes[1].size or 1) + _stages(epilogue) * done
        case SegmentSum(feed=feed):
            return 2.0 * entries(feed, batch) * (op.type.axes[1].size or 1)
        case Pointwise(expr=e) | Stored(absent=e):
            return float(calls(e) * done)
        case Reduce(x=x):
            return float(elements(x.type, batch))
    return float(done)


def _stages(stages: tuple[Stage, ...]) -> int:
    return sum(calls(s.expr) for s in stages)


def _walk(op: Walk, batch: int) -> Cost:
    k, n = (a.size or 0 for a in op.w.type.axes)
    products = 2 + (op.type.storage == "dense") + op.softmax
    formulas = _stages(op.logits) + _formula(op.delta) + (_formula(op.value) if op.value else 0)
    updates = sum(
        sum(calls(e) for _, e in u.body) * elements(u.states[0].type, batch)
        for u in op.updates
        if isinstance(u, Update)
    )
    flops = 2.0 * batch * k * n * products + formulas * batch * n + updates
    states = sum(2 * size(s, batch) for u in op.updates if isinstance(u, Update) for s in u.states)
    return Cost(flops, states + op.softmax * size(op.w, batch) + 2 * ELEMENT * batch * k)


def _formula(op: Op) -> int:
    match op:
        case Stored(absent=e) | Pointwise(expr=e):
            return calls(e)
    return 0
