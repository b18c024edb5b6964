"""Products: linear layers, deltas of inputs, weight gradients with the optimiser in the epilogue."""

from __future__ import annotations

from dataclasses import dataclass

from nnlang.codegen.grid import leaf
from nnlang.codegen.plan import Launch
from nnlang.codegen.triton.kernel import Frame, Kernel, Scope, Text, across, cdiv, indented, part
from nnlang.codegen.triton.ranks import add_stages
from nnlang.codegen.triton.tiles import BK
from nnlang.codegen.triton.updates import add_replicated, store_gradient, stored_axes, update_lines
from nnlang.ops import BATCH, Axis, Matmul, Op, Stage, Update

PRODUCT = '''
@triton.jit
def {name}({params}, BM: tl.constexpr, BN: tl.constexpr):
    """{doc}"""
{prologue}
    rows = {origin}tl.program_id(0){wide} * BM + tl.arange(0, BM)
    cols = tl.program_id(1){wide} * BN + tl.arange(0, BN)
{leaf}
    sums = tl.zeros([BM, BN], tl.float32)
    for k in range({first}, {last}, {step}):
        ks = k + tl.arange(0, {step})
        a = tl.load({a}{a_here})
{through}
        b = tl.load({b}{b_here})
        sums = {dot}
    mask = ({rows_here})[:, None] & ({cols_here})[None, :]
{epilogue}
{beside}
'''

SUM = '''
@triton.jit
def {name}({params}, BM: tl.constexpr, BN: tl.constexpr):
    """{doc}"""
{prologue}
    rows = tl.program_id(0){wide} * BM + tl.arange(0, BM)
    cols = tl.program_id(1) * BN + tl.arange(0, BN)
    mask = {mask}
    leaf = tl.arange(0, {width})[:, None, None].to(tl.int64)
    parts = {parts} + (leaf * {m} + rows[None, :, None]) * {n} + cols[None, None, :]
    sums = tree(tl.load(parts, mask=(leaf < {count}) & mask[None, :, :], other=0.0), {log})
{epilogue}
'''

THROUGH = "a = tl.where((rows < {rows})[:, None], a, 0.0)  # through registers, its terms do not stand side by side"

DOT = {
    "fp32": 'tl.dot(a, b, sums, input_precision="ieee")',
    "tf32": 'tl.dot(a, b, sums, input_precision="tf32")',
    "tf32x3": 'tl.dot(a, b, sums, input_precision="tf32x3")',
    "bf16": "tl.dot(a.to(tl.bfloat16), b.to(tl.bfloat16), sums)",
}


def linear(scope: Scope, launch: Launch) -> Text:
    """A product with its epilogue; over many units in leaves, which a second kernel sums."""
    op = launch.op
    assert isinstance(op, Matmul)
    inner = op.a.type.axes[0 if op.transpose_a else 1]
    leaves, size = leaf_count(inner), leaf(inner.total)
    within = () if scope.is_apart(inner) else op.epilogue
    kernel = part(scope, launch, "leaves" if leaves > 1 else "")
    factors = oriented(kernel, op)
    frame = Frame(kernel, factors.axes, ("rows", "cols"))
    text, tile = Text(), scope.tiles["linear"]
    counts = [_count(axis) for axis in factors.axes]
    grid = kernel.grid(counts, tile, *([str(leaves)] if leaves > 1 else []))
    if leaves == 1:
        epilogue = [*frame.stages(within, "sums"), store(frame, scope.buffers[op], op)]
        holes = product(factors, kernel.bound(inner), epilogue)
        text.add(kernel.emit(PRODUCT, doc=_told(op), **holes), kernel.launch(grid, tile))
    else:
        holes = product(factors, str(inner.size), [store_leaf(frame, "p0", op)], size)
        m, n = (_count(axis) for axis in op.type.axes)
        text.lines.append(f"p0 = block.scratch('p0', {leaves}, {m}, {n})")
        doc = f"{_told(op)}, each leaf of {size} units by itself."
        text.add(kernel.emit(PRODUCT, doc=doc.replace(".,", ","), **holes), kernel.launch(grid, tile))
        add_sum(text, part(scope, launch, "sum"), op, within, "p0", leaves)
    if scope.is_apart(inner):
        text.lines += across(inner, scope.buffers[op])
        add_stages(text, scope, launch, op, op.epilogue)
    return text


@dataclass(frozen=True)
class Factors:
    """Both factors of a product as a kernel reads them: a at (rows, ks), b at (ks, cols).

    Tensor cores take tf32 from shared memory along the terms of a sum alone: b should have them side by side; an a that
    has not goes through registers.
    """

    kernel: Kernel
    axes: tuple[Axis, ...]  # of the rows and the columns
    a: str
    b: str
    through: bool  # whether a goes through registers
    a_here: str | None = None  # the masks, where they are not those of the axes
    b_here: str | None = None


def oriented(kernel: Kernel, op: Matmul) -> Factors:
    """The factors of a product, or of its transpose where that lets the second one be read along the terms."""
    scope = kernel.scope
    along = scope.strides(op.a)[0 if op.transpose_a else 1] == 1, scope.strides(op.b)[1 if op.transpose_b else 0] == 1
    if along == (True, False):
        a = address(kernel, op.b, not op.transpose_b, "rows", "ks")
        return Factors(kernel, op.type.axes[::-1], a, address(kernel, op.a, not op.transpose_a, "ks", "cols"), True)
    a = address(kernel, op.a, op.transpose_a, "rows", "ks")
    return Factors(kernel, op.type.axes, a, address(kernel, op.b, op.transpose_b, "ks", "cols"), not along[0])


def product(factors: Factors, inner: str, epilogue: list[str], leaf_units: int = 0) -> dict[str, object]:
    """The holes of PRODUCT: its factors, the terms of its sums, its epilogue."""
    rows, cols = (factors.kernel.bound(axis) for axis in factors.axes)
    start = [f"start = tl.program_id(2) * {leaf_units}", f"end = tl.minimum(start + {leaf_units}, {inner})"]
    last = "end" if leaf_units else inner
    a_here = factors.a_here if factors.a_here is not None else f"(rows < {rows})[:, None] & (ks < {last})[None, :]"
    b_here = factors.b_here if factors.b_here is not None else f"(ks < {last})[:, None] & (cols < {cols})[None, :]"
    return {
        "a": factors.a,
        "b": factors.b,
        "a_here": f", mask={a_here}, other=0.0" if a_here else "",
        "b_here": f", mask={b_here}, other=0.0" if b_here else "",
        "through": indented([THROUGH.format(rows=rows)], 2) if factors.through else "",
        "origin": "",
        "rows_here": f"rows < {rows}",
        "cols_here": f"cols < {cols}",
        "leaf": indented(start if leaf_units else []),
        "first": "start" if leaf_units else "0",
        "last": last,
        "step": BK,
        "dot": DOT[factors.kernel.scope.precision],
        "epilogue": indented(epilogue),
        "beside": "",
    }


def add_sum(
    text: Text,
    kernel: Kernel,
    op: Op,
    epilogue: tuple[Stage, ...],
    parts: str,
    count: int,
    there: str = "",
    dest: str = "",
) -> None:
    """The kernel that adds up partial sums [count, m, n] of an operation by one balanced tree, then its epilogue.

    there: how many of them there are, where that is known at run time only. dest: where the sum goes, by default to the
    operation's buffer.
    """
    m, n = (_count(axis) for axis in op.type.axes)
    frame = Frame(kernel, op.type.axes, ("rows", "cols"))
    log, scope = (count - 1).bit_length(), kernel.scope
    tile = scope.tiles["rows"].over(op.type.axes[1].size or 1)
    holes = {
        "mask": frame.here(),
        "parts": kernel.pointer(parts),
        "count": there or count,
        "m": kernel.number(m),
        "n": n,
        "log": log,
        "width": 1 << log,
    }
    body = [*frame.stages(epilogue, "sums"), store(frame, dest or scope.buffers[op], op)]
    doc = "The sum of the leaves by one balanced tree" + (", and on." if epilogue else ".")
    emitted = kernel.emit(SUM, doc=doc, epilogue=indented(body), **holes)
    text.add(emitted, kernel.launch(f"{cdiv(m, tile.BM)}, {cdiv(n, tile.BN)}", tile))


def linear_update(scope: Scope, launch: Launch) -> Text:
    """A weight gradient a.T @ b over the batch, used by its optimiser and forgotten."""
    op = launch.op
    assert isinstance(op, Update) and isinstance(op.gradient, Matmul)
    gradient, state, shared = op.gradient, op.states[0], op.replicas > 1
    kernel, text, tile = part(scope, launch, "gradient" if shared else ""), Text(), scope.tiles["linear_update"]
    axes = stored_axes(scope, state)
    left, right = (gradient.a, gradient.transpose_a), (gradient.b, gradient.transpose_b)
    if scope.is_transposed(state):
        left, right = (gradient.b, not gradient.transpose_b), (gradient.a, not gradient.transpose_a)
    a, b = address(kernel, *left, "rows", "ks"), address(kernel, *right, "ks", "cols")
    inner = gradient.a.type.axes[0 if gradient.transpose_a else 1]
    frame, counts = Frame(kernel, axes, ("rows", "cols")), [_count(axis) for axis in axes]
    lines = [store_gradient(frame, "sums")] if shared else update_lines(frame, op, "sums")
    holes = product(Factors(kernel, axes, a, b, through=True), kernel.bound(inner), lines)
    if shared:
        holes |= {"rows_here": f"rows < {kernel.number('last')}", "origin": "first + "}
        counts[0] = "last - first"
    grid = kernel.grid(counts, tile)
    doc = f"The gradient of {state.type} over the batch" + (", and its update." if not shared else ", some rows of it.")
    text.add(kernel.emit(PRODUCT, doc=doc, **holes), kernel.launch(grid, tile))
    if not shared:
        return text
    whole = Text()
    add_replicated(whole, scope, launch, text)
    return whole


def leaf_count(axis: Axis) -> int:
    """Leaves of a sum over an axis, of this rank's part of it: the batch is summed in one run."""
    return 1 if axis.size is None else -(-axis.size // leaf(axis.total))


def store(frame: Frame, dest: str, op: Op) -> str:
    """The statement that stores `sums` as the value of an operation."""
    address = [frame.kernel.pointer(dest)]
    frame.kernel.reach(op.type)
    for axis, stride in zip(op.type.axes, (op.type.axes[-1].size, 1), strict=True):
        address.append(frame.index(axis) + (f" * {stride}" if stride != 1 else ""))
    return f"tl.store({' + '.join(address)}, sums, mask=mask)"


def store_leaf(frame: Frame, dest: str, op: Op) -> str:
    """The statement that stores `sums` of an operation [m, n] among the partial sums [leaves, m, n]."""
    kernel, (first, second) = frame.kernel, op.type.axes
    row = f"(tl.program_id(2).to(tl.int64) * {kernel.number(_count(first))} + {frame.index(first)})"
    return f"tl.store({kernel.pointer(dest)} + {row} * {second.size} + {frame.index(second)}, sums, mask=mask)"


def address(kernel: Kernel, op: Op, transposed: bool, row: str, col: str) -> str:
    """Where an operand of a product stands, its own axes named by the loop's variables."""
    axes = op.type.axes[::-1] if transposed else op.type.axes
    return Frame(kernel, axes, (row, col)).address(op)


def _count(axis: Axis) -> str:
    """How many there are along an axis, for grids and buffers: a full batch has m rows."""
    return "m" if axis == BATCH else str(axis.size)


def _told(op: Matmul) -> str:
    return f"{op.type.axes[0]} x {op.type.axes[1]}: a product" + (" and what follows it." if op.epilogue else ".")
