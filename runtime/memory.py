"""Memory counted before it is taken: a run that will not fit stops with the batch that would."""

from __future__ import annotations

from collections.abc import Callable

from nnlang.codegen.plan import Plan
from nnlang.codes import training as codes
from nnlang.diagnostics import stop
from nnlang.runtime.hdf import available_memory

UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def text(count: float) -> str:
    """Bytes as people read them."""
    for unit in UNITS:
        if count < 1024 or unit == UNITS[-1]:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    raise AssertionError


def check(plan_for: Callable[[int], Plan], batch: int) -> None:
    """Raises Stop (exit 4) if a plan's memory at a batch size is more than there is."""
    free = available_memory()
    needed = plan_for(batch).peak_memory
    if needed <= free:
        return
    smaller = batch
    while smaller > 1 and plan_for(smaller).peak_memory > free:
        smaller //= 2
    fits = plan_for(smaller).peak_memory <= free
    help = None if fits else "no batch is small enough: use fewer units, or a machine with more memory"
    raise stop(codes.OUT_OF_MEMORY, needed=text(needed), free=text(free), batch=smaller, help=help)
