"""The best units of each row: an output layer's scores are made in chunks that stay in the second-level cache, and of
each chunk only what can still be among the best is kept. All scores of a batch never exist (performance.md 5.3).
"""

from __future__ import annotations

from nnlang.codegen.grid import RANKED, room
from nnlang.codegen.plan import Launch
from nnlang.codegen.triton.dense import address
from nnlang.codegen.triton.kernel import Kernel, Scope, Text, indented, part, slot
from nnlang.codegen.triton.loss import LossText, peaks
from nnlang.codegen.triton.rows import add_normaliser, grain_holes
from nnlang.codegen.triton.updates import over_chunks
from nnlang.codegen.triton.walk import LOGITS, Place, add_tiles, normalised, tile_of
from nnlang.ops import Feed, Matmul, Top

MOST = 1024  # units that can be ranked so: twice as many keys are sorted in the registers of one program

RANK = '''
@triton.jit
def {name}({params}, BLOCK: tl.constexpr):
    """What of a chunk may be among the {k} best of its row joins a list, which is cut to its best when it is full."""
{prologue}
    row = tl.program_id(0).to(tl.int64)
    if row >= live:
        return
    scores = {scores} + row * {width} - first
{filter}
    keys = {listed}.to(tl.pointer_type(tl.int64)) + row * {room}
    rank = tl.arange(0, {best})
    count = tl.load({state} + row * 2, mask=first > 0, other=0.0).to(tl.int32)
    least = tl.load({state} + row * 2 + 1, mask=first > 0, other=float("-inf"))
    for low in tl.range(first, last, BLOCK, disable_licm=True):  # or sorting takes too many registers
        unit = low + tl.arange(0, BLOCK)
        score = tl.load(scores + unit, mask=unit < last, other=float("-inf")){shown}
        joins = tl.where(score <= least, 0, 1)  # what is not a number joins too
        if tl.sum(joins, axis=0) > 0:
            if count + tl.sum(joins, axis=0) > {room}:
                top = highest(keys, count, {log_room}, {log_best})
                tl.store(keys + rank, top, mask=rank < {k})
                count = tl.full([], {k}, tl.int32)
                least = tl.sum(tl.where(rank == {k} - 1, score_of(top), 0.0), axis=0)
                joins = tl.where(score <= least, 0, 1)
            tl.store(keys + count + tl.cumsum(joins, axis=0) - 1, key_of(score, unit{from_first}), mask=joins > 0)
            count += tl.sum(joins, axis=0)
    tl.store({state} + row * 2, count.to(tl.float32))
    tl.store({state} + row * 2 + 1, least)
'''

ORDER = '''
@triton.jit
def {name}({params}):
    """The {k} best of each row's list, in order."""
{prologue}
    row = tl.program_id(0).to(tl.int64)
    if row >= live:
        return
    keys = {listed}.to(tl.pointer_type(tl.int64)) + row * {room}
    rank = tl.arange(0, {best})
    top = highest(keys, tl.load({state} + row * 2).to(tl.int32), {log_room}, {log_best})
    tl.store({dest} + row * {pair} + rank, score_of(top), mask=rank < {k})
    tl.store({dest} + row * {pair} + {k} + rank, unit_of(top), mask=rank < {k})
'''

FILTER = """
    end = tl.load({starts} + position + row + 1)
    for low in range(tl.load({starts} + position + row), end, BLOCK):
        at = low + tl.arange(0, BLOCK)
        unit = tl.load({index} + at, mask=at < end, other=-1)
        here = (unit >= first) & (unit < last)
{change}
    tl.debug_barrier()  # scores are read by other threads of this program than those that have changed them
"""


def top(scope: Scope, launch: Launch) -> Text:
    """The best units of each row, of a product in chunks or of scores that exist."""
    op = launch.op
    assert isinstance(op, Top)
    text, axis = Text(), op.x.type.axes[1]
    units = axis.size or 0
    inner = op.x.a.type.axes[1].size or 0 if isinstance(op.x, Matmul) else 0
    place = Place(axis, inner, launch.chunk or units, scope.tiles)
    text.lines.append(f"listed = block.scratch('listed', m, {2 << room(op.k)})  # keys of 64 bits")
    text.lines.append("state = block.scratch('state', m, 2)  # of each list: its length, the last of the best")
    if op.fused:
        text.lines.append(f"d = block.scratch('d', m, {place.width})")
    if op.softmax:
        _normaliser(text, scope, launch, op, place)
    chunk = Text()
    if op.fused:
        _scores(chunk, scope, launch, op, place)
    _rank(chunk, scope, launch, op, place)
    over_chunks(text, chunk, units, place.chunk)
    _order(text, scope, launch, op)
    return text


def _sizes(op: Top) -> dict[str, object]:
    """How many are looked for, and how large the lists are."""
    log_best, log_room = (op.k - 1).bit_length(), room(op.k)
    return {"k": op.k, "best": 1 << log_best, "room": 1 << log_room, "log_best": log_best, "log_room": log_room}


def _tile(scope: Scope, launch: Launch, op: Top, place: Place, suffix: str) -> tuple[LossText, dict[str, object]]:
    """A kernel over tiles of a chunk's products, and its holes."""
    kernel, x = part(scope, launch, suffix), op.x
    assert isinstance(x, Matmul) and not x.transpose_a
    kernel.wide = scope.batch * place.width >= 1 << 31
    factors = address(kernel, x.a, False, "rows", "ks"), address(kernel, x.b, x.transpose_b, "ks", "cols")
    frame, holes = tile_of(kernel, x.type.axes[1], factors, x.a.type.axes[1], x.epilogue)
    return LossText(kernel, frame, place.width, grain_holes(place.axis)["grains"]), holes


def _normaliser(text: Text, scope: Scope, launch: Launch, op: Top, place: Place) -> None:
    """A walk of its own, for what SoftMax divides by."""
    tile, holes = _tile(scope, launch, op, place, "peaks")
    text.lines += [f"{name} = block.scratch('{name}', m, {tile.grains})" for name in ("peaks", "sums")]
    text.lines.append("totals = block.scratch('totals', m)")
    chunk, doc = Text(), "First walk: the peak and the sum of exponentials of every grain of 64 units."
    first = tile.kernel.number("first")
    add_tiles(chunk, scope, tile.kernel, first, place, LOGITS, {**holes, "doc": doc}, peaks(tile))
    over_chunks(text, chunk, place.units, place.chunk)
    add_normaliser(text, scope, launch, place.axis)


def _scores(text: Text, scope: Scope, launch: Launch, op: Top, place: Place) -> None:
    """The scores of a chunk."""
    tile, holes = _tile(scope, launch, op, place, "scores")
    lines = [normalised(tile.kernel)] if op.softmax else []
    lines += [f"sums += {tile.frame.load(op.shown)}", f"tl.store({tile.tile}, sums, mask=mask)"]
    doc = f"{place.units} units from {place.inner}: the scores of a chunk; units that must not appear have -inf."
    add_tiles(text, scope, tile.kernel, tile.kernel.number("first"), place, LOGITS, {**holes, "doc": doc}, lines)


def _rank(text: Text, scope: Scope, launch: Launch, op: Top, place: Place) -> None:
    """The choice from a chunk of scores."""
    kernel = part(scope, launch, "rank")
    kernel.block("live")
    shown, scores, width = "", "d", place.width
    if not op.fused:
        shown = f" + tl.load({kernel.pointer(scope.text(op.shown))} + unit, mask=unit < last, other=0.0)"
        scores, width = scope.text(op.x), place.units
    holes = {"filter": _filter(kernel, op), "scores": kernel.pointer(scores), "shown": shown, "width": width}
    holes |= {name: kernel.pointer(name) for name in ("listed", "state")} | _sizes(op)
    kernel.number("first")
    kernel.number("last")
    holes["from_first"] = f" + {place.axis.first}" if place.axis.first else ""
    emitted = kernel.emit(RANK, **holes)
    text.add(emitted, kernel.launch_rows(RANKED))


def _order(text: Text, scope: Scope, launch: Launch, op: Top) -> None:
    """The result, from the lists."""
    kernel = part(scope, launch, "order")
    kernel.block("live")
    dest = kernel.pointer(scope.buffers[op])
    holes = {name: kernel.pointer(name) for name in ("listed", "state")}
    emitted = kernel.emit(ORDER, dest=dest, pair=2 * op.k, **holes, **_sizes(op))
    text.add(emitted, kernel.launch_rows())


def _filter(kernel: Kernel, op: Top) -> str:
    """The lines that change the scores of what a row's filter lists."""
    if op.filter is None:
        return ""
    assert isinstance(op.filter, Feed)
    kernel.block("position")
    x = slot(op.filter)
    change = ['tl.store(scores + unit, float("-inf"), mask=here)']
    if op.filter.stored == "analog":
        change = [
            f"factor = tl.load({kernel.pointer(f'{x}.values')} + at, mask=here, other=0.0)",
            "score = tl.load(scores + unit, mask=here, other=0.0)",
            'tl.store(scores + unit, tl.where(factor == 0.0, float("-inf"), score * factor), mask=here)',
        ]
    starts, index = (kernel.pointer(f"{x}.{name}") for name in ("starts", "index"))
    return FILTER.format(starts=starts, index=index, change=indented(change, 2))
