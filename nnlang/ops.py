"""The intermediate representation: an interned DAG of small typed operations with named axes.

Equal operations are one object of one `Pool`, so comparing and hashing are by identity and common subexpressions merge
by themselves. The pool belongs to one compilation. Roots are what a program is for: values it returns and states it
writes. Where an operation came from (layer names, spans) stands in a side table of the compilation, never in here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from nnlang.expressions import ZERO, Expr, Var, substitute, variables


@dataclass(frozen=True)
class Axis:
    """A named axis; size None is known at run time only (the rows of a batch).

    A split axis is dealt out over ranks: its size is this rank's part, its first element has the number `first` among
    the `whole`. Who sums over a split axis sums across the ranks.
    """

    name: str
    size: int | None
    whole: int = 0
    first: int = 0
    ranks: int = 1

    @property
    def is_split(self) -> bool:
        return self.ranks > 1

    @property
    def total(self) -> int:
        """Its elements on all ranks together."""
        return self.whole or self.size or 0

    def __str__(self) -> str:
        if self.is_split:
            return f"{self.name}:{self.size}@{self.first}/{self.whole}"
        return f"{self.name}:{self.size}" if self.size is not None else self.name


BATCH = Axis("batch", None)


@dataclass(frozen=True)
class Type:
    """Axes and storage: `dense` tensors, `csr` rows of stored entries, `none` for what is done, not computed."""

    axes: tuple[Axis, ...]
    storage: str = "dense"

    def __str__(self) -> str:
        return f"{self.storage}[{', '.join(map(str, self.axes))}]"


SCALAR, NOTHING = Type(()), Type((), "none")


@dataclass(frozen=True, eq=False, repr=False)
class Op:
    """An operation: its type, then what it is made of. Operations are made by a Pool only."""

    type: Type

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.type}>"  # one level: a whole DAG would print for ever


@dataclass(frozen=True, eq=False, repr=False)
class Feed(Op):
    """What the feed hands in for a bound layer. part: `rows`, `weight` [batch], `share` [batch], 1 / stored entries.

    stored says what a csr feed's entries hold: `boolean` (1 each) or `analog`.
    """

    slot: int
    part: str
    stored: str = ""
    density: float = 1.0


@dataclass(frozen=True, eq=False, repr=False)
class State(Op):
    """A tensor that lives from step to step, by its number in `Lowered.states`."""

    number: int


@dataclass(frozen=True, eq=False, repr=False)
class Scalar(Op):
    """A run-time number of the step block, by name; changing it recompiles nothing."""

    name: str


@dataclass(frozen=True, eq=False, repr=False)
class Denoise(Op):
    """The csr feed with each entry dropped with probability `rate`, survivors scaled by 1 / (1 - rate)."""

    feed: Op
    seed: int
    rate: Op


@dataclass(frozen=True, eq=False, repr=False)
class Densify(Op):
    """A csr value as a dense one. part: `value` (stored or 1), `present` 1 where an entry is stored."""

    feed: Op
    part: str


@dataclass(frozen=True, eq=False, repr=False)
class Keep(Op):
    """A random mask, 1 with probability 1 - rate, keyed by (seed, step, example, unit)."""

    seed: int
    rate: Op


@dataclass(frozen=True)
class Stage:
    """One scalar expression of an epilogue: x0 is the running value, x1.. are the arguments."""

    expr: Expr
    args: tuple[Op, ...]


@dataclass(frozen=True, eq=False, repr=False)
class Matmul(Op):
    """a @ b with either transposed; the contraction is over batch or units. An anchor: it carries an epilogue."""

    a: Op
    b: Op
    transpose_a: bool = False
    transpose_b: bool = False
    epilogue: tuple[Stage, ...] = ()


@dataclass(frozen=True, eq=False, repr=False)
class GatherSum(Op):
    """csr rows @ w: for each row the sum of the rows of w that it stores. An anchor."""

    feed: Op
    w: Op
    epilogue: tuple[Stage, ...] = ()


@dataclass(frozen=True, eq=False, repr=False)
class SegmentSum(Op):
    """csr-transposed @ delta: for each feature the sum of delta rows that store it, over the batch's csc."""

    feed: Op
    delta: Op


@dataclass(frozen=True, eq=False, repr=False)
class Pointwise(Op):
    """A scalar expression of x0.. = args, broadcast by axis name.

    slopes: derivatives by each argument as expressions of x0.. and y (the result); empty: differentiate the expression.
    """

    expr: Expr
    args: tuple[Op, ...]
    slopes: tuple[Expr, ...] = ()


@dataclass(frozen=True, eq=False, repr=False)
class View(Op):
    """The same values under other axis names (a skip brings one layer's units to another's)."""

    x: Op


@dataclass(frozen=True, eq=False, repr=False)
class Stored(Op):
    """A formula of a sparse target: `absent` everywhere, but `stored` where the feed stores an entry (t its value)."""

    feed: Op
    absent: Expr
    stored: Expr
    args: tuple[Op, ...]


@dataclass(frozen=True, eq=False, repr=False)
class Reduce(Op):
    """sum or mean over one axis. replicas: over how many groups the rows of a batch are dealt out, and summed here."""

    kind: str
    x: Op
    axis: Axis
    replicas: int = 1


@dataclass(frozen=True, eq=False, repr=False)
class Gather(Op):
    """The whole of a value [batch, unit] of which each rank has its part."""

    x: Op


@dataclass(frozen=True, eq=False, repr=False)
class Own(Op):
    """This rank's part of a value [batch, unit] that every rank has whole."""

    x: Op


@dataclass(frozen=True, eq=False, repr=False)
class Update(Op):
    """Writes states: body is a list of in-place assignments over the names given to gradient and states.

    gradient (g) is either any value, or an anchor (Matmul, SegmentSum) that nothing else uses: then its tiles are made,
    used and forgotten (fuse-update). names[i] is the name of states[i] in the body; scalars are bound by name.
    replicas: over how many groups the rows of a batch are dealt out: the gradient is first summed over them.
    """

    gradient: Op
    states: tuple[Op, ...]
    names: tuple[str, ...]
    body: tuple[tuple[str, Expr], ...]
    scalars: tuple[tuple[str, Op], ...]
    fused: bool = False
    replicas: int = 1


@dataclass(frozen=True, eq=False, repr=False)
class Assign(Op):
    """Writes one state."""

    state: Op
    value: Op


@dataclass(frozen=True, eq=False, repr=False)
class Clip(Op):
    """WeightNorm, after the updates: rescales each column of a [in, out] state to at most `limit`."""

    state: Op
    limit: Op


@dataclass(frozen=True, eq=False, repr=False)
class Result(Op):
    """A value that the entry point returns, under a number in `Lowered.results`."""

    number: int
    value: Op


@dataclass(frozen=True, eq=False, repr=False)
class Softmax(Op):
    """exp(x - max) / sum over the units of each row."""

    x: Op


@dataclass(frozen=True, eq=False, repr=False)
class Walk(Op):
    """The fused output: one walk over the leaves of a layer's units; logits, deltas, weight gradient never exist whole.

    Its value is the input delta [batch, k]: the sum over leaves by one balanced tree, then the epilogue (type `none`
    where nobody needs it).
    logits: stages from a leaf of h @ w to the activation (to the pre-activation with softmax); delta and value: what
    becomes of the tile `Leaf("a")`; updates: of w from `Leaf("dw")`, of the biases from `Leaf("db")`. With softmax a
    first walk finds each row's normaliser, and `mass` (a sum over stored entries) stands as `Leaf("mass")` in delta.
    """

    h: Op
    w: Op
    logits: tuple[Stage, ...]
    delta: Op
    value: Op | None
    updates: tuple[Op, ...]
    softmax: bool = False
    mass: Op | None = None
    epilogue: tuple[Stage, ...] = ()


@dataclass(frozen=True, eq=False, repr=False)
class Top(Op):
    """The k best of each row [batch, 2k]: scores, best first, then their units as the bits of an int32 each.

    Ties go to the lower unit, NaN counts as the highest score; beyond what is left of a row scores are -inf. shown
    [unit] is added to x: -inf for what must never appear. filter: csr rows or None; what they store is removed
    (boolean), or scales the score and is removed where it is 0 (analog). fused: x is a product (with softmax, what goes
    into one) that nothing else reads: its tiles are made, ranked and forgotten.
    """

    x: Op
    shown: Op
    filter: Op | None
    softmax: bool = False
    fused: bool = False

    @property
    def k(self) -> int:
        """How many are chosen."""
        return (self.type.axes[1].size or 0) // 2


@dataclass(frozen=True, eq=False, repr=False)
class Leaf(Op):
    """A placeholder inside a Walk: the tile of a value that never exists in full."""

    name: str


@dataclass(frozen=True, eq=False, repr=False)
class Part(Op):
    """Another value of a Walk beside its input delta: `error`, the error of each row."""

    walk: Op
    name: str


T = TypeVar("T", bound=Op)


class Pool:
    """Makes operations, each one once."""

    def __init__(self) -> None:
        self._ops: dict[tuple[Any, ...], Op] = {}

    def make(self, op: T) -> T:
        """The one operation equal to this fresh one, whose operands are of this pool."""
        key = (type(op), *(getattr(op, f.name) for f in fields(op)))
        found = self._ops.setdefault(key, op)
        assert isinstance(found, type(op))
        return found


def without(type: Type, axis: Axis) -> Type:
    """The type with one axis gone."""
    return Type(tuple(a for a in type.axes if a != axis), type.storage)


def pointwise(pool: Pool, e: Expr, args: tuple[Op, ...], slopes: tuple[Expr, ...] = ()) -> Op:
    """The pointwise operation with unused and repeated arguments dropped; a bare argument is itself."""
    used = frozenset().union(variables(e), *(variables(s) for s in slopes))
    kept: dict[Op, int] = {}
    names: dict[str, Expr] = {}
    by_argument: dict[Op, Expr] = {}  # an argument given twice has the sum of both slopes
    for i, x in enumerate(args):
        if f"x{i}" in used:
            names[f"x{i}"] = Var(f"x{kept.setdefault(x, len(kept))}")
            by_argument[x] = by_argument.get(x, ZERO) + (slopes[i] if slopes else ZERO)
    e = substitute(e, names)
    if e == Var("x0") and len(kept) == 1:
        return next(iter(kept))
    axes = sorted(dict.fromkeys(a for x in kept for a in x.type.axes), key=lambda a: a != BATCH)
    kept_slopes = tuple(substitute(s, names) for s in by_argument.values()) if slopes else ()
    return pool.make(Pointwise(Type(tuple(axes)), e, tuple(kept), kept_slopes))


def named(pool: Pool, e: Expr, values: Mapping[str, Op], slopes: Mapping[str, Expr] | None = None) -> Op:
    """The pointwise operation of an expression whose variables are bound by name; slopes by name too."""
    positions = {name: Var(f"x{i}") for i, name in enumerate(values)}
    given = tuple(substitute((slopes or {}).get(name, ZERO), positions) for name in values) if slopes else ()
    return pointwise(pool, substitute(e, positions), tuple(values.values()), given)


def operands(op: Op) -> Iterator[Op]:
    """The operations that this one is made of, in field order."""
    for f in fields(op):
        yield from _ops_in(getattr(op, f.name))


def _ops_in(value: object) -> Iterator[Op]:
    if isinstance(value, Op):
        yield value
    elif isinstance(value, Stage):
        yield from value.args
    elif isinstance(value, tuple):
        for item in value:
            yield from _ops_in(item)


def topological(roots: Iterable[Op]) -> list[Op]:
    """Every operation under the roots, operands first, in one order that follows from the roots alone."""
    done: dict[Op, None] = {}
    stack: list[tuple[Op, bool]] = [(r, False) for r in reversed(tuple(roots))]
    while stack:
        op, ready = stack.pop()
        if op in done:
            continue
        if ready:
            done[op] = None
            continue
        stack.append((op, True))
        stack.extend((x, False) for x in reversed(tuple(operands(op))))
    return list(done)
