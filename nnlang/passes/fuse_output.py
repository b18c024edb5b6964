"""fuse-output: output matmul, loss, input delta, weight gradient and update become one walk over the output weights;
output matmul, SoftMax and the choice of the k best another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from nnlang.expressions import ZERO
from nnlang.ops import (
    BATCH,
    NOTHING,
    Densify,
    Feed,
    Leaf,
    Matmul,
    Op,
    Part,
    Pointwise,
    Pool,
    Reduce,
    Softmax,
    Stored,
    Top,
    Update,
    Walk,
    operands,
    topological,
)
from nnlang.rewrite import rebuild, rewrite, substitute


@dataclass(frozen=True)
class Site:
    """A candidate: the update of w from the delta d and the input h, and everything around it."""

    update: Update
    h: Op
    w: Op
    d: Op
    logits: Matmul
    a: Op
    back: Matmul | None  # the input delta
    biases: tuple[Update, ...]
    bias_sum: Op | None
    errors: tuple[Reduce, ...]
    mass: Reduce | None


def fuse_output(roots: tuple[Op, ...], pool: Pool, declined: list[str]) -> tuple[Op, ...]:
    """Every output layer that allows it becomes a Walk, or part of its Top; for the others the reason is noted."""
    roots = _ranked(roots, pool, declined)
    while True:
        readers = _readers(roots)
        for update in [r for r in roots if isinstance(r, Update)]:
            site, reason = _site(update, readers, roots)
            if site is not None:
                roots = _fused(site, roots, pool)
                break
            if reason:
                declined.append(f"fuse-output: {reason}")
        else:
            return roots


def _ranked(roots: tuple[Op, ...], pool: Pool, declined: list[str]) -> tuple[Op, ...]:
    """Every choice of the best over a product, or over its SoftMax, that nothing else reads is made tile by tile."""

    def rule(op: Op, counts: Mapping[Op, int], pool: Pool) -> Op | None:
        match op:
            case Top(x=Matmul(a=a) | Softmax(x=Matmul(a=a)), fused=False) if a.type.axes[1].is_split:
                declined.append("fuse-output: what is ranked is a sum over ranks, its scores exist in full")
                return None
            case Top(x=Matmul() as x, fused=False) if counts[x] == 1:
                return pool.make(replace(op, fused=True))
            case Top(x=Softmax(x=Matmul() as x) as a, fused=False) if counts[a] == counts[x] == 1:
                return pool.make(replace(op, x=x, softmax=True, fused=True))
            case Top(fused=False):
                declined.append("fuse-output: what is ranked is no product of its own, its scores exist in full")
        return None

    return rewrite(roots, rule, pool)


def _readers(roots: tuple[Op, ...]) -> dict[Op, list[Op]]:
    found: dict[Op, list[Op]] = {}
    for op in topological(roots):
        for x in operands(op):
            found.setdefault(x, []).append(op)
    return found


def _site(update: Update, readers: dict[Op, list[Op]], roots: tuple[Op, ...]) -> tuple[Site | None, str]:
    """The site around an update, or why there is none; no reason where the layer is no output at all."""
    w = update.states[0]
    forward = [m for m in readers.get(w, []) if isinstance(m, Matmul) and m.b is w and not m.transpose_b]
    products = [m for m in forward if _is_judged(m, readers)]
    if len(w.type.axes) != 2 or not products:
        return None, ""
    logits = products[0]
    a = next((s for s in readers[logits] if isinstance(s, Softmax)), logits)
    match update.gradient:
        case Matmul(a=h, b=d, transpose_a=True, transpose_b=False, epilogue=()) if h is logits.a and len(forward) == 1:
            if not isinstance(d, Stored | Pointwise):
                return None, "the output is a source of another layer"
            return _legal(update, h, w, d, logits, a, readers, roots)
    return None, "the output's matrix is shared"


def _is_judged(product: Matmul, readers: dict[Op, list[Op]]) -> bool:
    """Whether a product, or its SoftMax, is compared with targets: an output's is, for its delta at least."""
    a = next((s for s in readers[product] if isinstance(s, Softmax)), product)
    units = product.type.axes[1]
    return any(
        isinstance(x, Feed) and x.part == "rows" and units in x.type.axes for v in readers[a] for x in operands(v)
    )


def _legal(
    update: Update, h: Op, w: Op, d: Op, logits: Matmul, a: Op, readers: dict[Op, list[Op]], roots: tuple[Op, ...]
) -> tuple[Site | None, str]:
    back = [m for m in readers[d] if isinstance(m, Matmul) and m.a is d and m.b is w]
    sums = [r for r in readers[d] if isinstance(r, Reduce) and r.axis == BATCH]
    biases = tuple(u for s in sums for u in readers[s] if isinstance(u, Update))
    expected = {update.gradient, *back, *sums}
    if set(readers[d]) - expected:
        return None, "the output has several sources or skips"
    if any(isinstance(x, Stored | Pointwise) and len(x.type.axes) == 2 and a in operands(x) for x in operands(d)):
        whole = "SoftMax with this error function" if isinstance(a, Softmax) and a in operands(d) else "DeltaNorm"
        return None, f"{whole} needs whole rows of the delta"
    values = [v for v in readers[a] if v is not d]
    errors = tuple(r for v in values for r in readers.get(v, []) if isinstance(r, Reduce) and r.axis == w.type.axes[1])
    mass = next((r for r in operands(d) if isinstance(r, Reduce) and r.axis == w.type.axes[1]), None)
    if any(v not in {r.x for r in errors} for v in values) or any(set(readers[r.x]) - {r} for r in errors):
        return None, "the output is a source of another layer"
    inner = [r.x for r in (*errors, *([mass] if mass else []))]
    others = {x for v in (d, *inner) for x in operands(v)}
    others = {x for x in others - {a} if len(x.type.axes) == 2}
    if any(not isinstance(x, Feed) for x in others):
        return None, "its loss needs another full matrix (dropout on the output)"
    if isinstance(a, Softmax) and not (mass and isinstance(mass.x, Stored) and mass.x.absent == ZERO):
        return None, "SoftMax with this error function or dense targets needs whole rows twice"
    if w.type.axes[0].is_split:
        return None, "what it reads is split over ranks"
    if isinstance(h, Densify):
        return None, "its matrix is laid out for the sparse input that it reads"
    extra = [x for s in logits.epilogue for x in s.args if len(x.type.axes) == 2]
    if extra:
        return None, "the output has several sources or skips"
    errors = tuple(r for r in errors if r is not mass)
    return Site(
        update, h, w, d, logits, a, back[0] if back else None, biases, sums[0] if sums else None, errors, mass
    ), ""


def _fused(site: Site, roots: tuple[Op, ...], pool: Pool) -> tuple[Op, ...]:
    leaf = {site.a: pool.make(Leaf(site.a.type, "a"))}
    mass = None
    if site.mass is not None:
        mass = rebuild(site.mass.x, leaf, pool)
        leaf[site.mass] = pool.make(Leaf(site.mass.type, "mass"))
    assert len(site.errors) <= 1, "one error function per output"
    gradients: dict[Op, Op] = {site.update.gradient: pool.make(Leaf(site.w.type, "dw"))}
    if site.bias_sum is not None:
        gradients[site.bias_sum] = pool.make(Leaf(site.bias_sum.type, "db"))
    walk = pool.make(
        Walk(
            site.back.type if site.back else NOTHING,
            site.h,
            site.w,
            site.logits.epilogue,
            rebuild(site.d, leaf, pool),
            rebuild(site.errors[0].x, leaf, pool) if site.errors else None,
            tuple(rebuild(u, gradients, pool) for u in (site.update, *site.biases)),
            isinstance(site.a, Softmax),
            mass,
            site.back.epilogue if site.back else (),
        )
    )
    new: dict[Op, Op] = {site.update: walk}
    if site.back is not None:
        new[site.back] = walk
    for r in site.errors:
        new[r] = pool.make(Part(r.type, walk, "error"))
    kept = tuple(r for r in roots if r not in site.biases)
    return substitute(kept, new, pool)
