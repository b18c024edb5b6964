"""ops -> plan -> module text, for the entry points of one network on one target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from nnlang.codegen import cpu, triton
from nnlang.codegen.plan import Plan
from nnlang.codegen.schedule import schedule
from nnlang.codegen.select import CPU_CACHE, GPU_CACHE
from nnlang.codegen.triton.tiles import DEFAULTS, Tiles
from nnlang.ops import Op

TARGETS = ("cpu", "cuda:80", "cuda:90", "cuda:100", "hip:gfx942", "interpret")
PRECISIONS = ("fp32", "tf32", "tf32x3", "bf16")
_KNOWN = {"cuda": PRECISIONS, "hip": ("fp32", "tf32", "bf16")}  # Triton splits factors into tf32 on CUDA alone


def precisions(target: str) -> tuple[str, ...]:
    """How the products of a target may round their factors; the CPU and the interpreter compute in float32."""
    return _KNOWN.get(target.partition(":")[0], ("fp32",))


@dataclass(frozen=True)
class Options:
    """What is compiled for: a target, how its products round their factors, the tuning table of its tiles."""

    target: str = "cpu"
    precision: str = "fp32"
    tiles: Tiles = field(default_factory=lambda: DEFAULTS)
    exact: bool = False  # sums over units in leaves everywhere, for the same bits on any number of devices

    @property
    def key(self) -> str:
        """What of the options is in the name of what is compiled."""
        family = "cpu" if self.target == "cpu" else "triton"
        tiles = sorted(self.tiles.items()) if family == "triton" else ""
        return f"{family} {self.precision} {tiles}{' exact' if self.exact else ''}"


@dataclass(frozen=True)
class Entry:
    """An optimised entry point: its roots, the numbers of its transposed states, the fusions that were declined."""

    name: str
    roots: tuple[Op, ...]
    transposed: frozenset[int]
    declined: tuple[str, ...] = ()


def plan(entry: Entry, batch: int, options: Options) -> Plan:
    """The plan of an entry point at a batch size."""
    cache = CPU_CACHE if options.target == "cpu" else GPU_CACHE
    return schedule(
        entry.name, entry.roots, batch, cache, entry.declined, exact=options.exact, transposed=entry.transposed
    )


def emit(entries: Sequence[Entry], plans: Mapping[str, Plan], options: Options) -> str:
    """The module text of some entry points, whose plans stand under their names."""
    steps = [(plans[e.name], e.roots, e.transposed) for e in entries]
    if options.target == "cpu":
        return cpu.emit(steps, exact=options.exact)
    return triton.emit(steps, options.tiles, options.precision, exact=options.exact)
