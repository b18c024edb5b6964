"""What operands are called in an emitted module, and in which shape a formula sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nnlang.codegen.expressions import Printer, Value
from nnlang.expressions import Expr
from nnlang.ops import BATCH, Axis, Denoise, Feed, Leaf, Op, Part, Scalar, Stage, State, Type, View, Walk

INDENT = "    "


@dataclass(frozen=True)
class Scope:
    """The names of one entry point: buffers by operation, states that are kept as [out, in]."""

    buffers: Mapping[Op, str]
    errors: Mapping[Op, str]
    transposed: frozenset[int]
    exact: bool = False  # sums over units in leaves everywhere

    def text(self, op: Op) -> str:
        """The text of an operand as a whole tensor, logical shape."""
        match op:
            case View(x=x):
                return self.text(x)
            case Part(walk=walk):
                return self.errors[walk]
            case State(number=number):
                return f"s{number}.t()" if number in self.transposed else f"s{number}"
            case Scalar(name=name):
                return scalar(name)
            case Feed(slot=slot, part="rows"):
                return f"x{slot}.dense" if op.type.storage == "dense" else f"x{slot}"
            case Feed(slot=slot, part=part):
                return f"x{slot}.{part}"
            case Leaf(name=name):
                return name
        return self.buffers[op]

    def value(self, op: Op, type: Type) -> Value:
        """An operand in a formula over rows [batch, unit]: vectors broadcast along the axis they lack."""
        text = self.text(op)
        if not op.type.axes:
            return Value(text, "scalar")
        if op.type.axes == type.axes:
            return Value(text, "full")
        return Value(f"{text}[:, None]" if op.type.axes == (BATCH,) and len(type.axes) == 2 else text, "small")

    def tile(self, op: Op) -> Value:
        """An operand in a formula over a tile [units first..last, rows]."""
        text = self.text(op)
        match op:
            case Leaf(name="a"):
                return Value("a", "full")
            case Feed(part="rows"):
                return Value(f"{text}[:, first:last].t()", "full")
        if not op.type.axes:
            return Value(text, "scalar")
        return Value(text if op.type.axes == (BATCH,) else f"{text}[first:last, None]", "small")

    def entry(self, op: Op) -> Value:
        """An operand in a formula over the stored entries of a tile [entries]."""
        match op:
            case Leaf(name="a"):
                return Value("at", "full")
        text = self.text(op)
        return Value(text, "scalar") if not op.type.axes else Value(f"{text}[rows]", "full")


def scalar(name: str) -> str:
    """The Python name of a run-time scalar: letters of ours and a layer's number."""
    word = name.replace(" ", "_")
    return word + "_" if word == "lambda" else word


def sparse(op: Op) -> tuple[str, str]:
    """The slot of a csr operand and the text of its values: the feed's own, or what denoising made of them."""
    feed = op.feed if isinstance(op, Denoise) else op
    assert isinstance(feed, Feed)
    return f"x{feed.slot}", f"v{feed.slot}" if isinstance(op, Denoise) else f"x{feed.slot}.values"


def stages(scope: Scope, epilogue: Sequence[Stage], dest: str, type: Type) -> list[str]:
    """The statements of an epilogue over a whole buffer."""
    lines: list[str] = []
    for stage in epilogue:
        names = {"x0": Value(dest, "full")}
        names |= {f"x{i + 1}": scope.value(x, type) for i, x in enumerate(stage.args)}
        lines += formula(stage.expr, names, dest, f"{dest}.shape")
    return lines


def across(axis: Axis, dest: str) -> list[str]:
    """The statement that completes a sum over an axis, where that is split over ranks."""
    return [f"block.ranks.sum({dest})"] if axis.is_split else []


def ranks(axis: Axis) -> str:
    """The last argument of a kernel that sums over an axis: the ranks that it is split over."""
    return ", block.ranks" if axis.is_split else ""


def formula(e: Expr, names: Mapping[str, Value], dest: str, shape: str, first_tile: int = 2) -> list[str]:
    """The statements of `dest = e`, its tiles declared; tiles 0 and 1 are the skeletons' own."""
    printer = Printer(names)
    printer.assign(dest, e)
    tiles = [f"u{i} = block.tile({i + first_tile}, *{shape})" for i in range(printer.tiles)]
    return tiles + printer.lines


def body(update: tuple[tuple[str, Expr], ...], names: Mapping[str, Value], shape: str) -> list[str]:
    """The statements of an optimiser's assignments, in place."""
    lines: list[str] = []
    tiles = 0
    for name, e in update:
        printer = Printer(names)
        printer.assign(names[name].text, e)
        tiles = max(tiles, printer.tiles)
        lines += printer.lines
    return [f"u{i} = block.tile({i + 2}, *{shape})" for i in range(tiles)] + lines


def indented(lines: Sequence[str], levels: int = 1) -> str:
    """The lines at an indentation."""
    return "\n".join(INDENT * levels + line if line else "" for line in lines)


def walked(walk: Walk) -> int:
    """The number of the state that a walk goes over."""
    assert isinstance(walk.w, State)
    return walk.w.number
