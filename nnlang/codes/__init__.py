"""The catalogue of every diagnostic: one file a family, rows of `Code`; codes are never reused.

NN1 syntax, NN2 keys and values, NN3 names and topology, NN4 shapes and data, NN5 advice, NN6 compatibility with DSSTNE,
NN7 running (usage, files, memory, devices, divergence), NN8 running on several devices.
"""

from __future__ import annotations

from functools import cache
from types import MappingProxyType

from nnlang.diagnostics import Code


@cache
def catalogue() -> MappingProxyType[str, Code]:
    """Every row of every family by its code, such as `NN301`, in the order of the codes."""
    from nnlang.codes import (
        advice,
        compat,
        data,
        files,
        keys,
        model,
        names,
        ranks,
        reporting,
        shapes,
        sweeping,
        sweeps,
        syntax,
        targets,
        training,
        usage,
    )

    families = (
        syntax,
        keys,
        names,
        shapes,
        data,
        advice,
        compat,
        usage,
        files,
        model,
        training,
        targets,
        sweeping,
        sweeps,
        reporting,
        ranks,
    )
    rows = [row for family in families for row in vars(family).values() if isinstance(row, Code)]
    found = {row.code: row for row in sorted(rows, key=lambda row: row.code)}
    assert len(found) == len(rows), "a code is used twice"
    return MappingProxyType(found)
