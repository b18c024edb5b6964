"""What becomes of each row of a walk: its normaliser, its mass of stored targets, its error. Shapes are never tuned.

A tile of logits leaves one number for every grain of 64 units; leaves of the reduction grid are whole grains.
"""

from __future__ import annotations

from nnlang.codegen.grid import leaf
from nnlang.codegen.triton.expressions import triton
from nnlang.codegen.triton.kernel import Kernel, Text, indented, slot
from nnlang.codegen.triton.sparse import entry_value
from nnlang.ops import BATCH, Feed, Leaf, Op, Scalar, Stored

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
    tl.store({dest} + row, total)
'''

ENTRIES = """
    end = tl.load({starts} + position + row + 1)
    more = tl.zeros([256], tl.float32)
    for first in range(tl.load({starts} + position + row), end, 256):
        at = first + tl.arange(0, 256)
        more += tl.load({changes} + at - base, mask=at < end, other=0.0)
    total = {total}tl.sum(more, axis=0)
"""


def grain_holes(units: int) -> dict[str, object]:
    """How the grains of a layer make leaves."""
    leaf_units, grains = leaf(units), -(-units // GRAIN)
    log = (-(-units // leaf_units) - 1).bit_length()
    return {"grains": grains, "per_leaf": -(-leaf_units // GRAIN), "width": 1 << log, "log": log}


def add_normaliser(text: Text, kernel: Kernel, units: int) -> None:
    """log sum exp of every row into `total`."""
    kernel.block("live")
    holes = grain_holes(units)
    peaks, sums = kernel.pointer("peaks"), kernel.pointer("sums")
    address = f"row * {holes['grains']} + grain"
    scaled = f"tl.exp(tl.load({peaks} + {address}, mask=mask, other=float('-inf')) - highest)"
    term = f"tl.load({sums} + {address}, mask=mask, other=0.0) * {scaled}"
    emitted = kernel.emit(
        NORMALISER,
        peaks=peaks,
        dest=kernel.pointer("totals"),
        grains=holes["grains"],
        sums=GRAINS.format(term=term, **holes),
    )
    text.add(emitted, kernel.launch_rows())


def add_mass(text: Text, kernel: Kernel, op: Stored) -> None:
    """The sum of a formula over each row's stored entries into `mass`; `logits` are those of the entries."""
    x = slot(op.feed)
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
    holes = {
        "starts": kernel.pointer(f"{x}.starts"),
        "reads": indented(lines, 2),
        "term": triton(op.stored, names),
        "dest": kernel.pointer("mass"),
    }
    text.add(kernel.emit(MASS, **holes), kernel.launch_rows())


def add_error(text: Text, kernel: Kernel, value: Op, units: int, dest: str, *, absent: bool) -> None:
    """The error of each row into `dest`: grains where absent targets have an error, entries of a sparse target."""
    kernel.block("live")
    sums = entries = ""
    if absent:
        holes = grain_holes(units)
        term = f"tl.load({kernel.pointer('grains')} + row * {holes['grains']} + grain, mask=mask, other=0.0)"
        sums = GRAINS.format(term=term, **holes)
    if isinstance(value, Stored):
        x = slot(value.feed)
        kernel.base(x)
        entries = ENTRIES.format(
            starts=kernel.pointer(f"{x}.starts"), changes=kernel.pointer("changes"), total="total + " if absent else ""
        )
    text.add(kernel.emit(ERROR, sums=sums, entries=entries, dest=kernel.pointer(dest)), kernel.launch_rows())


def row_value(kernel: Kernel, op: Op) -> str:
    """The text of an operand in a kernel that works on one row: scalars, and what the feed gives for each row."""
    if isinstance(op, Scalar):
        return kernel.scalar(op)
    assert isinstance(op, Feed) and op.type.axes == (BATCH,)
    return f"tl.load({kernel.pointer(kernel.scope.text(op))} + {kernel.block('position')} + row)"
