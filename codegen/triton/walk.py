"""The fused output layer: one walk over its units in chunks that stay in the second-level cache (performance.md 5.3).

Of each chunk: logits, loss and delta in one kernel; the input delta from the weights before they change; the weight
gradient with its update. Only the deltas of one chunk ever exist. SoftMax walks twice, first for its normaliser.
"""

from __future__ import annotations

from dataclasses import dataclass

from nnlang.codegen.grid import leaf
from nnlang.codegen.plan import Launch
from nnlang.codegen.triton.dense import DOT, PRODUCT, Factors, add_sum, address, product, store, store_leaf
from nnlang.codegen.triton.kernel import Frame, Kernel, Scope, Text, cdiv, indented, part, slot
from nnlang.codegen.triton.loss import LossText, dense_loss, first_walk, is_activation, sparse_loss
from nnlang.codegen.triton.ranks import add_stages
from nnlang.codegen.triton.rows import GRAIN, add_error, add_mass, add_normaliser, grain_holes
from nnlang.codegen.triton.tiles import BK, Tiles
from nnlang.codegen.triton.updates import add_update, over_chunks, store_gradient, update_lines
from nnlang.expressions import ZERO
from nnlang.ops import BATCH, Axis, Leaf, Op, Stage, Stored, Update, Walk

LOGITS = '''
@triton.jit
def {name}({params}, BM: tl.constexpr, BN: tl.constexpr):
    """{doc}"""
{prologue}
    low = tl.program_id(0) * BM
    unit = first + tl.program_id(1) * BN
    rows = low{wide} + tl.arange(0, BM)
    cols = unit{wide} + tl.arange(0, BN)
    sums = tl.zeros([BM, BN], tl.float32)
    for k in range(0, {inner}, {step}):
        ks = k + tl.arange(0, {step})
        a = tl.load({h}, mask=(rows < live)[:, None] & (ks < {inner})[None, :], other=0.0)
        b = tl.load({w}, mask=(ks < {inner})[:, None] & (cols < last)[None, :], other=0.0)
        sums = {dot}
    mask = (rows < live)[:, None] & (cols < last)[None, :]
{epilogue}
{loss}
'''

BIAS = """
    if tl.program_id(1) == 0:  # one column of programs has the biases too
        deltas = tl.zeros([64, BM, 1], tl.float32)
        for k in range(0, live, 64):
            ks = k + tl.arange(0, 64)
            deltas += tl.load({d} + ks[:, None, None] * {width} + (rows - first)[None, :, None])
        bias = tl.reshape(tree(deltas, 6), [BM])
        here = rows < last
{update}
"""

TURN = '''
@triton.jit
def {name}({params}, BM: tl.constexpr, BN: tl.constexpr):
    """The walk's inputs with the rows of the batch side by side, as a sum over them is read; 0 beyond the batch."""
{prologue}
    rows = tl.program_id(0) * BM + tl.arange(0, BM)
    cols = tl.program_id(1) * BN + tl.arange(0, BN)
    mask = (rows < live)[:, None] & (cols < {inner})[None, :]
    there = (rows < {ms})[:, None] & (cols < {inner})[None, :]
    tl.store({dest} + cols[None, :] * {ms} + rows[:, None], {h}, mask=there)
'''

LEAVES = """
    # what walk_back left for this chunk: a row of input deltas a program, its leaves by one balanced tree
    program = tl.program_id(0) * tl.num_programs(1) + tl.program_id(1)
    for row in range(program, live, tl.num_programs(0) * tl.num_programs(1)):
        for low in range(0, {inner}, 128):
            inputs = (low + tl.arange(0, 128))[None, None, :]
            leaf = tl.arange(0, {width})[:, None, None]
            there = (leaf < tl.cdiv(last - first, {leaf})) & (inputs < {inner})
            total = tree(tl.load({parts} + (leaf * {m} + row) * {inner} + inputs, mask=there, other=0.0), {log})
            tl.store({dest} + row * {inner} + inputs, total[None, :, :], mask=inputs < {inner})
"""


@dataclass(frozen=True)
class Place:
    """The sizes of a walk."""

    axis: Axis  # of the units
    inner: int
    chunk: int  # units at a time
    tiles: Tiles

    @property
    def units(self) -> int:
        """Units of the layer, or of this rank's part of it."""
        return self.axis.size or 0

    @property
    def width(self) -> int:
        """Columns of a chunk's deltas: whole tiles of who writes and who reads them, so that nobody needs a mask."""
        tile = max(self.tiles["walk_logits"].BN, self.tiles["walk_update"].BM)
        return -(-self.chunk // tile) * tile

    @property
    def height(self) -> int:
        """Of what the rows of a chunk's deltas are a multiple."""
        return max(self.tiles["walk_logits"].BM, self.tiles["walk_back"].BN)

    @property
    def leaf(self) -> int:
        """Units of a leaf."""
        return leaf(self.axis.total)

    @property
    def leaves(self) -> int:
        """Leaves of a chunk."""
        return -(-self.chunk // self.leaf)

    @property
    def chunks(self) -> int:
        """How many chunks there are."""
        return -(-self.units // self.chunk)


def walk(scope: Scope, launch: Launch) -> Text:
    """The walk, or with SoftMax the two walks, over an output layer."""
    op = launch.op
    assert isinstance(op, Walk) and scope.is_transposed(op.w)
    inner, axis = op.w.type.axes
    assert not inner.is_split, "logits are made by each rank for its own units"
    units = axis.size or 0
    place = Place(axis, inner.size or 0, min(launch.chunk, units), scope.tiles)
    text = Text()
    _memory(text, op, place)
    if op.softmax:
        _normaliser(text, scope, launch, op, place)
    _turn(text, scope, launch, op, place)
    chunk = Text()
    _logits(chunk, scope, launch, op, place)
    _back(chunk, scope, launch, op, place)
    _updates(chunk, scope, launch, op, place)
    over_chunks(text, chunk, units, place.chunk)
    if op in scope.buffers and scope.is_apart(axis):
        text.lines += ["arrived()"] if axis.is_split else []
        add_stages(text, scope, launch, op, op.epilogue)
    elif op in scope.buffers and place.chunks > 1:
        add_sum(text, part(scope, launch, "delta"), op, op.epilogue, "p1", place.chunks)
    if op.value is not None:
        add_error(text, scope, launch, axis, op.value, scope.errors[op], absent=_has_absent(op))
    return text


def _memory(text: Text, op: Walk, place: Place) -> None:
    """The scratch memory of the walk, and its comment."""
    rows = place.height
    text.lines.append(f"d = block.scratch('d', triton.cdiv(m, {rows}) * {rows}, {place.width})")
    grains = grain_holes(place.axis)["grains"]
    sparse = isinstance(op.delta, Stored)
    x = slot(op.delta.feed) if isinstance(op.delta, Stored) else ""
    if op.type.storage == "dense" and place.leaves * place.chunks > 1:
        text.lines.append(f"p0 = block.scratch('p0', {place.leaves}, m, {place.inner})")
    if op.type.storage == "dense" and place.chunks > 1:
        text.lines.append(f"p1 = block.scratch('p1', {place.chunks}, m, {place.inner})")
    if op.softmax:
        text.lines.append(f"peaks, sums = block.scratch('peaks', m, {grains}), block.scratch('sums', m, {grains})")
        text.lines.append("totals, mass = block.scratch('totals', m), block.scratch('mass', m)")
        if _mass_reads_logits(op):
            text.lines.append(f"logits = block.scratch('logits', {x}.entry_capacity)")
    if op.value is not None and _has_absent(op):
        text.lines.append(f"grains = block.scratch('grains', m, {grains})")
    if isinstance(op.delta, Stored) and not is_activation(op.delta):
        text.lines.append(f"waiting = block.scratch('waiting', {x}.entry_capacity)")
    if op.value is not None and sparse:
        text.lines.append(f"changes = block.scratch('changes', {x}.entry_capacity)")
    if any(isinstance(one, Update) and one.replicas > 1 for one in op.updates):
        text.lines.append(f"g = block.scratch('g', {place.chunk}, {place.inner})")
        text.lines += [f"g{i} = block.scratch('g{i}', {place.chunk})" for i in range(len(op.updates) - 1)]


def _tile_kernel(scope: Scope, launch: Launch, op: Walk, suffix: str) -> tuple[Kernel, Frame, dict[str, object]]:
    """A kernel over a tile of logits: its frame, and the holes of the product."""
    kernel = part(scope, launch, suffix)
    factors = address(kernel, op.h, False, "rows", "ks"), address(kernel, op.w, False, "ks", "cols")
    frame, holes = tile_of(kernel, op.w.type.axes[1], factors, op.w.type.axes[0], op.logits)
    return kernel, frame, holes


def tile_of(
    kernel: Kernel, units: Axis, factors: tuple[str, str], inner: Axis, stages: tuple[Stage, ...]
) -> tuple[Frame, dict[str, object]]:
    """The frame of a tile of logits, and the holes of LOGITS; factors: where [rows, ks] and [ks, cols] stand."""
    kernel.block("live")
    frame = Frame(kernel, (BATCH, units), ("rows", "cols"))
    h, w = factors
    product = {"h": h, "w": w, "inner": inner.size, "step": BK, "dot": DOT[kernel.scope.precision]}
    return frame, {**product, "epilogue": indented(frame.stages(stages, "sums"))}


def _logits(text: Text, scope: Scope, launch: Launch, op: Walk, place: Place) -> None:
    kernel, frame, holes = _tile_kernel(scope, launch, op, "logits")
    loss = LossText(kernel, frame, place.width, grain_holes(place.axis)["grains"])
    lines = []
    if op.softmax:
        lines = [normalised(kernel)]
    lines += sparse_loss(loss, op, op.delta) if isinstance(op.delta, Stored) else dense_loss(loss, op)
    doc = f"{place.units} units from {place.inner}: a tile of a chunk's activations becomes its delta."
    add_tiles(text, scope, kernel, kernel.number("first"), place, LOGITS, {**holes, "doc": doc}, lines)


def normalised(kernel: Kernel) -> str:
    """The statement that makes activations of a tile of logits, with SoftMax."""
    totals = f"tl.load({kernel.pointer('totals')} + rows, mask=rows < live, other=0.0)[:, None]"
    return f"sums = tl.exp(sums - {totals})"


def _normaliser(text: Text, scope: Scope, launch: Launch, op: Walk, place: Place) -> None:
    kernel, frame, holes = _tile_kernel(scope, launch, op, "peaks")
    loss = LossText(kernel, frame, place.width, grain_holes(place.axis)["grains"])
    lines = first_walk(loss, op, logits=_mass_reads_logits(op))
    chunk, doc = Text(), "First walk: the peak and the sum of exponentials of every grain of 64 units."
    add_tiles(chunk, scope, kernel, kernel.number("first"), place, LOGITS, {**holes, "doc": doc}, lines)
    over_chunks(text, chunk, place.units, place.chunk)
    add_normaliser(text, scope, launch, place.axis)
    assert isinstance(op.mass, Stored)
    add_mass(text, scope, launch, op.mass)


def add_tiles(
    text: Text, scope: Scope, kernel: Kernel, first: str, place: Place, skeleton: str, holes: dict[str, object],
    loss: list[str],
) -> None:  # fmt: skip
    """The kernel over the tiles of a chunk, and its launch."""
    kernel.number("last")
    tile = scope.tiles["walk_logits"]
    grid = f"{cdiv('m', tile.BM)}, {cdiv(f'last - {first}', tile.BN)}"
    text.add(kernel.emit(skeleton, loss=indented(loss), **holes), kernel.launch(grid, tile))


def _turn(text: Text, scope: Scope, launch: Launch, op: Walk, place: Place) -> None:
    """The hidden activations as `ht` [inputs, rows of the batch]."""
    kernel, tile = part(scope, launch, "turn"), scope.tiles["elements"].over(place.inner)
    kernel.block("live")
    h = Frame(kernel, op.h.type.axes, ("rows", "cols")).load(op.h)
    text.lines += [f"ms = triton.cdiv(m, {GRAIN}) * {GRAIN}", f"ht = block.scratch('ht', {place.inner}, ms)"]
    emitted = kernel.emit(TURN, h=h, inner=place.inner, ms=kernel.number("ms"), dest=kernel.pointer("ht"))
    text.add(emitted, kernel.launch(kernel.grid(("ms", str(place.inner)), tile), tile))


def _back(text: Text, scope: Scope, launch: Launch, op: Walk, place: Place) -> None:
    """The input delta of a chunk, leaf by leaf, from the weights as they were."""
    if op not in scope.buffers:
        return
    kernel = part(scope, launch, "back")
    tile, axes = scope.tiles["walk_back"], op.type.axes[::-1]
    frame = Frame(kernel, axes, ("rows", "cols"))
    single = place.leaves * place.chunks == 1
    w = Frame(kernel, op.w.type.axes, ("rows", "ks")).address(op.w)
    d = f"{kernel.pointer('d')} + cols[None, :] * {place.width} + (ks - {kernel.number('first')})[:, None]"
    apart = scope.is_apart(place.axis)
    within = () if apart else op.epilogue
    if single:
        epilogue = [*frame.stages(within, "sums"), store(frame, scope.buffers[op], op)]
    else:
        epilogue = [store_leaf(frame, "p0", op)]
    factors = Factors(kernel, axes, w, d, through=True, b_here="")
    holes = product(factors, kernel.number("last"), epilogue, 0 if single else place.leaf)
    if not single:
        start = [f"start = first + tl.program_id(2) * {place.leaf}", f"end = tl.minimum(start + {place.leaf}, last)"]
        holes["leaf"] = indented(start)
    more = [] if single else [cdiv("last - first", place.leaf)]
    doc = f"The delta of {place.inner} inputs from each leaf of {place.leaf} units of a chunk."
    grid = kernel.grid((str(place.inner), "m"), tile, *more)
    text.add(kernel.emit(PRODUCT, doc=doc, **holes), kernel.launch(grid, tile))
    if place.chunks == 1 and not single:
        add_sum(text, part(scope, launch, "delta"), op, within, "p0", place.leaves)
    if apart:
        _complete(text, scope, launch, op, place)


def _complete(text: Text, scope: Scope, launch: Launch, op: Walk, place: Place) -> None:
    """The input delta from all chunks; across ranks its sum is under way while the last chunk's weights are updated."""
    last, dest = Text(), scope.buffers[op]
    if place.chunks > 1:
        kernel = part(scope, launch, "chunk")
        kernel.params["p1[chunk]"] = "p1_ptr"
        there = f"tl.cdiv({kernel.number('last')} - {kernel.number('first')}, {place.leaf})"
        add_sum(text, kernel, op, (), "p0", place.leaves, there, "p1[chunk]")
        add_sum(last, part(scope, launch, "delta"), op, (), "p1", place.chunks)
    if place.axis.is_split:
        last.lines.append(f"arrived = block.ranks.start_sum({dest})")
    text.kernels += last.kernels
    if place.chunks > 1:
        text.lines += [f"if last == {place.units}:", *(f"    {line}" for line in last.lines)]
    else:
        text.lines += last.lines


def _updates(text: Text, scope: Scope, launch: Launch, op: Walk, place: Place) -> None:
    """The gradients of a chunk's weights and biases over the batch, and their updates."""
    weight, *biases = op.updates
    assert isinstance(weight, Update)
    shared = weight.replicas > 1  # then what is made here is summed over them before it is used
    kernel, tile = part(scope, launch, "gradient" if shared else "update"), scope.tiles["walk_update"]
    axes = op.w.type.axes[::-1]
    frame = Frame(kernel, axes, ("rows", "cols"))
    d = f"{kernel.pointer('d')} + ks[None, :] * {place.width} + (rows - {kernel.number('first')})[:, None]"
    ht = f"{kernel.pointer('ht')} + ks[:, None] + cols[None, :] * {kernel.number('ms')}"
    factors = Factors(kernel, axes, d, ht, through=True, a_here="", b_here=f"(cols < {place.inner})[None, :]")
    rows = kernel.block("live")
    lines = [store_gradient(frame, "sums")] if shared else update_lines(frame, weight, "sums")
    holes = product(factors, rows, lines)
    holes |= {"rows_here": f"rows < {kernel.number('last')}", "origin": "first + "}
    beside = [_bias(kernel, bias, place, f"g{i}" if shared else "") for i, bias in enumerate(biases)]
    if op in scope.buffers and place.chunks > 1 and not scope.is_apart(place.axis):
        beside.append(_leaves(kernel, place))
    holes["beside"] = "\n".join(beside)
    doc = f"The gradient of a chunk's weights from {place.inner} inputs over the batch" + (
        ", and their update." if not shared else "."
    )
    grid = f"{cdiv('last - first', tile.BM)}, {cdiv(place.inner, tile.BN)}"
    text.add(kernel.emit(PRODUCT, doc=doc, **holes), kernel.launch(grid, tile))
    if shared:
        for name, one in zip(["g", *(f"g{i}" for i in range(len(biases)))], op.updates, strict=True):
            assert isinstance(one, Update)
            add_update(text, scope, launch, one, name)


def _bias(kernel: Kernel, update: Op, place: Place, dest: str) -> str:
    """The gradient of a chunk's biases, into `dest` where it is shared, and else their update."""
    assert isinstance(update, Update)
    frame = Frame(kernel, update.states[0].type.axes, ("rows",), mask="here")
    lines = [store_gradient(frame, "bias", dest)] if dest else update_lines(frame, update, "bias", prefix="b")
    return BIAS.format(d=kernel.pointer("d"), width=place.width, update=indented(lines, 2))


def _leaves(kernel: Kernel, place: Place) -> str:
    """The sum of the leaves of a chunk's input deltas, which are complete when this kernel begins."""
    kernel.params["p1[chunk]"] = "p1_ptr"
    log = (place.leaves - 1).bit_length()
    return LEAVES.format(
        inner=place.inner, width=1 << log, log=log, leaf=place.leaf, parts=kernel.pointer("p0"), m=kernel.number("m"),
        dest="p1_ptr",
    )  # fmt: skip


def _has_absent(op: Walk) -> bool:
    return not (isinstance(op.value, Stored) and op.value.absent == ZERO)


def _mass_reads_logits(op: Walk) -> bool:
    return isinstance(op.mass, Stored) and any(isinstance(x, Leaf) for x in op.mass.args)
