"""shard: the part of the operations that one rank runs, where the units of some layers are split over ranks.

The unit axis of a split layer becomes this rank's part of it wherever it stands; whoever sums over such an axis sums
across the ranks, so that no later pass needs to know. A matrix is split along one of its axes: by output unit where
the target is split, by input unit where the source is; where both are, by input unit if its source is sparse. Where a
value is wanted otherwise than its layer has it, `Gather` and `Own` convert. Rows of a batch that are dealt out over
replicas make gradients, and means over a batch, sums over the replicas.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from nnlang.expressions import Var
from nnlang.ops import (
    BATCH,
    SCALAR,
    Axis,
    Gather,
    Matmul,
    Op,
    Own,
    Pointwise,
    Pool,
    Reduce,
    Result,
    Scalar,
    Type,
    Update,
    View,
    named,
    operands,
    topological,
)
from nnlang.rewrite import rebuild


@dataclass(frozen=True)
class Sharding:
    """What one rank has: its part of split axes, by name; `gathered` are axes of sparse inputs.

    replicas: groups of ranks over which the rows of every batch are dealt out.
    """

    local: Mapping[str, Axis]
    gathered: frozenset[str] = frozenset()
    replicas: int = 1

    def axis(self, axis: Axis) -> Axis:
        """This rank's part of an axis."""
        return self.local.get(axis.name, axis)

    def type(self, type: Type) -> Type:
        """The type of this rank's part of a value; a matrix is split along one of its axes."""
        axes = tuple(self.axis(a) for a in type.axes)
        if len(axes) == 2 and all(a.is_split for a in axes):
            kept = 0 if axes[0].name in self.gathered else 1
            axes = tuple(a if i == kept else type.axes[i] for i, a in enumerate(axes))
        return Type(axes, type.storage)


def shard(roots: tuple[Op, ...], pool: Pool, sharding: Sharding) -> tuple[Op, ...]:
    """The roots of one rank's program."""
    done: dict[Op, Op] = {}
    for op in topological(roots):
        done[op] = _local(op, done, pool, sharding)
    found = tuple(done[r] for r in roots)
    return found if sharding.replicas == 1 else _replicated(found, pool, sharding.replicas)


def _local(op: Op, done: Mapping[Op, Op], pool: Pool, sharding: Sharding) -> Op:
    match op:
        case Matmul():
            return _product(op, done, pool, sharding)
        case View(x=x, type=type):
            here = sharding.type(type)
            return pool.make(View(here, _like(done[x], here.axes[1], pool)))
    changes: dict[str, Any] = {"type": sharding.type(op.type)}
    changes |= {f.name: sharding.axis(v) for f in fields(op) if isinstance(v := getattr(op, f.name), Axis)}
    return pool.make(replace(rebuild(op, done, pool), **changes))


def _product(op: Matmul, done: Mapping[Op, Op], pool: Pool, sharding: Sharding) -> Op:
    a, b = done[op.a], done[op.b]
    if BATCH in b.type.axes:  # the gradient of a matrix: it has the matrix's own split
        type = sharding.type(op.type)
        a, b = _like(a, type.axes[0], pool), _like(b, type.axes[1], pool)
        return pool.make(Matmul(type, a, b, op.transpose_a, op.transpose_b))
    inner, outer = reversed(b.type.axes) if op.transpose_b else b.type.axes
    wanted = sharding.type(op.type)
    made = Type((BATCH, _form(op.type.axes[1], outer)))
    product = pool.make(Matmul(made, _like(a, inner, pool), b, op.transpose_a, op.transpose_b))
    return _like(product, wanted.axes[1], pool)


def _like(x: Op, axis: Axis, pool: Pool) -> Op:
    """A value [batch, unit] with its units split as those of an axis of as many are."""
    now = x.type.axes[1]
    if now.is_split == axis.is_split:
        return x
    assert x.type.storage == "dense", "sparse rows are split when they are read"
    kind = Own if axis.is_split else Gather
    return pool.make(kind(Type((BATCH, _form(Axis(now.name, now.total), axis))), x))


def _form(axis: Axis, like: Axis) -> Axis:
    """An axis split as another of the same size is."""
    return replace(like, name=axis.name) if like.is_split else axis


def _replicated(roots: tuple[Op, ...], pool: Pool, replicas: int) -> tuple[Op, ...]:
    """The roots where each group of ranks has its own rows of a batch."""
    readers: dict[Op, list[Op]] = {}
    for op in topological(roots):
        for x in operands(op):
            readers.setdefault(x, []).append(op)
    inv = pool.make(Scalar(SCALAR, "inv"))
    done: dict[Op, Op] = {}
    partial: set[Op] = set()  # values that are this group's share of a sum over the batch
    for op in topological(roots):
        fresh = rebuild(op, done, pool)
        match op:
            case Matmul(b=b) if BATCH in b.type.axes:
                partial.add(op)
            case Reduce(kind="sum", axis=axis) if axis == BATCH and all(isinstance(r, Update) for r in readers[op]):
                partial.add(op)
            case Reduce(axis=axis) if axis == BATCH:
                assert isinstance(fresh, Reduce)
                total = pool.make(replace(fresh, kind="sum", replicas=replicas))
                mean = op.kind == "mean"
                fresh = named(pool, Var("x") * Var("i"), {"x": total, "i": inv}) if mean else total
            case Pointwise(args=args) if args and BATCH not in op.type.axes and partial.intersection(args):
                partial.add(op)
            case Result(value=value):
                assert value not in partial, "gradients of dealt out rows are summed by updates alone"
            case Update(gradient=gradient) if gradient in partial:
                assert isinstance(fresh, Update)
                fresh = pool.make(replace(fresh, replicas=replicas))
        done[op] = fresh
    return tuple(done[r] for r in roots)


def sparse_axes(roots: tuple[Op, ...]) -> frozenset[str]:
    """The names of the axes of matrices along which they are applied to sparse rows."""
    found = set()
    for op in topological(roots):
        match op:
            case Matmul(a=a, b=b, transpose_a=False, transpose_b=turned) if a.type.storage == "csr":
                found.add(b.type.axes[1 if turned else 0].name)
    return frozenset(found)


__all__ = ["Sharding", "shard", "sparse_axes"]
