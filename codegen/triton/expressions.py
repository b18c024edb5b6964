"""Scalar expressions as Triton text, with as few parentheses as their meaning needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nnlang.expressions import INFIX, Call, Const, Expr, Var

RANK = {"add": 1, "sub": 1, "mul": 2, "div": 2, "neg": 3}
ATOM = 4
FUNCTIONS = {  # the others are functions of runtime/language.py under our own names
    "abs": "tl.abs",
    "sqrt": "tl.sqrt",
    "exp": "tl.exp",
    "log": "tl.log",
    "sigmoid": "tl.sigmoid",
    "max": "maximum",
    "min": "minimum",
    "gt": "greater",
    "lt": "less",
}


def triton(e: Expr, names: Mapping[str, str]) -> str:
    """The text of an expression whose variables have these texts (names, calls: nothing that needs parentheses)."""
    return _text(e, names)[0]


def _text(e: Expr, names: Mapping[str, str]) -> tuple[str, int]:
    match e:
        case Const(number):
            return repr(number), ATOM if number >= 0 else RANK["neg"]
        case Var(name):
            return names[name], ATOM
        case Call("neg", (x,)):
            return f"-{_operand(x, names, RANK['neg'])}", RANK["neg"]
        case Call(function, (a, b)) if function in INFIX:
            rank = RANK[function]
            right = rank + (function in ("sub", "div") or _is_sum_of(b, rank))
            return f"{_operand(a, names, rank)} {INFIX[function]} {_operand(b, names, right)}", rank
        case Call(function, args):
            inside = ", ".join(triton(a, names) for a in args)
            return f"{FUNCTIONS.get(function, function)}({inside})", ATOM
    raise AssertionError(e)


def _is_sum_of(e: Expr, rank: int) -> bool:
    """Whether an expression on the right has this rank: its own grouping is part of the rounding."""
    return isinstance(e, Call) and RANK.get(e.function, ATOM) == rank


def _operand(e: Expr, names: Mapping[str, str], rank: int) -> str:
    text, own = _text(e, names)
    return text if own >= rank else f"({text})"


def assignments(body: Sequence[tuple[str, Expr]], names: Mapping[str, str]) -> list[str]:
    """The statements of an optimiser's assignments over variables of the kernel."""
    return [f"{names[name]} = {triton(e, names)}" for name, e in body]
