"""What axes say of one another: constraints between their values, and axes that change nothing beside others."""

from __future__ import annotations

from collections.abc import Iterator

from nnlang import ast
from nnlang.codes import sweeps as codes
from nnlang.diagnostics import Report, at
from nnlang.source import Source, Span
from nnlang.suggest import did_you_mean
from nnlang.sweeps.axes import Found, named, plain, shown
from nnlang.sweeps.constraints import ORDERING, SIGNS, Constraint, compare, number
from nnlang.sweeps.paths import REPEAT, Target
from nnlang.sweeps.space import Choice, Integer, Json, Kind, canonical, contains
from nnlang.syntax import ArrayNode, Node, StringNode


def check_idle(found: tuple[Found, ...], report: Report) -> None:
    """Warns of axes inside what another axis takes out, where they have no condition that says so."""
    removing = [(other, gone) for other in found if (gone := _removes(other)) is not None]
    for one in found:
        for other, gone in removing:
            if one is other or not any(_holds(outer, inner) for outer in other.targets for inner in one.targets):
                continue
            if not any(w.axis == other.axis.name and canonical(gone[0]) not in w.known for w in one.axis.when):
                facts = {"axis": one.axis.name, "other": other.axis.name, "value": shown(gone[0])}
                report(codes.IDLE_AXIS, at(one.source, one.span), **facts, values=_others(other, gone[0]))


def _removes(one: Found) -> tuple[Json] | None:
    """The value of an axis that takes something out."""
    if any(target.key is REPEAT for target in one.targets):
        return (0,) if contains(one.axis.kind, 0) else None
    return (None,) if contains(one.axis.kind, None) else None


def _holds(outer: Target, inner: Target) -> bool:
    if outer.key is REPEAT:
        return inner.layer is not None and inner.layer == outer.layer and inner.key is not REPEAT
    return outer.over(inner)


def _others(one: Found, gone: Json) -> str:
    """The values of an axis that take nothing out, as a list."""
    match one.axis.kind:
        case Choice(values):
            return shown([v for v in values if canonical(v) != canonical(gone)])
        case Integer(low, high):
            return shown([n for n in range(low, min(high, low + 10) + 1) if n != gone])
    return "[...]"


def read_constraints(
    written: ast.Sweep, source: Source, found: tuple[Found, ...], report: Report
) -> Iterator[Constraint]:
    """The sound constraints; what is wrong with the others is reported."""
    sound = {one.axis.name for one in found}
    unsound = {m.name.value for m in (written.axes.value.members if written.axes else ())} - sound
    for node in written.constraints.value.items if written.constraints is not None else ():
        if isinstance(node, ArrayNode) and unsound & {n.value for n in node.items if isinstance(n, StringNode)}:
            continue  # what is wrong with the axis is told
        made = _constraint(node, found)
        if isinstance(made, Constraint):
            yield made
        else:
            reason, span, help = made
            report(codes.CONSTRAINT, at(source, span), help=help, reason=reason)


def _constraint(node: Node, found: tuple[Found, ...]) -> Constraint | tuple[str, Span, str | None]:
    """One constraint; or why it is none, where, and what may be meant."""
    if not isinstance(node, ArrayNode) or len(node.items) != 3 or not isinstance(node.items[0], StringNode):
        return "is no list of an axis, a sign, and an axis or a value", node.span, None
    first, middle, last = node.items
    left = named(plain(first), found)
    if left is None:
        return _no_axis(first, found)
    sign = plain(middle)
    if not isinstance(sign, str) or sign not in SIGNS:
        return f"has the sign {shown(sign)}", middle.span, None
    value = plain(last)
    right = named(value, found) if isinstance(value, str) else None
    if right is None and isinstance(last, StringNode) and not contains(left.axis.kind, value):
        return _no_axis(last, found)
    if right is left:
        return "compares an axis with itself", node.span, None
    made = Constraint(left.axis.name, sign, right.axis.name if right else None, None if right else value)
    other = right.axis.kind if right else Choice((value,))
    if sign in ORDERING and (lacking := _unordered(left.axis.kind, other)):
        return f"orders {lacking}, which is no number", node.span, None
    return made if possible(left.axis.kind, sign, other) else ("is fulfilled by no values", node.span, None)


def _no_axis(node: Node, found: tuple[Found, ...]) -> tuple[str, Span, str | None]:
    word = str(plain(node))
    near = did_you_mean(word, [one.axis.name for one in found])
    return f"names `{word[:60]}`, and no axis is called so", node.span, near


def _unordered(*kinds: Kind) -> str:
    """A value that is no number, shown; empty without one (null may stand among numbers)."""
    values = (v for kind in kinds if isinstance(kind, Choice) for v in kind.values)
    return next((shown(v) for v in values if v is not None and not number(v)), "")


def possible(left: Kind, sign: str, right: Kind) -> bool:
    """Whether any values of two axes stand in a relation."""
    if isinstance(left, Choice) and isinstance(right, Choice):
        return any(compare(a, sign, b) for a in left.values for b in right.values)
    if any(isinstance(kind, Choice) and None in kind.values for kind in (left, right)):
        return True
    ends = [_ends(kind) for kind in (left, right)]
    if None in ends or sign == "!=":
        return True
    (a, b), (c, d) = (end for end in ends if end is not None)
    return {"<": a < d, "<=": a <= d, ">": b > c, ">=": b >= c, "==": a <= d and c <= b}[sign]


def _ends(kind: Kind) -> tuple[float, float] | None:
    if not isinstance(kind, Choice):
        return kind.low, kind.high
    numbers = [v for v in kind.values if number(v)]
    return (min(numbers), max(numbers)) if numbers else None
