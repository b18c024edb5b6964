"""ops -> launches: which operations become a step of the schedule, of which kind, and under which name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from nnlang.codegen.grid import MOST_EXACT, leaf, leaves, leaves_per_chunk
from nnlang.expressions import Call, Expr
from nnlang.ops import (
    Assign,
    Clip,
    Denoise,
    Densify,
    Feed,
    Gather,
    GatherSum,
    Keep,
    Leaf,
    Matmul,
    Op,
    Own,
    Part,
    Pointwise,
    Reduce,
    Result,
    Scalar,
    SegmentSum,
    Softmax,
    Stage,
    State,
    Stored,
    Top,
    Update,
    View,
    Walk,
)

INLINE = (Feed, State, Scalar, Result, Part, View, Leaf)  # no launch: names for what others hold
KINDS: dict[type[Op], str] = {
    Denoise: "denoise",
    Densify: "densify",
    Keep: "keep",
    Matmul: "linear",
    GatherSum: "gather_sum",
    SegmentSum: "segment_sum",
    Pointwise: "pointwise",
    Stored: "stored",
    Reduce: "reduce",
    Softmax: "softmax",
    Update: "update",
    Assign: "assign",
    Clip: "clip",
    Top: "top",
    Gather: "gather",
    Own: "own",
    Walk: "walk",
}
UPDATE_KINDS: dict[type[Op], str] = {
    Matmul: "linear_update",
    Reduce: "reduce_update",
    SegmentSum: "segment_sum_update",
}


@dataclass(frozen=True)
class Cache:
    """What a chunk of a walk must fit: bytes of the cache, leaves at most, numbers a unit needs.

    need: from inputs, states, rows of the batch and units of a leaf.
    """

    bytes: int
    leaves: int
    need: Callable[[int, int, int, int], int]


# Weights, states and the gradient; activations and the error's tile: a share of the last level.
CPU_CACHE = Cache(16 << 20, 16, lambda k, states, m, leaf: k * (states + 1) + 2 * m)
# Weights, deltas and the leaves' partial sums stay in the second level (50 to 60 MB); optimiser states stream.
GPU_CACHE = Cache(40 << 20, 64, lambda k, states, m, leaf: k + m + m * k // leaf)
UPDATE_ELEMENTS = 1 << 18  # of one chunk of a state in an update: w, its states and g in L2 (1 MiB each at 4 bytes)

SENT_ELEMENTS = 1 << 22  # where every chunk's gradient is summed over replicas: 16 MiB make up for the latency


def kind(op: Op) -> str:
    """The kind of an operation's launch."""
    if isinstance(op, Update) and op.fused:
        return UPDATE_KINDS[type(op.gradient)]
    return KINDS[type(op)]


def name(op: Op, number: int) -> str:
    """What a launch is: kind, the functions of its epilogue, its number in the dump."""
    anchor = op.x if isinstance(op, Top) and op.fused else op
    stages = op.logits if isinstance(op, Walk) else getattr(anchor, "epilogue", ())
    functions = [f for s in stages for f in _functions(s)]
    words = [kind(op), *dict.fromkeys(functions), str(number)]
    return "_".join(words)


def _functions(stage: Stage) -> list[str]:
    telling = ("sigmoid", "tanh", "softplus", "expm1", "max", "exp")
    found: list[str] = []

    def visit(e: Expr) -> None:
        if isinstance(e, Call):
            found.extend([e.function] if e.function in telling else [])
            for a in e.args:
                visit(a)

    visit(stage.expr)
    return ["relu" if f == "max" else "elu" if f == "expm1" else f for f in found]


def chunk(op: Op, batch: int, cache: Cache, exact: bool = False) -> int:
    """Units (or rows of a state) that a launch works on in one go; 0 where it is not chunked. Tuning, not meaning.

    exact: chunks of a walk are the same on 1, 2, 4 and 8 ranks, for products of equal shapes.
    """
    match op:
        case Walk(w=w, updates=updates):
            k, n = w.type.axes[0].size or 0, w.type.axes[1].total
            states = max(len(u.states) for u in updates if isinstance(u, Update))
            need = 4 * cache.need(k, states, batch, leaf(n))
            most = max(1, min(cache.leaves, leaves(n) // MOST_EXACT)) if exact else cache.leaves
            return leaf(n) * leaves_per_chunk(n, need, cache.bytes, most)
        case Top(fused=True, x=Matmul(a=a, type=type)):  # weights and scores
            k, n = a.type.axes[1].size or 0, type.axes[1].total
            most = leaf(n) * leaves_per_chunk(n, 4 * (k + batch), cache.bytes, cache.leaves)
            return min(type.axes[1].size or 0, most)
        case Update(fused=True, states=states, replicas=replicas) if len(states[0].type.axes) == 2:
            rows, columns = (a.size or 0 for a in states[0].type.axes)
            most = UPDATE_ELEMENTS if replicas == 1 else SENT_ELEMENTS
            return min(rows, max(64, most // max(1, columns) // 64 * 64))
    return 0


__all__ = ["CPU_CACHE", "GPU_CACHE", "INLINE", "Cache", "chunk", "kind", "name"]
