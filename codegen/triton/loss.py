"""The loss of a tile of activations: its error, and its delta in place of the activations.

Targets that are stored stand in a list by unit. The tile is written, its stored entries are read back by this program
itself, and overwritten with their delta: no dense target exists, and no other program ever sees those elements.
"""

from __future__ import annotations

from dataclasses import dataclass

from nnlang.codegen.triton.expressions import triton
from nnlang.codegen.triton.kernel import Frame, Kernel, indented, slot
from nnlang.codegen.triton.rows import GRAIN
from nnlang.codegen.triton.sparse import entry_value
from nnlang.expressions import ZERO, Var, call, variables
from nnlang.ops import BATCH, Feed, Leaf, Op, Pointwise, Scalar, Stored, Walk

LIST = """
start = tl.load({pieces} + tl.load({bags} + number * {units} + unit))
end = tl.load({pieces} + tl.load({bags} + number * {units} + tl.minimum(unit + BN, last)))
for entry in range(start, end, 1024):
    at = entry + tl.arange(0, 1024)
    row = tl.load({rows} + at, mask=at < end, other=-1)
    here = (row >= low) & (row < low + BM)
    place = {tile} + row.to(tl.int64) * {width} + tl.load({index} + at, mask=here, other=0) - first
{body}
"""


@dataclass(frozen=True)
class LossText:
    """The tile that the loss works on: its kernel and frame, the width of the deltas, grains of a row."""

    kernel: Kernel
    frame: Frame
    width: int
    grains: int

    @property
    def tile(self) -> str:
        """Where the tile stands in the chunk's deltas."""
        self.kernel.number("first")
        return f"{self.kernel.pointer('d')} + rows[:, None] * {self.width} + (cols - first)[None, :]"

    def entries(self, feed: Op, body: list[str]) -> list[str]:
        """The loop over the stored entries of the tile; `place` is where each stands in the deltas."""
        kernel, x = self.kernel, slot(feed)
        kernel.block("number")
        if any("base" in line for line in body):
            kernel.base(x)
        fields = {"pieces": "unit_pieces", "bags": "unit_bags", "rows": "unit_row", "index": "unit_index"}
        holes: dict[str, object] = {name: kernel.pointer(f"{x}.{field}") for name, field in fields.items()}
        holes |= {"units": feed.type.axes[1].size, "tile": kernel.pointer("d"), "width": self.width}
        text = LIST.format(body=indented(body), **holes)
        return [line for line in text.splitlines() if line.strip()]


def dense_loss(loss: LossText, op: Walk) -> list[str]:
    """Error and delta against dense targets."""
    assert isinstance(op.delta, Pointwise)
    lines: list[str] = []
    if op.value is not None:
        assert isinstance(op.value, Pointwise)
        read, names = _tile_names(loss, op.value.args)
        lines += [*read, *_grain_sums(loss, "grains", triton(op.value.expr, names))]
    read, names = _tile_names(loss, op.delta.args)
    return [*lines, *read, f"tl.store({loss.tile}, tl.where(mask, {triton(op.delta.expr, names)}, 0.0))"]


def sparse_loss(loss: LossText, op: Walk, delta: Stored) -> list[str]:
    """Error and delta against stored targets."""
    kernel = loss.kernel
    lines: list[str] = []
    if isinstance(op.value, Stored) and op.value.absent != ZERO:
        read, names = _tile_names(loss, op.value.args)
        lines += [*read, *_grain_sums(loss, "grains", triton(op.value.absent, names))]
    lines += [f"tl.store({loss.tile}, tl.where(mask, sums, 0.0))", "tl.debug_barrier()"]
    body = ["a = tl.load(place, mask=here, other=0.0)", *_entry_order(loss, delta, op)]
    formulas = [delta.stored, *([op.value.stored] if isinstance(op.value, Stored) else [])]
    if any("t" in variables(e) for e in formulas):
        value = entry_value(kernel, delta.feed, "order", "here") or "1.0"
        body.append(f"t = {value}")
    if isinstance(op.value, Stored):
        read, names = _entry_names(loss, op.value.args, "e")
        change = triton(call("sub", op.value.stored, op.value.absent), names)
        body += [*read, f"tl.store({kernel.pointer('changes')} + order - base, {change}, mask=here)"]
    read, names = _entry_names(loss, delta.args, "y")
    stored = f"{triton(delta.stored, names)}"
    if is_activation(delta):
        return [*lines, *loss.entries(delta.feed, [*body, *read, f"tl.store(place, {stored}, mask=here)"])]
    return [*lines, *_overwritten(loss, delta, [*body, *read], stored)]


def _overwritten(loss: LossText, delta: Stored, body: list[str], stored: str) -> list[str]:
    """Where absent targets have a formula too: entries' deltas wait in a list while the tile is overwritten."""
    waiting = f"{loss.kernel.pointer('waiting')} + at - base"
    lines = loss.entries(delta.feed, [*body, f"tl.store({waiting}, {stored}, mask=here)"])
    read, names = _tile_names(loss, delta.args)
    absent = f"tl.where(mask, {triton(delta.absent, names)}, 0.0)"
    lines += ["tl.debug_barrier()", *read, f"tl.store({loss.tile}, {absent})", "tl.debug_barrier()"]
    return lines + loss.entries(delta.feed, [f"tl.store(place, tl.load({waiting}, mask=here, other=0.0), mask=here)"])


def peaks(loss: LossText) -> list[str]:
    """Peaks and sums of exponentials by grains."""
    grains = f"tl.reshape(tl.where((cols < last)[None, :], sums, -1e30), [BM, BN // {GRAIN}, {GRAIN}])"
    lines = [f"z = {grains}", "peak = tl.max(z, axis=2)"]
    lines += [f"total = grain_sums(tl.exp(z - peak[:, :, None]), BN // {GRAIN})"]
    return [*lines, *_grain_store(loss, "peaks", "peak"), _store_line(loss, "sums", "total")]


def first_walk(loss: LossText, op: Walk, *, logits: bool) -> list[str]:
    """Peaks and sums of exponentials by grains; the logits of stored entries where the mass needs them."""
    lines = peaks(loss)
    if not logits:
        return lines
    assert isinstance(op.mass, Stored)
    kernel, x = loss.kernel, slot(op.mass.feed)
    lines += [f"tl.store({loss.tile}, sums)", "tl.debug_barrier()"]
    body = [f"order = tl.load({kernel.pointer(f'{x}.unit_order')} + at, mask=here, other=0)"]
    logit = "tl.load(place, mask=here, other=0.0)"
    body += [f"tl.store({kernel.pointer('logits')} + order - base, {logit}, mask=here)"]
    return [*lines, *loss.entries(op.mass.feed, body)]


def _entry_order(loss: LossText, delta: Stored, op: Walk) -> list[str]:
    """The entry's number in row order, where something is kept by it."""
    analog = getattr(delta.feed, "stored", "") == "analog"
    if not isinstance(op.value, Stored) and not analog:
        return []
    return [f"order = tl.load({loss.kernel.pointer(f'{slot(delta.feed)}.unit_order')} + at, mask=here, other=0)"]


def is_activation(delta: Stored) -> bool:
    """Whether the delta of absent targets is the activation itself: then entries overwrite the tile as it is."""
    return delta.absent == Var("x0") and isinstance(delta.args[0], Leaf) and delta.args[0].name == "a"


def _tile_names(loss: LossText, args: tuple[Op, ...]) -> tuple[list[str], dict[str, str]]:
    """The statements that read a formula's arguments in the shape of the tile, and their variables."""
    lines: list[str] = []
    names: dict[str, str] = {}
    for i, op in enumerate(args):
        if isinstance(op, Leaf) and op.name == "a":
            names[f"x{i}"] = "sums"
        elif isinstance(op, Leaf):
            names[f"x{i}"] = f"x{i}"
            mass = f"tl.load({loss.kernel.pointer('mass')} + rows, mask=rows < live, other=0.0)[:, None]"
            lines.append(f"x{i} = {mass}")
        else:
            read, names[f"x{i}"] = loss.frame.read(op, f"x{i}")
            lines += read
    return lines, names


def _entry_names(loss: LossText, args: tuple[Op, ...], letter: str) -> tuple[list[str], dict[str, str]]:
    """The same at the stored entries [1024]: `a` is the activation, `t` the stored value."""
    lines: list[str] = []
    names = {"t": "t"}
    for i, op in enumerate(args):
        names[f"x{i}"] = f"{letter}{i}"
        if isinstance(op, Leaf) and op.name == "a":
            names[f"x{i}"] = "a"
        elif isinstance(op, Scalar):
            names[f"x{i}"] = loss.kernel.scalar(op)
        elif isinstance(op, Leaf):
            lines.append(f"{letter}{i} = tl.load({loss.kernel.pointer('mass')} + row, mask=here, other=0.0)")
        else:
            assert isinstance(op, Feed) and op.type.axes == (BATCH,)
            pointer = loss.kernel.pointer(loss.kernel.scope.text(op))
            position = loss.kernel.block("position")
            lines.append(f"{letter}{i} = tl.load({pointer} + {position} + row, mask=here, other=0.0)")
    return lines, names


def _grain_sums(loss: LossText, dest: str, value: str) -> list[str]:
    """The sums over grains of 64 units of a formula over the tile, stored by row and grain."""
    masked = f"tl.where(mask, {value}, 0.0)"
    lines = [f"total = grain_sums({masked}, BN // {GRAIN})"]
    return [*lines, *_grain_store(loss, dest, "total")]


def _grain_store(loss: LossText, dest: str, value: str) -> list[str]:
    lines = [
        f"grain = unit // {GRAIN} + tl.arange(0, BN // {GRAIN})",
        f"whole = (rows < live)[:, None] & (grain * {GRAIN} < last)[None, :]",
    ]
    return [*lines, _store_line(loss, dest, value)]


def _store_line(loss: LossText, dest: str, value: str) -> str:
    place = f"{loss.kernel.pointer(dest)} + rows[:, None] * {loss.grains} + grain[None, :]"
    return f"tl.store({place}, {value}, mask=whole)"
