"""plan -> module text: kernels in the order of their launches, then a function an entry point that launches them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from nnlang.codegen.plan import DOCS, Buffer, Launch, Plan
from nnlang.codegen.triton import dense, elementwise, ranks, reductions, sparse, updates
from nnlang.codegen.triton.kernel import Scope, Text, indented, wrapped
from nnlang.codegen.triton.tiles import Tiles
from nnlang.codegen.triton.top import top
from nnlang.codegen.triton.walk import walk
from nnlang.ops import Feed, Op, Result, Scalar, State, topological

LANGUAGE = (
    "bag_sum", "bag_sum_2", "bag_sum_4", "bag_sum_8", "expm1", "grain_sums", "greater", "highest", "key_of", "less",
    "log1p", "maximum", "minimum", "score_of", "sign", "softplus", "tanh", "tree", "uniform", "unit_of",
)  # fmt: skip

HEADER = '''"""{title}

Written by nnlang from a plan. `s` are states by number, `x` slots of the feed, `t` buffers of the arena; the step block
holds what changes from step to step: rows, position, number of the batch, epoch, step and seed, then the scalars.
Nothing in here comes from the text of a definition.
"""

import triton
import triton.language as tl
{imports}
SCALARS = {{
{scalars}
}}
'''

ENTRY = '''

def {entry}(s, x, block):
    """{doc}"""
    m = block.rows
{bindings}
{launches}
    return ({results})
'''

LAUNCHES: Mapping[str, Callable[[Scope, Launch], Text]] = {
    "assign": elementwise.assign,
    "clip": reductions.clip,
    "denoise": sparse.denoise,
    "densify": sparse.densify,
    "gather": ranks.gather,
    "gather_sum": sparse.gather_sum,
    "keep": elementwise.keep,
    "linear": dense.linear,
    "linear_update": dense.linear_update,
    "own": ranks.own,
    "pointwise": elementwise.pointwise,
    "reduce": reductions.reduce,
    "reduce_update": reductions.reduce_update,
    "segment_sum": sparse.segment_sum,
    "segment_sum_update": sparse.segment_sum_update,
    "softmax": reductions.softmax,
    "stored": sparse.stored,
    "top": top,
    "update": updates.update,
    "walk": walk,
}


def emit(
    plans: Sequence[tuple[Plan, tuple[Op, ...], frozenset[int]]], tiles: Tiles, precision: str, *, exact: bool = False
) -> str:
    """The module of some entry points: (plan, roots, states kept as [out, in]) each.

    exact: sums over units have the same bits on 1, 2, 4 and 8 ranks.
    """
    kernels: dict[str, str] = {}
    entries, scalars = [], []
    for plan, roots, transposed in plans:
        names = sorted({op.name for op in topological(roots) if isinstance(op, Scalar)})
        prefix = "" if len(plans) == 1 else f"{plan.entry}_"
        scope = _scope(plan, transposed, names, tiles, precision, exact)
        text, entry = _entry(scope, plan, roots, prefix)
        kernels |= dict.fromkeys(text.kernels, "")
        entries.append(entry)
        scalars.append(f'    "{plan.entry}": ({"".join(f"{_quoted(n)}, " for n in names).rstrip()}),')
    body = "".join(f"\n\n{kernel}\n" for kernel in kernels) + "".join(entries)
    used = [name for name in LANGUAGE if f"{name}(" in body.replace(f"tl.{name}(", "")]
    imports = f"\nfrom nnlang.runtime.language import {', '.join(used)}\n" if used else ""
    title = f"Entry points: {', '.join(plan.entry for plan, _, _ in plans)}."
    return HEADER.format(title=title, imports=imports, scalars="\n".join(scalars)) + body


def _quoted(name: str) -> str:
    return f'"{name}"'


def _scope(
    plan: Plan, transposed: frozenset[int], names: list[str], tiles: Tiles, precision: str, exact: bool
) -> Scope:
    buffers = {b.op: b.name for b in plan.buffers if not b.name.endswith("_error")}
    errors = {b.op: b.name for b in plan.buffers if b.name.endswith("_error")}
    places = {name: i for i, name in enumerate(names)}
    return Scope(buffers, errors, transposed, places, tiles, precision, plan.batch, exact)


def _entry(scope: Scope, plan: Plan, roots: tuple[Op, ...], prefix: str) -> tuple[Text, str]:
    """The kernels and the function of an entry point."""
    by_launch: dict[int, list[Buffer]] = {}
    for b in plan.buffers:
        by_launch.setdefault(b.first, []).append(b)
    whole = Text()
    for launch in plan.launches:
        named = Launch(launch.number, launch.kind, prefix + launch.name, launch.op, launch.cost, launch.chunk)
        text = LAUNCHES[launch.kind](scope, named)
        whole.kernels += text.kernels
        whole.lines += [f"# {launch.number} {launch.name}"]
        whole.lines += [_buffer(b) for b in by_launch.get(launch.number, [])]
        whole.lines += text.lines
    results = [scope.text(r.value) for r in roots if isinstance(r, Result)]
    function = ENTRY.format(
        entry=plan.entry,
        doc=DOCS[plan.entry],
        bindings=indented(_bindings(roots)),
        launches="\n".join(wrapped(line) for line in indented(whole.lines).splitlines()),
        results="".join(f"{r}, " for r in results).rstrip(),
    )
    return whole, function


def _buffer(b: Buffer) -> str:
    shape = ", ".join("m" if n is None else str(n) for n in b.shape) or "1"
    return f"{b.name} = block.buffer({b.slot}, {shape})"


def _bindings(roots: tuple[Op, ...]) -> list[str]:
    every = topological(roots)
    states = sorted({op.number for op in every if isinstance(op, State)})
    slots = sorted({op.slot for op in every if isinstance(op, Feed)})
    found = []
    for letter, numbers in (("s", states), ("x", slots)):
        if numbers:
            names, values = (", ".join(f.format(letter, n) for n in numbers) for f in ("{}{}", "{}[{}]"))
            found.append(f"{names} = {values}")
    return found
