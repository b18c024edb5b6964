"""Sparse rows and columns: gathered sums forward, segmented sums backward, denoising, dense forms, stored targets.

A bag is what a row stores of one leaf of features, or what a batch stores of one unit. Its entries are summed in pieces
of at most 32, one entry after another, and the pieces in order: no program waits for the longest bag, and the order of
every sum follows from the data alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from nnlang.codegen.grid import gather_leaves
from nnlang.codegen.plan import Launch
from nnlang.codegen.triton.dense import store
from nnlang.codegen.triton.elementwise import MATRIX
from nnlang.codegen.triton.expressions import triton
from nnlang.codegen.triton.kernel import Frame, Kernel, Scope, Text, across, indented, part, slot
from nnlang.codegen.triton.ranks import add_stages
from nnlang.codegen.triton.updates import add_replicated, store_gradient, update_lines
from nnlang.ops import BATCH, Denoise, Densify, GatherSum, Op, SegmentSum, State, Stored, Update

PIECES = '''
@triton.jit
def {name}({params}, BM: tl.constexpr, BN: tl.constexpr):
    """{doc}"""
{prologue}
    piece = tl.program_id(0) * BM + tl.arange(0, BM)
    cols = tl.program_id(1) * BN + tl.arange(0, BN)
    begin = tl.load({bags} + {first})
    here = piece < tl.load({bags} + {last}) - begin
    start = tl.load({pieces} + begin + piece, mask=here, other=0)
    end = tl.load({pieces} + begin + piece + 1, mask=here, other=0)
    sums = tl.zeros([BM, BN], tl.float32)
    for entry in tl.range(0, tl.max(end - start, 0), loop_unroll_factor=4):
        at = start + entry
        stored = at < end
        row = tl.load({index} + at, mask=stored, other=0){wide}
        values = tl.load({matrix} + row[:, None] * {n} + cols[None, :], mask={mask}, other=0.0)
        sums += {term}
    parts = {parts} + piece[:, None]{wide} * {n} + cols[None, :]
    tl.store(parts, sums, mask=here[:, None] & (cols < {n})[None, :])
'''

DENOISE = '''
@triton.jit
def {name}({params}, BLOCK: tl.constexpr):
    """The values of each row's entries: dropped at the rate, survivors scaled by 1 / (1 - rate)."""
{prologue}
    row = tl.program_id(0)
    if row >= live:
        return
    end = tl.load({starts} + position + row + 1)
    example = tl.load({ids} + position + row).to(tl.uint32)
    for first in range(tl.load({starts} + position + row), end, BLOCK):
        at = first + tl.arange(0, BLOCK)
        feature = {feature}.to(tl.uint32)
        word, b, c, d = tl.philox(seed, feature, example + tl.zeros_like(feature), epoch.to(tl.uint32), {stream})
        kept = tl.where(uniform(word) >= {rate}, 1.0 / (1.0 - {rate}), 0.0){values}
        tl.store({dest} + at - base, kept, mask=at < end)
'''

SCATTER = '''
@triton.jit
def {name}({params}, BLOCK: tl.constexpr):
    """{doc}"""
{prologue}
    row = tl.program_id(0){wide}
    if row >= live:
        return
    for first in range(0, {n}, BLOCK):
        cols = first + tl.arange(0, BLOCK)
        mask = cols < {n}
{absent}
        tl.store({dest} + row * {n} + cols, y, mask=mask)
    tl.debug_barrier()  # the stored entries overwrite what another thread of this program has written
    end = tl.load({starts} + position + row + 1)
    for first in range(tl.load({starts} + position + row), end, BLOCK):
        at = first + tl.arange(0, BLOCK)
        mask = at < end
        cols = tl.load({index} + at, mask=mask, other=0)
{stored}
        tl.store({dest} + row * {n} + cols, y, mask=mask)
'''


@dataclass(frozen=True)
class Side:
    """One way to look at the entries of a batch: by row, or by unit."""

    bags: str  # of the slot: which pieces each bag owns
    pieces: str  # where each piece starts
    index: str  # the row of the matrix that each entry names
    capacity: str  # pieces of a batch at most


BY_ROW = Side("row_bags", "row_pieces", "index", "row_piece_capacity")
BY_UNIT = Side("unit_bags", "unit_pieces", "unit_row", "unit_piece_capacity")
FUNCTIONS = {1: "bag_sum", 2: "bag_sum_2", 4: "bag_sum_4", 8: "bag_sum_8"}


def gather_sum(scope: Scope, launch: Launch) -> Text:
    """The rows of a matrix that each sparse row stores, added up by leaves of features; then the epilogue."""
    op = launch.op
    assert isinstance(op, GatherSum) and isinstance(op.w, State)
    text, n = Text(), op.type.axes[1].size or 0
    axis = op.feed.type.axes[1]
    leaves = gather_leaves(axis.size or 0, axis.total)
    _pieces(
        text, scope, launch, op.feed, op.w, BY_ROW, f"The rows of the matrix that pieces of {leaves} bags a row name."
    )
    kernel = part(scope, launch, "rows")
    frame = Frame(kernel, op.type.axes, ("rows", "cols"))
    sums = _bags(kernel, op.feed, BY_ROW, f"(position + rows) * {leaves}", "rows", kernel.block("live"), n, leaves)
    kernel.block("position")
    within, dest = () if scope.is_apart(axis) else op.epilogue, scope.buffers[op]
    body = [f"begin = {_begin(kernel, op.feed, BY_ROW, leaves)}", sums, *frame.stages(within, "sums")]
    _over_rows(text, kernel, frame, [*body, store(frame, dest, op)], "m", n, "Each row's bags by one tree.")
    if scope.is_apart(axis):
        text.lines += across(axis, dest)
        add_stages(text, scope, launch, op, op.epilogue)
    return text


def segment_sum(scope: Scope, launch: Launch) -> Text:
    """For each unit the sum of the delta rows that store it."""
    op = launch.op
    assert isinstance(op, SegmentSum)
    text = Text()
    _pieces_by_unit(text, scope, launch, op)
    _segments(text, scope, launch, op, lambda frame: [store(frame, scope.buffers[op], op)])
    return text


def segment_sum_update(scope: Scope, launch: Launch) -> Text:
    """The same as a weight gradient, used by its optimiser and forgotten; every unit is updated, stored or not."""
    op = launch.op
    assert isinstance(op, Update) and isinstance(op.gradient, SegmentSum)
    assert not scope.is_transposed(op.states[0])
    text, chunk = Text(), Text()
    _pieces_by_unit(text, scope, launch, op.gradient)
    if op.replicas == 1:
        _segments(text, scope, launch, op.gradient, lambda frame: update_lines(frame, op, "sums"))
    else:
        _segments(chunk, scope, launch, op.gradient, lambda frame: [store_gradient(frame, "sums")], windowed=True)
        add_replicated(text, scope, launch, chunk)
    return text


def _pieces_by_unit(text: Text, scope: Scope, launch: Launch, op: SegmentSum) -> None:
    _pieces(text, scope, launch, op.feed, op.delta, BY_UNIT, "The delta rows that pieces of each unit's entries name.")


def _segments(
    text: Text,
    scope: Scope,
    launch: Launch,
    op: SegmentSum,
    end: Callable[[Frame], list[str]],
    *,
    windowed: bool = False,
) -> None:
    """The kernel that adds up the pieces of each unit (of those from `first` to `last`), and goes on with the sums."""
    units, n = (a.size or 0 for a in op.type.axes)
    kernel = part(scope, launch, "units")
    frame = Frame(kernel, op.type.axes, ("rows", "cols"))
    bag = f"{kernel.block('number')} * {units} + rows"
    sums = _bags(kernel, op.feed, BY_UNIT, bag, "rows", str(units), n, 1)
    body = [f"begin = {_begin(kernel, op.feed, BY_UNIT, units)}", sums]
    doc = "Each unit's pieces in order, and on."
    _over_rows(text, kernel, frame, [*body, *end(frame)], "last - first" if windowed else str(units), n, doc)


def _over_rows(text: Text, kernel: Kernel, frame: Frame, body: list[str], m: str, n: int, doc: str) -> None:
    tile = kernel.scope.tiles["rows" if m == "m" else "units"].over(n)
    mask, origin = frame.here(), ""
    if "first" in m:
        origin = f"{kernel.number('first')} + "
        mask = f"(rows < {kernel.number('last')})[:, None] & (cols < {n})[None, :]"
    grid = kernel.grid((m, str(n)), tile)
    text.add(kernel.emit(MATRIX, doc=doc, mask=mask, origin=origin, body=indented(body)), kernel.launch(grid, tile))


def _begin(kernel: Kernel, feed: Op, side: Side, width: int) -> str:
    first = kernel.block("position" if side is BY_ROW else "number")
    return f"tl.load({kernel.pointer(f'{slot(feed)}.{side.bags}')} + {first} * {width})"


def _bags(kernel: Kernel, feed: Op, side: Side, bag: str, rows: str, bound: str, n: int, leaves: int) -> str:
    pointers = f"{kernel.pointer('p0')}, {kernel.pointer(f'{slot(feed)}.{side.bags}')}"
    return f"sums = {FUNCTIONS[leaves]}({pointers}, {bag}, begin, {rows} < {bound}, cols, {n})"


def _pieces(text: Text, scope: Scope, launch: Launch, feed: Op, matrix: Op, side: Side, doc: str) -> None:
    """The kernel that sums every piece of a side into the scratch rows `p0`."""
    kernel, x = part(scope, launch, "pieces"), slot(feed)
    axis = feed.type.axes[1]
    width = gather_leaves(axis.size or 0, axis.total) if side is BY_ROW else axis.size
    n = matrix.type.axes[1].size or 0
    kernel.reach(matrix.type)
    first = kernel.block("position" if side is BY_ROW else "number")
    last = f"({first} + {kernel.block('live') if side is BY_ROW else 1}) * {width}"
    value = entry_value(
        kernel,
        feed,
        f"tl.load({kernel.pointer(f'{x}.unit_order')} + at, mask=stored, other=0)" if side is BY_UNIT else "at",
        "stored",
    )
    holes = {
        "bags": kernel.pointer(f"{x}.{side.bags}"),
        "first": f"{first} * {width}",
        "last": last,
        "pieces": kernel.pointer(f"{x}.{side.pieces}"),
        "index": kernel.pointer(f"{x}.{side.index}"),
        "matrix": kernel.pointer(scope.text(matrix)),
        "n": n,
        "mask": f"stored[:, None] & (cols < {n})[None, :]",
        "term": f"{value}[:, None] * values" if value else "values",
        "parts": kernel.pointer("p0"),
    }
    tile = scope.tiles["pieces"].over(n)
    text.lines.append(f"p0 = block.scratch('p0', {x}.{side.capacity}, {n})")
    grid = kernel.grid((f"{x}.{side.capacity}", str(n)), tile)
    text.add(kernel.emit(PIECES, doc=doc, **holes), kernel.launch(grid, tile))


def entry_value(kernel: Kernel, feed: Op, at: str, mask: str) -> str:
    """The expression that reads the values of entries at their numbers in row order; "" where each is 1."""
    x = slot(feed)
    if isinstance(feed, Denoise):
        return f"tl.load({kernel.pointer(f'v{x[1:]}')} + {at} - {kernel.base(x)}, mask={mask}, other=0.0)"
    if getattr(feed, "stored", "") != "analog":
        return ""
    return f"tl.load({kernel.pointer(f'{x}.values')} + {at}, mask={mask}, other=0.0)"


def denoise(scope: Scope, launch: Launch) -> Text:
    """The values of a csr feed's entries after denoising, in a scratch list of the batch's entries."""
    op = launch.op
    assert isinstance(op, Denoise)
    kernel, x, text = part(scope, launch), slot(op), Text()
    for name in ("live", "position", "seed", "epoch"):
        kernel.block(name)
    kernel.base(x)
    analog = getattr(op.feed, "stored", "") == "analog"
    values = f" * tl.load({kernel.pointer(f'{x}.values')} + at, mask=at < end, other=0.0)" if analog else ""
    holes = {name: kernel.pointer(f"{x}.{name}") for name in ("starts", "ids", "index")}
    dest = f"v{x[1:]}"
    feature, first = f"tl.load({holes['index']} + at, mask=at < end, other=0)", op.type.axes[1].first
    holes["feature"] = f"({first} + {feature})" if first else feature
    holes |= {"rate": kernel.scalar(op.rate), "values": values, "dest": kernel.pointer(dest)}
    text.lines.append(f"{dest} = block.scratch('{dest}', {x}.entry_capacity)")
    text.add(kernel.emit(DENOISE, stream=op.seed * 16 + 1, **holes), kernel.launch_rows(256))
    return text


def densify(scope: Scope, launch: Launch) -> Text:
    """The dense rows of a csr value."""
    op = launch.op
    assert isinstance(op, Densify)
    kernel = part(scope, launch)
    value = entry_value(kernel, op.feed, "at", "mask") if op.part == "value" else ""
    stored = [f"y = {value}" if value else "y = 1.0"]
    return _scatter(scope, kernel, op, op.feed, ["y = 0.0"], stored, "The dense form of csr rows.")


def stored(scope: Scope, launch: Launch) -> Text:
    """A formula of a sparse target: one for what is absent, another for what is stored."""
    op = launch.op
    assert isinstance(op, Stored)
    kernel = part(scope, launch)
    frame = Frame(kernel, op.type.axes, ("row", "cols"))
    absent, names = _row_reads(frame, op.args)
    there, there_names = _row_reads(frame, op.args)
    value = entry_value(kernel, op.feed, "at", "mask") or "1.0"
    absent.append(f"y = {triton(op.absent, names)}")
    there += [f"t = {value}", f"y = {triton(op.stored, there_names | {'t': 't'})}"]
    return _scatter(scope, kernel, op, op.feed, absent, there, "A formula of absent and of stored targets.")


def _row_reads(frame: Frame, args: tuple[Op, ...]) -> tuple[list[str], dict[str, str]]:
    """The statements that read arguments along one row at `cols`."""
    lines, names = [], {}
    for i, op in enumerate(args):
        kernel, names[f"x{i}"] = frame.kernel, f"x{i}"
        if not op.type.axes:
            names[f"x{i}"] = frame.load(op)
        elif op.type.axes == (BATCH,):
            lines.append(f"x{i} = tl.load({Frame(kernel, (BATCH,), ('row',)).address(op)})")
        elif len(op.type.axes) == 1:
            lines.append(f"x{i} = tl.load({kernel.pointer(kernel.scope.text(op))} + cols, mask=mask, other=0.0)")
        else:
            address = frame.address(op).replace("[:, None]", "").replace("[None, :]", "")
            lines.append(f"x{i} = tl.load({address}, mask=mask, other=0.0)")
    return lines, names


def _scatter(scope: Scope, kernel: Kernel, op: Op, feed: Op, absent: list[str], there: list[str], doc: str) -> Text:
    x, text = slot(feed), Text()
    kernel.block("live")
    kernel.block("position")
    holes = {
        "n": op.type.axes[1].size,
        "dest": kernel.pointer(scope.buffers[op]),
        "starts": kernel.pointer(f"{x}.starts"),
        "index": kernel.pointer(f"{x}.index"),
        "absent": indented(absent, 2),
        "stored": indented(there, 2),
    }
    text.add(kernel.emit(SCATTER, doc=doc, **holes), kernel.launch_rows(1024))
    return text
