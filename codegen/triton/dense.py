"""Products: linear layers, deltas of inputs, weight gradients with the optimiser in the epilogue."""

from __future__ import annotations

from nnlang.codegen.grid import leaf
from nnlang.codegen.plan import Launch
from nnlang.codegen.triton.elementwise import update_lines
from nnlang.codegen.triton.kernel import Frame, Kernel, Scope, Text, cdiv, indented, part
from nnlang.codegen.triton.tiles import BK
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
        b = tl.load({b}, mask=(ks < {last})[:, None] & ({cols_here})[None, :], other=0.0)
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
    leaf = tl.arange(0, {width})[:, None, None]
    parts = {parts} + (leaf * {m} + rows[None, :, None]) * {n} + cols[None, None, :]
    sums = tree(tl.load(parts, mask=(leaf < {count}) & mask[None, :, :], other=0.0), {log})
{epilogue}
'''

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
    leaves = leaf_count(inner)
    tile = scope.tiles["linear"]
    kernel = part(scope, launch, "leaves" if leaves > 1 else "")
    m, n = (_count(axis) for axis in op.type.axes)
    grid = f"{cdiv(m, tile.BM)}, {cdiv(n, tile.BN)}" + (f", {leaves}" if leaves > 1 else "")
    frame = Frame(kernel, op.type.axes, ("rows", "cols"))
    a = address(kernel, op.a, op.transpose_a, "rows", "ks")
    b = address(kernel, op.b, op.transpose_b, "ks", "cols")
    text = Text()
    if leaves == 1:
        epilogue = [*frame.stages(op.epilogue, "sums"), store(frame, scope.buffers[op], op)]
        holes = product(kernel, op.type.axes, kernel.bound(inner), epilogue)
        text.add(kernel.emit(PRODUCT, doc=_told(op), a=a, b=b, **holes), kernel.launch(grid, tile))
        return text
    epilogue = [store_leaf(kernel, "p0", m, n)]
    holes = product(kernel, op.type.axes, str(inner.size), epilogue, leaf(inner.size or 0))
    text.lines.append(f"p0 = block.scratch('p0', {leaves}, {m}, {n})")
    doc = f"{_told(op)}, each leaf of {leaf(inner.size or 0)} units by itself."
    text.add(kernel.emit(PRODUCT, doc=doc.replace(".,", ","), a=a, b=b, **holes), kernel.launch(grid, tile))
    add_sum(text, part(scope, launch, "sum"), op, op.epilogue, "p0", leaves)
    return text


def product(
    kernel: Kernel, axes: tuple[Axis, ...], inner: str, epilogue: list[str], leaf_units: int = 0
) -> dict[str, object]:
    """The holes of PRODUCT that do not depend on the operands."""
    rows, cols = (kernel.bound(axis) for axis in axes)
    start = [f"start = tl.program_id(2) * {leaf_units}", f"end = tl.minimum(start + {leaf_units}, {inner})"]
    return {
        "origin": "",
        "rows_here": f"rows < {rows}",
        "cols_here": f"cols < {cols}",
        "a_here": f", mask=(rows < {rows})[:, None] & (ks < {'end' if leaf_units else inner})[None, :], other=0.0",
        "leaf": indented(start if leaf_units else []),
        "first": "start" if leaf_units else "0",
        "last": "end" if leaf_units else inner,
        "step": BK,
        "dot": DOT[kernel.scope.precision],
        "epilogue": indented(epilogue),
        "beside": "",
    }


def add_sum(text: Text, kernel: Kernel, op: Op, epilogue: tuple[Stage, ...], parts: str, count: int) -> None:
    """The kernel that adds up partial sums [count, m, n] of an operation by one balanced tree, then its epilogue."""
    m, n = (_count(axis) for axis in op.type.axes)
    frame = Frame(kernel, op.type.axes, ("rows", "cols"))
    log, scope = (count - 1).bit_length(), kernel.scope
    tile = scope.tiles["rows"].over(op.type.axes[1].size or 1)
    holes = {
        "mask": frame.here(),
        "parts": kernel.pointer(parts),
        "count": count,
        "m": kernel.number(m),
        "n": n,
        "log": log,
        "width": 1 << log,
    }
    body = [*frame.stages(epilogue, "sums"), store(frame, scope.buffers[op], op)]
    doc = "The sum of the leaves by one balanced tree" + (", and on." if epilogue else ".")
    emitted = kernel.emit(SUM, doc=doc, epilogue=indented(body), **holes)
    text.add(emitted, kernel.launch(f"{cdiv(m, tile.BM)}, {cdiv(n, tile.BN)}", tile))


def linear_update(scope: Scope, launch: Launch) -> Text:
    """A weight gradient a.T @ b over the batch, used by its optimiser and forgotten."""
    op = launch.op
    assert isinstance(op, Update) and isinstance(op.gradient, Matmul)
    gradient, state = op.gradient, op.states[0]
    tile = scope.tiles["linear_update"]
    kernel = part(scope, launch)
    axes = stored_axes(scope, state)
    frame = Frame(kernel, axes, ("rows", "cols"))
    a = address(kernel, gradient.a, gradient.transpose_a, "rows", "ks")
    b = address(kernel, gradient.b, gradient.transpose_b, "ks", "cols")
    if scope.is_transposed(state):
        a, b = (
            address(kernel, gradient.b, not gradient.transpose_b, "rows", "ks"),
            address(kernel, gradient.a, not gradient.transpose_a, "ks", "cols"),
        )
    inner = gradient.a.type.axes[0 if gradient.transpose_a else 1]
    holes = product(kernel, axes, kernel.bound(inner), update_lines(frame, op, "sums"))
    doc = f"The gradient of {state.type} over the batch, and its update."
    text = Text()
    m, n = (_count(axis) for axis in axes)
    grid = f"{cdiv(m, tile.BM)}, {cdiv(n, tile.BN)}"
    text.add(kernel.emit(PRODUCT, doc=doc, a=a, b=b, **holes), kernel.launch(grid, tile))
    return text


def stored_axes(scope: Scope, state: Op) -> tuple[Axis, ...]:
    """The axes of a state in the order in which it is kept."""
    return state.type.axes[::-1] if scope.is_transposed(state) else state.type.axes


def leaf_count(axis: Axis) -> int:
    """Leaves of a sum over an axis: the batch is summed in one run."""
    return 1 if axis.size is None else -(-axis.size // leaf(axis.size))


def store(frame: Frame, dest: str, op: Op) -> str:
    """The statement that stores `sums` as the value of an operation."""
    address = [frame.kernel.pointer(dest)]
    for axis, stride in zip(op.type.axes, (op.type.axes[-1].size, 1), strict=True):
        address.append(frame.index(axis) + (f" * {stride}" if stride != 1 else ""))
    return f"tl.store({' + '.join(address)}, sums, mask=mask)"


def store_leaf(kernel: Kernel, dest: str, m: str, n: str) -> str:
    """The statement that stores `sums` among the partial sums [leaves, m, n]."""
    pointer = kernel.pointer(dest)
    rows = f"(tl.program_id(2) * {kernel.number(m)} + rows[:, None])"
    return f"tl.store({pointer} + {rows} * {n} + cols[None, :], sums, mask=mask)"


def address(kernel: Kernel, op: Op, transposed: bool, row: str, col: str) -> str:
    """Where an operand of a product stands, its own axes named by the loop's variables."""
    axes = op.type.axes[::-1] if transposed else op.type.axes
    return Frame(kernel, axes, (row, col)).address(op)


def _count(axis: Axis) -> str:
    """How many there are along an axis, for grids and buffers: a full batch has m rows."""
    return "m" if axis == BATCH else str(axis.size)


def _told(op: Matmul) -> str:
    return f"{op.type.axes[0]} x {op.type.axes[1]}: a product" + (" and what follows it." if op.epilogue else ".")
