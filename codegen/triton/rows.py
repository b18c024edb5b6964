"""What becomes of each row of a walk: its normaliser, its mass of stored targets, its error. Shapes are never tuned.

A tile of logits leaves one number for every grain of 64 units; leaves of the reduction grid are whole grains. Where a
sum is completed apart (`Scope.is_apart`), what is added to what does not depend on how a row lies in registers, and the
entries of a row are summed by the leaves of its units.
"""

from __future__ import annotations

from nnlang.codegen.grid import gather_leaves, leaf
from nnlang.codegen.plan import Launch
from nnlang.codegen.triton.expressions import triton
from nnlang.codegen.triton.kernel import Kernel, Scope, Text, across, indented, part, slot
from nnlang.codegen.triton.sparse import entry_value
from nnlang.ops import BATCH, Axis, Feed, Leaf, Op, Scalar, Stored

GRAIN = 64

GRAINS = """
    leaf = tl.arange(0, {width})
    sums = tl.zeros([{width}, 8], tl.float32)
    for first in range(0, {per_leaf}, 8):
        inside = first + tl.arange(0, 8)
        grain = leaf[:, None] * {per_leaf} + inside[None, :]
        mask = (grain < {grains}) & (inside < {per_leaf})[None, :]
        sums += {term}
    total = tl.sum(tree(tl.sum(sums, axis=1)[:, None, None], {log}))
"""

GRAINS_APART = """
    leaf = tl.arange(0, {width})
    sums = tl.zeros([8, {width}], tl.float32)
    for first in range(0, {per_leaf}, 8):
        inside = first + tl.arange(0, 8)
        grain = leaf[None, :] * {per_leaf} + inside[:, None]
        mask = (grain < {grains}) & (inside < {per_leaf})[:, None]
        sums += {term}
    total = tl.sum(tree(tree(sums[:, :, None], 3)[:, None, :], {log}))
"""

PEAKS = '''
@triton.jit
def {name}({params}):
    """The highest logit of each row, from the grains' peaks."""
{prologue}
    row = tl.program_id(0)
    if row >= live:
        return
    peak = tl.full([256], float("-inf"), tl.float32)
    for first in range(0, {grains}, 256):
        grain = first + tl.arange(0, 256)
        peak = maximum(peak, tl.load({peaks} + row * {grains} + grain, mask=grain < {grains}, other=float("-inf")))
    tl.store({dest} + row, tl.max(peak, axis=0))
'''

TOTALS = '''
@triton.jit
def {name}({params}):
    """The sum of exponentials of each row, from the grains' peaks and sums and the highest logit of the row."""
{prologue}
    row = tl.program_id(0)
    if row >= live:
        return
    highest = tl.load({highest} + row)
{sums}
    tl.store({dest} + row, total)
'''

NORMALISER = '''
@triton.jit
def {name}({params}):
    """The logarithm of the sum of exponentials of each row, from the grains' peaks and sums."""
{prologue}
    row = tl.program_id(0)
    if row >= live:
        return
    peak = tl.full([256], float("-inf"), tl.float32)
    for first in range(0, {grains}, 256):
        grain = first + tl.arange(0, 256)
        peak = maximum(peak, tl.load({peaks} + row * {grains} + grain, mask=grain < {grains}, other=float("-inf")))
    highest = tl.max(peak, axis=0)
{sums}
    tl.store({dest} + row, tl.log(total) + highest)
'''

MASS = '''
@triton.jit
def {name}({params}):
    """The mass of each row's stored targets."""
{prologue}
    row = tl.program_id(0)
    if row >= live:
        return
    end = tl.load({starts} + position + row + 1)
    sums = tl.zeros([256], tl.float32)
    for first in range(tl.load({starts} + position + row), end, 256):
        at = first + tl.arange(0, 256)
        mask = at < end
{reads}
        sums += tl.where(mask, {term}, 0.0)
    tl.store({dest} + row, tl.sum(sums, axis=0))
'''

MASS_APART = '''
@triton.jit
def {name}({params}):
    """The mass of each row's stored targets, by leaves of units."""
{prologue}
    row = tl.program_id(0)
    if row >= live:
        return
{entries}
    tl.store({dest} + row, total)
'''

ENTRIES_APART = """
    bag = (position + row) * {leaves} + tl.arange(0, {leaves})
    start = tl.load({pieces} + tl.load({bags} + bag))
    end = tl.load({pieces} + tl.load({bags} + bag + 1))
    more = tl.zeros([64, {leaves}], tl.float32)
    for first in range(0, tl.max(end - start, axis=0), 64):
        at = start[None, :] + first + tl.arange(0, 64)[:, None]
        mask = at < end[None, :]
{reads}
        more += {term}
    {dest} = tl.sum(tree(tree(more[:, :, None], 6)[:, None, :], {log}))
"""

ERROR = '''
@triton.jit
def {name}({params}):
    """The error of each row: of every unit as if nothing were stored, by leaves of grains; then what entries change."""
{prologue}
    row = tl.program_id(0)
    if row >= live:
        return
{sums}
{entries}
{result}
'''

ENTRIES = """
    end = tl.load({starts} + position + row + 1)
    more = tl.zeros([256], tl.float32)
    for first in range(tl.load({starts} + position + row), end, 256):
        at = first + tl.arange(0, 256)
        more += tl.load({changes} + at - base, mask=at < end, other=0.0)
    total = {total}tl.sum(more, axis=0)
"""


def grain_holes(axis: Axis) -> dict[str, int]:
    """How the grains of a layer, or of this rank's part of it, make leaves."""
    leaf_units, grains = leaf(axis.total), -(-(axis.size or 0) // GRAIN)
    log = (-(-(axis.size or 0) // leaf_units) - 1).bit_length()
    return {"grains": grains, "per_leaf": -(-leaf_units // GRAIN), "width": 1 << log, "log": log}


def add_normaliser(text: Text, scope: Scope, launch: Launch, axis: Axis) -> None:
    """log sum exp of every row into `totals`."""
    holes = grain_holes(axis)
    address = f"row * {holes['grains']} + grain"

    def term(kernel: Kernel) -> str:
        peaks, sums = kernel.pointer("peaks"), kernel.pointer("sums")
        scaled = f"tl.exp(tl.load({peaks} + {address}, mask=mask, other=float('-inf')) - highest)"
        return f"tl.load({sums} + {address}, mask=mask, other=0.0) * {scaled}"

    def add(skeleton: str, suffix: str, grains: str, dest: str) -> None:
        kernel = part(scope, launch, suffix)
        kernel.block("live")
        more = {name: kernel.pointer(name) for name in ("peaks", "highest") if "{" + name + "}" in skeleton}
        sums = grains.format(term=term(kernel), **holes) if grains else ""
        emitted = kernel.emit(skeleton, dest=kernel.pointer(dest), grains=holes["grains"], sums=sums, **more)
        text.add(emitted, kernel.launch_rows())

    if not scope.is_apart(axis):
        add(NORMALISER, "normaliser", GRAINS, "totals")
        return
    text.lines.append("highest = block.scratch('highest', m)")
    add(PEAKS, "highest", "", "highest")
    text.lines += ["block.ranks.max(highest)"] if axis.is_split else []
    add(TOTALS, "normaliser", GRAINS_APART, "totals")
    text.lines += [*across(axis, "totals"), "totals.log_().add_(highest)"]


def add_mass(text: Text, scope: Scope, launch: Launch, op: Stored) -> None:
    """The sum of a formula over each row's stored entries into `mass`; `logits` are those of the entries."""
    kernel, x, axis = part(scope, launch, "mass"), slot(op.feed), op.feed.type.axes[1]
    for name in ("live", "position"):
        kernel.block(name)
    lines, names = [], {"t": "t"}
    lines.append(f"t = {entry_value(kernel, op.feed, 'at', 'mask') or '1.0'}")
    for i, arg in enumerate(op.args):
        names[f"x{i}"] = f"x{i}"
        if isinstance(arg, Leaf):
            kernel.base(x)
            logit = f"tl.load({kernel.pointer('logits')} + at - base, mask=mask, other=0.0)"
            lines.append(f"x{i} = tl.exp({logit} - tl.load({kernel.pointer('totals')} + row))")
        else:
            names[f"x{i}"] = row_value(kernel, arg)
    term = triton(op.stored, names)
    if not scope.is_apart(axis):
        holes = {"starts": kernel.pointer(f"{x}.starts"), "reads": indented(lines, 2), "term": term}
        text.add(kernel.emit(MASS, dest=kernel.pointer("mass"), **holes), kernel.launch_rows())
        return
    entries = _entries(kernel, op.feed, lines, f"tl.where(mask, {term}, 0.0)", "total")
    text.add(kernel.emit(MASS_APART, entries=entries, dest=kernel.pointer("mass")), kernel.launch_rows())
    text.lines += across(axis, "mass")


def _entries(kernel: Kernel, feed: Op, reads: list[str], term: str, dest: str) -> str:
    """The sum of a formula over a row's stored entries, by leaves of units and one balanced tree."""
    x, axis = slot(feed), feed.type.axes[1]
    leaves = gather_leaves(axis.size or 0, axis.total)
    kernel.block("position")
    holes = {"bags": kernel.pointer(f"{x}.row_bags"), "pieces": kernel.pointer(f"{x}.row_pieces"), "leaves": leaves}
    holes |= {"reads": indented(reads, 2), "term": term, "dest": dest, "log": leaves.bit_length() - 1}
    return ENTRIES_APART.format(**holes)


def add_error(text: Text, scope: Scope, launch: Launch, axis: Axis, value: Op, dest: str, *, absent: bool) -> None:
    """The error of each row into `dest`: grains where absent targets have an error, entries of a sparse target."""
    kernel, apart = part(scope, launch, "error"), scope.is_apart(axis)
    kernel.block("live")
    sums = entries = ""
    if absent:
        term = (
            f"tl.load({kernel.pointer('grains')} + row * {grain_holes(axis)['grains']} + grain, mask=mask, other=0.0)"
        )
        sums = (GRAINS_APART if apart else GRAINS).format(term=term, **grain_holes(axis))
    both = isinstance(value, Stored) and absent
    if isinstance(value, Stored):
        x = slot(value.feed)
        kernel.base(x)
        changes = kernel.pointer("changes")
        if apart:
            change = f"tl.load({changes} + at - base, mask=mask, other=0.0)"
            entries = _entries(kernel, value.feed, [], change, "changed" if both else "total")
        else:
            starts = kernel.pointer(f"{x}.starts")
            entries = ENTRIES.format(starts=starts, changes=changes, total="total + " if absent else "")
    found = "errors" if apart and both else dest
    result = [f"tl.store({kernel.pointer(found)} + row, {'changed' if found == 'errors' else 'total'})"]
    if found == "errors":
        text.lines.append(
            "errors = block.scratch('errors', 2, m)  # of what entries change, and as if none were stored"
        )
        result.append(f"tl.store({kernel.pointer(found)} + {kernel.number('m')} + row, total)")
    text.add(kernel.emit(ERROR, sums=sums, entries=entries, result=indented(result)), kernel.launch_rows())
    if apart:
        text.lines += across(axis, found)
    if found == "errors":
        text.lines.append(f"{dest}.copy_(errors[0]).add_(errors[1])")


def row_value(kernel: Kernel, op: Op) -> str:
    """The text of an operand in a kernel that works on one row: scalars, and what the feed gives for each row."""
    if isinstance(op, Scalar):
        return kernel.scalar(op)
    assert isinstance(op, Feed) and op.type.axes == (BATCH,)
    return f"tl.load({kernel.pointer(kernel.scope.text(op))} + {kernel.block('position')} + row)"
