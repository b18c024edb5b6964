"""What must hold between passes; a violation is a bug of ours and raises AssertionError."""

from __future__ import annotations

from nnlang.expressions import variables
from nnlang.ops import (
    Assign,
    Denoise,
    GatherSum,
    Matmul,
    Op,
    Pointwise,
    Scalar,
    SegmentSum,
    State,
    Stored,
    Update,
    topological,
)


def verify(roots: tuple[Op, ...]) -> None:
    """Checks every operation under the roots."""
    written: list[Op] = []
    for op in topological(roots):
        _operands_fit(op)
        written += _writes(op)
    assert len(written) == len(set(written)), "a state is written twice"


def _operands_fit(op: Op) -> None:
    match op:
        case Matmul(a=a, b=b, transpose_a=ta, transpose_b=tb):
            left = a.type.axes[::-1] if ta else a.type.axes
            right = b.type.axes[::-1] if tb else b.type.axes
            assert left[1].size == right[0].size and left[0].size == op.type.axes[0].size, op
        case GatherSum(feed=feed, w=w):
            assert feed.type.storage == "csr" and w.type.axes[0].size == feed.type.axes[1].size, op
        case SegmentSum(feed=feed, delta=delta):
            assert feed.type.storage == "csr" and op.type.axes[1].size == delta.type.axes[1].size, op
        case Denoise(feed=feed):
            assert feed.type.storage == "csr", op
        case Pointwise(expr=e, args=args):
            assert variables(e) <= {f"x{i}" for i in range(len(args))}, op
            assert all(x.type.storage == "dense" for x in args), op
        case Stored(feed=feed, stored=e, args=args):
            assert feed.type.storage == "csr", op
            assert variables(e) <= {f"x{i}" for i in range(len(args))} | {"t"}, op


def _writes(op: Op) -> list[Op]:
    match op:
        case Update(states=states, scalars=scalars, names=names, body=body):
            assert all(isinstance(s, State) for s in states) and all(isinstance(s, Scalar) for _, s in scalars), op
            known = {*names, "g", *(n for n, _ in scalars)}
            assert all(name in known and variables(e) <= known for name, e in body), op
            return list(states)
        case Assign(state=state):
            return [state]
    return []
