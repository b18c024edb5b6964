"""Reverse-mode differentiation on the DAG: one rule an operation kind, adjoints in, adjoints out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce

from nnlang.expressions import ONE, Expr, Var, derivative
from nnlang.expressions import substitute as put
from nnlang.ops import (
    BATCH,
    SCALAR,
    Matmul,
    Op,
    Pointwise,
    Pool,
    Reduce,
    Scalar,
    Softmax,
    Type,
    View,
    operands,
    pointwise,
    topological,
    without,
)

Hook = Callable[[Op], Op]


def adjoints(
    pool: Pool, seeds: Mapping[Op, Op], wrt: tuple[Op, ...], hooks: Mapping[Op, Hook] | None = None
) -> dict[Op, Op]:
    """The adjoint of every operation between the seeds and `wrt`.

    seeds: operation -> its adjoint (the derivative of the sum of errors by it), [batch, unit]. hooks: applied to an
    operation's adjoint when it is complete, before it is passed on (sparseness penalty, DeltaNorm). Adjoints of states
    are sums over the batch; the mean is the optimiser's.
    """
    parts: dict[Op, list[Op]] = {op: [a] for op, a in seeds.items()}
    found: dict[Op, Op] = {}
    order = topological(seeds)
    needed = set(wrt)
    for op in order:
        if any(x in needed for x in operands(op)):
            needed.add(op)
    for op in reversed(order):
        if op not in parts:
            continue
        total = reduce(lambda x, y: add(pool, x, y), parts[op])
        found[op] = hooks[op](total) if hooks and op in hooks else total
        for x, adjoint in _rule(op, found[op], needed, pool):
            parts.setdefault(x, []).append(adjoint)
    return found


def add(pool: Pool, x: Op, y: Op) -> Op:
    """x + y."""
    return pool.make(Pointwise(x.type, Var("x0") + Var("x1"), (x, y)))


def _rule(op: Op, adjoint: Op, needed: set[Op], pool: Pool) -> list[tuple[Op, Op]]:
    match op:
        case Matmul():
            return [(x, a) for x, a in _matmul(op, adjoint, needed, pool)]
        case Pointwise():
            return [
                (x, _unbroadcast(pool, _scaled(pool, op, i, adjoint), x.type))
                for i, x in enumerate(op.args)
                if x in needed
            ]
        case View(x=x) if x in needed:
            return [(x, pool.make(View(x.type, adjoint)))]
        case Softmax(x=x) if x in needed:
            return [(x, _through_softmax(pool, op, adjoint))]
        case Reduce(kind="sum" | "mean", x=x) if x in needed:
            return [(x, _broadcast(pool, op, adjoint))]
    assert not any(x in needed for x in operands(op)), f"no gradient rule for {op}"
    return []


def _matmul(op: Matmul, adjoint: Op, needed: set[Op], pool: Pool) -> list[tuple[Op, Op]]:
    found: list[tuple[Op, Op]] = []
    if op.a in needed:
        found.append((op.a, pool.make(Matmul(op.a.type, adjoint, op.b, False, not op.transpose_b))))
    if op.b in needed:
        left, right = (adjoint, op.a) if op.transpose_b else (op.a, adjoint)
        found.append((op.b, pool.make(Matmul(op.b.type, left, right, True, False))))
    return found


def _scaled(pool: Pool, op: Pointwise, i: int, adjoint: Op) -> Op:
    """adjoint * d op / d args[i], in terms of the arguments and of the result y."""
    slope: Expr = op.slopes[i] if op.slopes else derivative(op.expr, f"x{i}")
    if slope == ONE:
        return adjoint
    args = (adjoint, op, *op.args)
    names = {"y": Var("x1")} | {f"x{k}": Var(f"x{k + 2}") for k in range(len(op.args))}
    return pointwise(pool, Var("x0") * put(slope, names), args)


def _through_softmax(pool: Pool, y: Softmax, adjoint: Op) -> Op:
    """y (adjoint - sum over units of y adjoint): the whole Jacobian."""
    product = pool.make(Pointwise(y.type, Var("x0") * Var("x1"), (y, adjoint)))
    total = pool.make(Reduce(without(y.type, y.type.axes[1]), "sum", product, y.type.axes[1]))
    return pool.make(Pointwise(y.type, Var("x0") * (Var("x1") - Var("x2")), (y, adjoint, total)))


def _unbroadcast(pool: Pool, value: Op, type: Type) -> Op:
    for axis in value.type.axes:
        if axis not in type.axes:
            value = pool.make(Reduce(without(value.type, axis), "sum", value, axis))
    return value


def _broadcast(pool: Pool, op: Reduce, adjoint: Op) -> Op:
    if op.kind == "sum":
        return pool.make(Pointwise(op.x.type, Var("x0"), (adjoint,)))
    assert op.axis == BATCH
    return pool.make(Pointwise(op.x.type, Var("x0") * Var("x1"), (adjoint, pool.make(Scalar(SCALAR, "inv")))))
