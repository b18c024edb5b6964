"""The optimising passes: each a function of the roots, idempotent, mutating nothing, preserving meaning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from nnlang.ops import Op, Pool
from nnlang.passes.fuse_epilogue import fuse_epilogue
from nnlang.passes.fuse_loss import fuse_loss
from nnlang.passes.fuse_output import fuse_output
from nnlang.passes.fuse_update import fuse_update
from nnlang.passes.sparse_input import sparse_input

Pass = Callable[[tuple[Op, ...], Pool, list[str]], tuple[Op, ...]]

PIPELINE: tuple[tuple[str, Pass], ...] = (
    ("sparse-input", sparse_input),
    ("fuse-epilogue", fuse_epilogue),
    ("fuse-loss", fuse_loss),
    ("fuse-output", fuse_output),
    ("fuse-update", fuse_update),
)


@dataclass(frozen=True)
class Optimised:
    """Roots after the pipeline, the roots after each pass, and why a fusion was declined."""

    roots: tuple[Op, ...]
    after: dict[str, tuple[Op, ...]] = field(default_factory=dict)
    declined: tuple[str, ...] = ()


def optimise(roots: tuple[Op, ...], pool: Pool, check: Callable[[tuple[Op, ...]], None] | None = None) -> Optimised:
    """The roots through the whole PIPELINE; `check` (the verifier) runs after each pass where it is given."""
    after: dict[str, tuple[Op, ...]] = {}
    declined: list[str] = []
    for name, step in PIPELINE:
        roots = step(roots, pool, declined)
        after[name] = roots
        if check:
            check(roots)
    return Optimised(roots, after, tuple(dict.fromkeys(declined)))
