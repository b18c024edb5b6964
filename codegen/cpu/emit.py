"""plan -> module text: a function an entry point, a commented block a launch."""

from __future__ import annotations

from collections.abc import Sequence

from nnlang.codegen.cpu.launches import LAUNCHES
from nnlang.codegen.cpu.operands import Scope, indented, scalar
from nnlang.codegen.plan import DOCS, Buffer, Launch, Plan
from nnlang.ops import Feed, Op, Result, Scalar, State, Walk, topological

KERNELS = (
    "Normaliser",
    "Tree",
    "clip_columns",
    "denoise",
    "densify",
    "gather_sum",
    "input_delta",
    "keep_mask",
    "leaf_log_sums",
    "leaf_product",
    "leaf_softmax",
    "leaf_stored",
    "leaf_sums",
    "segment_sum",
    "unit_sums",
)

HEADER = '''"""{title}

Written by nnlang for the CPU from a plan. `s` are states by number, `x` slots of the feed, `t` buffers of the arena,
`block` the step block. Nothing in here comes from the text of a definition.
"""

{imports}
'''

ENTRY = '''

def {entry}(s, x, block):
    """{doc}"""
    m = block.rows
{bindings}
{launches}
    return ({results})
'''


def emit(plans: Sequence[tuple[Plan, tuple[Op, ...], frozenset[int]]], *, exact: bool = False) -> str:
    """The module of some entry points: (plan, roots, states kept as [out, in]) each."""
    title = f"Entry points: {', '.join(plan.entry for plan, _, _ in plans)}."
    text = "".join(_entry(*p, exact) for p in plans)
    names = [name for name in KERNELS if f"{name}(" in text]
    math = "import math\n\n" if "math." in text else ""
    imports = f"\nfrom nnlang.runtime.kernels import {', '.join(names)}\n" if names else ""
    return HEADER.format(title=title, imports=f"{math}import torch\n{imports}") + text


def _entry(plan: Plan, roots: tuple[Op, ...], transposed: frozenset[int], exact: bool) -> str:
    buffers = {b.op: b.name for b in plan.buffers if not b.name.endswith("_error")}
    errors = {b.op: b.name for b in plan.buffers if b.name.endswith("_error")}
    scope = Scope(buffers, errors, transposed, exact)
    by_launch: dict[int, list[Buffer]] = {}
    for b in plan.buffers:
        by_launch.setdefault(b.first, []).append(b)
    blocks = [indented(_launch(scope, launch, by_launch.get(launch.number, []))) for launch in plan.launches]
    results = [scope.text(r.value) for r in roots if isinstance(r, Result)]
    return ENTRY.format(
        entry=plan.entry,
        doc=DOCS[plan.entry],
        bindings=indented(_bindings(roots)),
        launches="\n".join(blocks),
        results=", ".join(results) + ",",
    )


def _bindings(roots: tuple[Op, ...]) -> list[str]:
    every = topological(roots)
    states = sorted({op.number for op in every if isinstance(op, State)})
    slots = sorted({op.slot for op in every if isinstance(op, Feed)})
    scalars = sorted({op.name for op in every if isinstance(op, Scalar)})
    lines = [f"{', '.join(f's{n}' for n in states)}, = {', '.join(f's[{n}]' for n in states)}," if states else ""]
    lines += [f"x{n} = x[{n}]" for n in slots if len(slots) == 1]
    if len(slots) > 1:
        lines += [f"{', '.join(f'x{n}' for n in slots)} = {', '.join(f'x[{n}]' for n in slots)}"]
    lines += [f'{scalar(name)} = block.scalars["{name}"]' for name in scalars]
    return [line for line in lines if line]


def _launch(scope: Scope, launch: Launch, buffers: Sequence[Buffer]) -> list[str]:
    lines = [f"# {launch.number} {launch.name}: {_shape(launch.op)}"]
    for b in buffers:
        shape = ", ".join("m" if n is None else str(n) for n in b.shape)
        lines.append(f"{b.name} = block.buffer({b.slot}, {shape})")
    return [*lines, *LAUNCHES[launch.kind](scope, launch)]


def _shape(op: Op) -> str:
    if isinstance(op, Walk):
        k, n = (a.size for a in op.w.type.axes)
        return f"{n} output units from {k}, loss, delta and update"
    return str(op.type)
