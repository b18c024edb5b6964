"""Sums over one axis, SoftMax, norms of weights: kernels of a fixed shape, their order of addition is never tuned."""

from __future__ import annotations

from nnlang.codegen.grid import leaf
from nnlang.codegen.plan import Launch
from nnlang.codegen.triton.elementwise import update_lines
from nnlang.codegen.triton.kernel import Frame, Kernel, Scope, Text, cdiv, indented, part
from nnlang.ops import BATCH, Clip, Reduce, Softmax, Update

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
    """The sums of squares of the incoming weights of each unit, over blocks of 512 inputs."""
{prologue}
    outs = tl.program_id(0) * 64 + tl.arange(0, 64)
    sums = tl.zeros([64, 64], tl.float32)
    for first in range(tl.program_id(1) * 512, tl.minimum(tl.program_id(1) * 512 + 512, {inputs}), 64):
        ins = first + tl.arange(0, 64)
        w = tl.load({w}, mask=(ins < {inputs})[:, None] & (outs < {outputs})[None, :], other=0.0)
        sums += w * w
    tl.store({parts} + tl.program_id(1) * {outputs} + outs, tl.sum(sums, axis=0), mask=outs < {outputs})
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
    if len(op.x.type.axes) == 2 and op.axis == op.x.type.axes[1]:
        return _over_units(scope, launch, op)
    kernel = part(scope, launch)
    store = f"tl.store({kernel.pointer(scope.buffers[op])} + cols, g, mask=mask)"
    return _over_batch(kernel, op, [store], f"The {op.kind} of {op.x.type} over the batch.")


def reduce_update(scope: Scope, launch: Launch) -> Text:
    """An update of biases from the sum of their deltas over the batch."""
    op = launch.op
    assert isinstance(op, Update) and isinstance(op.gradient, Reduce)
    kernel = part(scope, launch)
    lines = update_lines(Frame(kernel, op.gradient.type.axes, ("cols",)), op, "g")
    return _over_batch(kernel, op.gradient, lines, f"The sum of {op.gradient.x.type} over the batch, and its update.")


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
    units = op.axis.size or 0
    leaf_units = leaf(units)
    log = (-(-units // leaf_units) - 1).bit_length()
    row = Frame(kernel, op.x.type.axes, ("rows", "cols"))
    x = row.load(op.x).replace("cols[None, :]", "cols").replace("rows[:, None]", "rows[:, None].to(tl.int64)")
    holes = {
        "width": 1 << log,
        "log": log,
        "leaf_units": leaf_units,
        "n": units,
        "bound": kernel.block("live"),
        "x": x,
        "dest": kernel.pointer(scope.buffers[op]),
        "scale": f" / {units}" if op.kind == "mean" else "",
    }
    doc = f"The {op.kind} of {op.x.type} over units, by leaves and one balanced tree; 0 beyond the batch."
    text.add(kernel.emit(OVER_UNITS, doc=doc, **holes), kernel.launch("m,"))
    return text


def softmax(scope: Scope, launch: Launch) -> Text:
    """SoftMax over the units of each row."""
    op = launch.op
    assert isinstance(op, Softmax)
    kernel, text = part(scope, launch), Text()
    kernel.block("live")
    holes = {
        "n": op.type.axes[1].size,
        "x": kernel.pointer(scope.text(op.x)),
        "dest": kernel.pointer(scope.buffers[op]),
    }
    text.add(kernel.emit(SOFTMAX, **holes), kernel.launch_rows(1024))
    return text


def clip(scope: Scope, launch: Launch) -> Text:
    """WeightNorm, after the updates."""
    op = launch.op
    assert isinstance(op, Clip)
    text = Text()
    inputs, outputs = (a.size or 0 for a in op.state.type.axes)
    blocks = -(-inputs // 512)
    text.lines.append(f"p0 = block.scratch('p0', {blocks}, {outputs})")
    for skeleton, suffix, rows in ((SQUARES, "squares", blocks), (CLIP, "", cdiv(inputs, 64))):
        kernel = part(scope, launch, suffix)
        holes = {
            "inputs": inputs,
            "outputs": outputs,
            "blocks": blocks,
            "w": Frame(kernel, op.state.type.axes, ("ins", "outs")).address(op.state),
            "parts": kernel.pointer("p0"),
            "limit": kernel.scalar(op.limit) if skeleton is CLIP else "",
        }
        text.add(kernel.emit(skeleton, **holes), kernel.launch(f"{cdiv(outputs, 64)}, {rows}"))
    return text
