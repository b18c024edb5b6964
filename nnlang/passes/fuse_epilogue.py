"""fuse-epilogue: bias, activation, skips and derivatives join the anchor that feeds them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from nnlang.expressions import Var, substitute
from nnlang.ops import Densify, GatherSum, Matmul, Op, Pointwise, Pool, Stage, Walk
from nnlang.rewrite import rewrite

ANCHORS = (Matmul, GatherSum, Walk)


def fuse_epilogue(roots: tuple[Op, ...], pool: Pool, declined: list[str]) -> tuple[Op, ...]:
    """Every pointwise operation on a value that nothing else reads becomes a stage of that value's anchor."""

    def rule(op: Op, counts: Mapping[Op, int], pool: Pool) -> Op | None:
        if not isinstance(op, Pointwise) or any(isinstance(x, Densify) for x in op.args):
            return None  # formulas of a sparse target are fuse-loss's
        for i in reversed(range(len(op.args))):
            anchor = op.args[i]
            if isinstance(anchor, ANCHORS) and counts[anchor] == 1 and anchor.type == op.type:
                others = (*op.args[:i], *op.args[i + 1 :])
                places = [i, *(k for k in range(len(op.args)) if k != i)]
                names = {f"x{k}": Var(f"x{n}") for n, k in enumerate(places)}
                stage = Stage(substitute(op.expr, names), others)
                return pool.make(replace(anchor, epilogue=(*anchor.epilogue, stage)))
        return None

    return rewrite(roots, rule, pool)
