"""fuse-update: a weight gradient that only its update reads is made, used and forgotten tile by tile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from nnlang.ops import Matmul, Op, Pointwise, Pool, Reduce, SegmentSum, Update
from nnlang.rewrite import rewrite


def fuse_update(roots: tuple[Op, ...], pool: Pool, declined: list[str]) -> tuple[Op, ...]:
    """Every update whose gradient is an anchor of its own runs in that anchor's epilogue."""

    def rule(op: Op, counts: Mapping[Op, int], pool: Pool) -> Op | None:
        match op:
            case Update(gradient=Matmul(epilogue=()) | SegmentSum() | Reduce(kind="sum") as gradient, fused=False):
                if counts[gradient] == 1:
                    return pool.make(replace(op, fused=True))
                declined.append("fuse-update: the gradient has other readers")
            case Update(gradient=Pointwise() | Matmul(), fused=False) if len(op.states[0].type.axes) == 2:
                declined.append("fuse-update: the matrix is shared, its gradient is a sum over its users")
        return None

    return rewrite(roots, rule, pool)
