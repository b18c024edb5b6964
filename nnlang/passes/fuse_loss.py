"""fuse-loss: a formula of a sparse target becomes its value where nothing is stored and its value at stored entries."""

from __future__ import annotations

from collections.abc import Mapping

from nnlang.expressions import ONE, ZERO, Expr, Var, substitute
from nnlang.ops import Denoise, Densify, Feed, Op, Pointwise, Pool, Stored
from nnlang.rewrite import rewrite


def fuse_loss(roots: tuple[Op, ...], pool: Pool, declined: list[str]) -> tuple[Op, ...]:
    """No dense copy of a target is left in a formula: zeros are folded away, stored entries become corrections."""

    def rule(op: Op, counts: Mapping[Op, int], pool: Pool) -> Op | None:
        if not isinstance(op, Pointwise):
            return None
        targets = {x.feed for x in op.args if isinstance(x, Densify)}
        if len(targets) != 1:
            return None
        feed = targets.pop()
        absent, stored = dict[str, Expr](), dict[str, Expr]()
        args: list[Op] = []
        for i, x in enumerate(op.args):
            if isinstance(x, Densify):
                absent[f"x{i}"] = ZERO
                stored[f"x{i}"] = ONE if x.part == "present" or _boolean(feed) else Var("t")
            else:
                absent[f"x{i}"] = stored[f"x{i}"] = Var(f"x{len(args)}")
                args.append(x)
        return pool.make(Stored(op.type, feed, substitute(op.expr, absent), substitute(op.expr, stored), tuple(args)))

    return rewrite(roots, rule, pool)


def _boolean(feed: Op) -> bool:
    return isinstance(feed, Feed) and feed.stored == "boolean" and not isinstance(feed, Denoise)
