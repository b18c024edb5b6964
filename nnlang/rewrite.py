"""The one rewrite engine: rules are functions of an operation that give its replacement or None."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, replace
from typing import Any, TypeVar

from nnlang.ops import Op, Pool, Stage, operands, topological

Rule = Callable[[Op, Mapping[Op, int], Pool], Op | None]
T = TypeVar("T", bound=Op)


def rebuild(op: Op, new: Mapping[Op, Op], pool: Pool) -> Op:
    """The operation with operands replaced; itself where none was."""
    changes: dict[str, Any] = {}
    for f in fields(op):
        old = getattr(op, f.name)
        value = _replace_in(old, new)
        if value is not old:
            changes[f.name] = value
    return pool.make(replace(op, **changes)) if changes else op


def _replace_in(value: object, new: Mapping[Op, Op]) -> object:
    if isinstance(value, Op):
        return new.get(value, value)
    if isinstance(value, Stage):
        args = _replace_in(value.args, new)
        return value if args is value.args else Stage(value.expr, args)  # type: ignore[arg-type]
    if isinstance(value, tuple):
        items = tuple(_replace_in(v, new) for v in value)
        return value if all(a is b for a, b in zip(items, value, strict=True)) else items
    return value


def substitute(roots: tuple[Op, ...], new: Mapping[Op, Op], pool: Pool) -> tuple[Op, ...]:
    """The roots with some operations replaced wherever they are used."""
    done: dict[Op, Op] = {}
    for op in topological(roots):
        done[op] = new[op] if op in new else rebuild(op, done, pool)
    return tuple(done[r] for r in roots)


def rewrite(roots: tuple[Op, ...], rule: Rule, pool: Pool) -> tuple[Op, ...]:
    """The roots after a rule has been applied, operands first, until it changes nothing."""
    while True:
        counts = uses(roots)
        done: dict[Op, Op] = {}
        for op in topological(roots):
            fresh = rebuild(op, done, pool)
            if fresh is not op:
                counts.setdefault(fresh, counts[op])
            done[op] = rule(fresh, counts, pool) or fresh
            counts.setdefault(done[op], counts[op])
        after = tuple(done[r] for r in roots)
        if after == roots:
            return roots
        roots = after


def uses(roots: Iterable[Op]) -> dict[Op, int]:
    """How many operations (and roots) use each one."""
    roots = tuple(roots)
    counts: dict[Op, int] = dict.fromkeys(roots, 1)
    for op in topological(roots):
        counts.setdefault(op, 0)
        for x in operands(op):
            counts[x] = counts.get(x, 0) + 1
    return counts
