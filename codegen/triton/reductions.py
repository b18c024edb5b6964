"""Sums over one axis, SoftMax, norms of weights: kernels of a fixed shape, their order of addition is never tuned."""

from __future__ import annotations

from nnlang.codegen.grid import leaf
from nnlang.codegen.plan import Launch
from nnlang.codegen.triton.elementwise import Elements
from nnlang.codegen.triton.kernel import Frame, Kernel, Scope, Text, across, cdiv, indented, part
from nnlang.codegen.triton.updates import add_replicated, store_gradient, update_lines
from nnlang.ops import BATCH, Axis, Clip, Op, Reduce, Softmax, Update

OVER_BATCH = '''
@triton.jit
def {name}({params}):
    """{doc}"""
{prologue}
    cols = tl.program_id(0) * 16 + tl.arange(0, 16)
    sums = tl.zeros([64, 16], tl.float32)
    for first in range(0, live, 64):
        rows = first + tl.arange(0, 64)
        mask = (rows < live)[:, None] & (cols < {n})[None, :]
        sums += {x}
    g = tl.sum(sums, axis=0){scale}
    mask = cols < {n}
{epilogue}
'''

OVER_UNITS = '''
@triton.jit
def {name}({params}):
    """{doc}"""
{prologue}
    rows = tl.program_id(0) + tl.arange(0, 1)
    leaf = tl.arange(0, {width})
    sums = tl.zeros([{width}, 64], tl.float32)
    for first in range(0, {leaf_units}, 64):
        unit = first + tl.arange(0, 64)
        cols = leaf[:, None] * {leaf_units} + unit[None, :]
        mask = (cols < {n}) & (unit < {leaf_units})[None, :] & (rows < {bound})[:, None]
        sums += {x}
    y = tree(tl.sum(sums, axis=1)[:, None, None], {log}){scale}
    tl.store({dest} + rows[:, None], y)
'''

OVER_LEAVES = '''
@triton.jit
def {name}({params}):
    """{doc}"""
{prologue}
    rows = tl.program_id(0) + tl.arange(0, 1)
    leaf = tl.arange(0, {width})
    sums = tl.zeros([64, {width}], tl.float32)
    for first in range(0, {leaf_units}, 64):
        unit = first + tl.arange(0, 64)
        cols = leaf[None, :] * {leaf_units} + unit[:, None]
        mask = (cols < {n}) & (unit < {leaf_units})[:, None] & (rows < {bound})[:, None]
        sums += {x}
    y = tree(tree(sums[:, :, None], 6)[:, None, :], {log})
    tl.store({dest} + rows[:, None], y)
'''

HIGHEST = '''
@triton.jit
def {name}({params}, BLOCK: tl.constexpr):
    """The highest value of each row."""
{prologue}
    row = tl.program_id(0){wide}
    if row >= live:
        return
    peak = tl.full([BLOCK], float("-inf"), tl.float32)
    for first in range(0, {n}, BLOCK):
        cols = first + tl.arange(0, BLOCK)
        peak = maximum(peak, tl.load({x} + row * {n} + cols, mask=cols < {n}, other=float("-inf")))
    tl.store({dest} + row, tl.max(peak, axis=0))
'''

SOFTMAX = '''
@triton.jit
def {name}({params}, BLOCK: tl.constexpr):
    """exp(x - max) / sum of each row."""
{prologue}
    row = tl.program_id(0){wide}
    if row >= live:
        return
    peak = tl.full([BLOCK], float("-inf"), tl.float32)
    for first in range(0, {n}, BLOCK):
        cols = first + tl.arange(0, BLOCK)
        peak = maximum(peak, tl.load({x} + row * {n} + cols, mask=cols < {n}, other=float("-inf")))
    highest = tl.max(peak, axis=0)
    sums = tl.zeros([BLOCK], tl.float32)
    for first in range(0, {n}, BLOCK):
        cols = first + tl.arange(0, BLOCK)
        sums += tl.exp(tl.load({x} + row * {n} + cols, mask=cols < {n}, other=float("-inf")) - highest)
    total = tl.sum(sums, axis=0)
    for first in range(0, {n}, BLOCK):
        cols = first + tl.arange(0, BLOCK)
        y = tl.exp(tl.load({x} + row * {n} + cols, mask=cols < {n}, other=0.0) - highest) / total
        tl.store({dest} + row * {n} + cols, y, mask=cols < {n})
'''

SQUARES = '''
@triton.jit
def {name}({params}):
    """The sums of squares of the incoming weights of each unit, over blocks of {block} inputs."""
{prologue}
    outs = tl.program_id(0) * 64 + tl.arange(0, 64)
    sums = tl.zeros([64, 64], tl.float32)
    for first in range(tl.program_id(1) * {block}, tl.minimum(tl.program_id(1) * {block} + {block}, {inputs}), 64):
        ins = first + tl.arange(0, 64)
        w = tl.load({w}, mask=(ins < {inputs})[:, None] & (outs < {outputs})[None, :], other=0.0)
        sums += w * w
    tl.store({parts} + tl.program_id(1) * {outputs} + outs, tl.sum(sums, axis=0), mask=outs < {outputs})
'''

LENGTHS = '''
@triton.jit
def {name}({params}):
    """The sums of squares of leaves of inputs, added up by one balanced tree."""
{prologue}
    outs = tl.program_id(0) * 64 + tl.arange(0, 64)
    leaf = tl.arange(0, {width})[:, None, None]
    there = (leaf < {blocks}) & (outs < {outputs})[None, :, None]
    parts = tl.load({parts} + leaf * {outputs} + outs[None, :, None], mask=there, other=0.0)
    tl.store({dest} + outs[:, None], tree(parts, {log}), mask=(outs < {outputs})[:, None])
'''

CLIP = '''
@triton.jit
def {name}({params}):
    """Rescales the incoming weights of each unit to at most the limit in length."""
{prologue}
    outs = tl.program_id(0) * 64 + tl.arange(0, 64)
    ins = tl.program_id(1) * 64 + tl.arange(0, 64)
    total = tl.zeros([64], tl.float32)
    for block in range({blocks}):
        total += tl.load({parts} + block * {outputs} + outs, mask=outs < {outputs}, other=0.0)
    scale = {limit} / maximum(tl.sqrt(total), {limit})
    mask = (ins < {inputs})[:, None] & (outs < {outputs})[None, :]
    tl.store({w}, tl.load({w}, mask=mask, other=0.0) * scale[None, :], mask=mask)
'''


def reduce(scope: Scope, launch: Launch) -> Text:
    """The sum or mean over the batch or over units."""
    op = launch.op
    assert isinstance(op, Reduce)
    dest = scope.buffers[op]
    if len(op.x.type.axes) == 2 and op.axis == op.x.type.axes[1]:
        return _by_leaves(scope, launch, op) if scope.is_apart(op.axis) else _over_units(scope, launch, op)
    kernel = part(scope, launch)
    store = f"tl.store({kernel.pointer(dest)} + cols, g, mask=mask)"
    text = _over_batch(kernel, op, [store], f"The {op.kind} of {op.x.type} over the batch.")
    text.lines += [f"block.replicas.sum({dest})"] if op.replicas > 1 else []
    return text


def reduce_update(scope: Scope, launch: Launch) -> Text:
    """An update of biases from the sum of their deltas over the batch."""
    op, text = launch.op, Text()
    assert isinstance(op, Update) and isinstance(op.gradient, Reduce)
    shared = op.replicas > 1
    kernel, doc = part(scope, launch, "gradient" if shared else ""), f"The sum of {op.gradient.x.type} over the batch"
    frame = Frame(kernel, op.gradient.type.axes, ("cols",))
    if not shared:
        return _over_batch(kernel, op.gradient, update_lines(frame, op, "g"), f"{doc}, and its update.")
    add_replicated(text, scope, launch, _over_batch(kernel, op.gradient, [store_gradient(frame, "g")], f"{doc}."))
    return text


def _over_batch(kernel: Kernel, op: Reduce, epilogue: list[str], doc: str) -> Text:
    assert op.axis == BATCH and len(op.x.type.axes) == 2
    kernel.block("live")
    x = Frame(kernel, op.x.type.axes, ("rows", "cols")).load(op.x)
    n, text = op.type.axes[0].size, Text()
    holes = {"n": n, "x": x, "scale": " / live" if op.kind == "mean" else "", "epilogue": indented(epilogue)}
    text.add(kernel.emit(OVER_BATCH, doc=doc, **holes), kernel.launch(f"{cdiv(n, 16)},"))
    return text


def _over_units(scope: Scope, launch: Launch, op: Reduce) -> Text:
    kernel, text = part(scope, launch), Text()
    holes = _rows_of_leaves(kernel, op.axis, op.x, scope.buffers[op])
    holes["scale"] = f" / {op.axis.size}" if op.kind == "mean" else ""
    doc = f"The {op.kind} of {op.x.type} over units, by leaves and one balanced tree; 0 beyond the batch."
    text.add(kernel.emit(OVER_UNITS, doc=doc, **holes), kernel.launch("m,"))
    return text


def _rows_of_leaves(kernel: Kernel, axis: Axis, x: Op, dest: str) -> dict[str, object]:
    """The holes of a kernel that sums x over leaves of an axis, row by row."""
    leaf_units = leaf(axis.total)
    log = (-(-(axis.size or 0) // leaf_units) - 1).bit_length()
    value = Frame(kernel, x.type.axes, ("rows", "cols")).load(x)
    return {
        "width": 1 << log,
        "log": log,
        "leaf_units": leaf_units,
        "n": axis.size,
        "bound": kernel.block("live"),
        "x": value.replace("cols[None, :]", "cols").replace("rows[:, None]", "rows[:, None].to(tl.int64)"),
        "dest": kernel.pointer(dest),
    }


def _by_leaves(scope: Scope, launch: Launch, op: Reduce) -> Text:
    """A sum over units whose order no layout of registers decides; then across ranks."""
    assert op.kind == "sum"
    kernel, text, dest = part(scope, launch), Text(), scope.buffers[op]
    doc = f"The sum of {op.x.type} over units, by leaves and one balanced tree; 0 beyond the batch."
    text.add(kernel.emit(OVER_LEAVES, doc=doc, **_rows_of_leaves(kernel, op.axis, op.x, dest)), kernel.launch("m,"))
    text.lines += across(op.axis, dest)
    return text


def softmax(scope: Scope, launch: Launch) -> Text:
    """SoftMax over the units of each row."""
    op = launch.op
    assert isinstance(op, Softmax)
    if scope.is_apart(op.x.type.axes[1]):
        return _softmax_by_leaves(scope, launch, op)
    kernel, text = part(scope, launch), Text()
    holes = _whole_rows(kernel, op.x, scope.buffers[op])
    text.add(kernel.emit(SOFTMAX, **holes), kernel.launch_rows(1024))
    return text


def _whole_rows(kernel: Kernel, x: Op, dest: str) -> dict[str, object]:
    kernel.block("live")
    return {
        "n": x.type.axes[1].size,
        "x": kernel.pointer(kernel.scope.text(x)),
        "dest": kernel.pointer(dest),
    }


def _softmax_by_leaves(scope: Scope, launch: Launch, op: Softmax) -> Text:
    """The peak of each row, across ranks; the sum of exponentials, by leaves and across ranks; then the quotient."""
    axis, text = op.x.type.axes[1], Text()
    text.lines.append("peaks, totals = block.scratch('peaks', m), block.scratch('totals', m)")
    kernel = part(scope, launch, "peaks")
    text.add(kernel.emit(HIGHEST, **_whole_rows(kernel, op.x, "peaks")), kernel.launch_rows(1024))
    text.lines += ["block.ranks.max(peaks)"] if axis.is_split else []
    kernel = part(scope, launch, "totals")
    holes = _rows_of_leaves(kernel, axis, op.x, "totals")
    peak = f"tl.load({kernel.pointer('peaks')} + rows)[:, None]"
    holes["x"] = f"tl.where(mask, tl.exp({holes['x']} - {peak}), 0.0)"
    doc = "The sum of exponentials of each row, by leaves and one balanced tree."
    text.add(kernel.emit(OVER_LEAVES, doc=doc, **holes), kernel.launch("m,"))
    text.lines += across(axis, "totals")
    elements = Elements(scope, launch, op.type.axes)
    lines = [f"{name} = {_of_row(elements, name)}" for name in ("peaks", "totals")]
    value = f"tl.exp({elements.frame.load(op.x)} - peaks) / totals"
    made = elements.text("exp(x - max) / sum of each row.", [*lines, elements.store(scope.buffers[op], op.type, value)])
    text.add(made.kernels[0], made.lines[0])
    return text


def _of_row(elements: Elements, name: str) -> str:
    """The expression that reads a number of each row of a tile."""
    kernel = elements.kernel
    return f"tl.load({kernel.pointer(name)} + rows, mask=rows < {kernel.block('live')}, other=1.0)[:, None]"


def clip(scope: Scope, launch: Launch) -> Text:
    """WeightNorm, after the updates."""
    op, text = launch.op, Text()
    assert isinstance(op, Clip)
    axis, outs = op.state.type.axes
    outputs = outs.size or 0
    apart = scope.is_apart(axis)
    block = leaf(axis.total) if apart else 512
    blocks = -(-(axis.size or 0) // block)
    text.lines.append(f"p0 = block.scratch('p0', {blocks}, {outputs})")
    _weights(text, part(scope, launch, "squares"), SQUARES, op, "p0", str(blocks), block=block)
    if apart:
        _lengths(text, part(scope, launch, "lengths"), outputs, blocks)
        text.lines += across(axis, "lengths")
    kernel = part(scope, launch)
    parts, count = ("lengths", 1) if apart else ("p0", blocks)
    _weights(text, kernel, CLIP, op, parts, cdiv(axis.size, 64), blocks=count)
    return text


def _weights(text: Text, kernel: Kernel, skeleton: str, op: Clip, parts: str, rows: str, **more: object) -> None:
    """A kernel over the weights, one column of programs for 64 units."""
    inputs, outputs = (a.size or 0 for a in op.state.type.axes)
    holes = {"inputs": inputs, "outputs": outputs, **more}
    holes["w"] = Frame(kernel, op.state.type.axes, ("ins", "outs")).address(op.state)
    holes["parts"] = kernel.pointer(parts)
    holes["limit"] = kernel.scalar(op.limit) if skeleton is CLIP else ""
    text.add(kernel.emit(skeleton, **holes), kernel.launch(f"{cdiv(outputs, 64)}, {rows}"))


def _lengths(text: Text, kernel: Kernel, outputs: int, blocks: int) -> None:
    """The sums of squares of all leaves into `lengths`."""
    log = (blocks - 1).bit_length()
    text.lines.append(f"lengths = block.scratch('lengths', {outputs})")
    holes = {"outputs": outputs, "blocks": blocks, "width": 1 << log, "log": log, "parts": kernel.pointer("p0")}
    text.add(kernel.emit(LENGTHS, dest=kernel.pointer("lengths"), **holes), kernel.launch(f"{cdiv(outputs, 64)},"))
