"""Lint rules as data: RULES by their codes, CHECKS those that look at a sound definition as a whole."""

from __future__ import annotations

from collections.abc import Mapping

from nnlang.rules import (
    advice,
    brackets,
    compat,
    dsstne,
    graph,
    keys,
    names,
    numbers,
    preparation,
    saved,
    shapes,
    sizes,
    spelling,
    syntax,
)
from nnlang.rules.rule import Check, Rule

_FAMILIES = (
    syntax, brackets, keys, names, shapes, advice, compat, dsstne, graph, numbers, saved, sizes, spelling, preparation,
)  # fmt: skip
RULES: Mapping[str, Rule] = {
    row.code.code: row for row in sorted((r for f in _FAMILIES for r in f.ROWS), key=lambda row: row.code.code)
}
CHECKS: Mapping[str, Check] = {code: rule.check for code, rule in RULES.items() if rule.check is not None}
