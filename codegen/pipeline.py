"""ops -> plan -> module text, for the entry points of one network on one target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nnlang.codegen import cpu
from nnlang.codegen.plan import Plan
from nnlang.codegen.schedule import schedule
from nnlang.ops import Op

TARGETS = {"cpu": cpu.emit}


@dataclass(frozen=True)
class Entry:
    """An optimised entry point: its roots, the numbers of its transposed states, the fusions that were declined."""

    name: str
    roots: tuple[Op, ...]
    transposed: frozenset[int]
    declined: tuple[str, ...] = ()


def plan(entry: Entry, batch: int) -> Plan:
    """The plan of an entry point at a batch size."""
    return schedule(entry.name, entry.roots, batch, entry.declined)


def emit(entries: Sequence[Entry], plans: Mapping[str, Plan], target: str = "cpu") -> str:
    """The module text of some entry points, whose plans stand under their names."""
    return TARGETS[target]([(plans[e.name], e.roots, e.transposed) for e in entries])
