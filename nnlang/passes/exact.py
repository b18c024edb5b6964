"""exact: formulas whose values hang on nothing but their arguments, for the same bits on any number of ranks.

torch.sigmoid rounds elements that fill no vector register otherwise than the rest, so that its bits hang on where an
element stands; exp, division and the others do not (torch 2.13, 92 lengths, with one thread and with two).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from nnlang.expressions import ONE, Call, Expr, call
from nnlang.ops import Op, Pool, Stage
from nnlang.rewrite import rewrite


def exact_formulas(roots: tuple[Op, ...], pool: Pool) -> tuple[Op, ...]:
    """The roots with every sigmoid written as 1 / (1 + exp(-x))."""

    def rule(op: Op, counts: Mapping[Op, int], pool: Pool) -> Op | None:
        changes = {f.name: _spelled(value) for f in fields(op) if f.name != "type" and (value := getattr(op, f.name))}
        changes = {name: value for name, value in changes.items() if value != getattr(op, name)}
        return pool.make(replace(op, **changes)) if changes else None

    return rewrite(roots, rule, pool)


def _spelled(value: Any) -> Any:
    match value:
        case Call(function, args):
            spelled: tuple[Expr, ...] = tuple(_spelled(a) for a in args)
            return ONE / (ONE + call("exp", -spelled[0])) if function == "sigmoid" else Call(function, spelled)
        case Stage(e, args):
            return Stage(_spelled(e), args)
        case tuple():
            return tuple(_spelled(v) for v in value)
    return value
