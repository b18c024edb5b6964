"""A kernel under construction: what its launch hands in, what it reads from the step block, how it reads operands."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from nnlang.codegen.grid import leaf
from nnlang.codegen.plan import Launch
from nnlang.codegen.triton.expressions import triton
from nnlang.codegen.triton.tiles import Tile, Tiles
from nnlang.ops import BATCH, Axis, Denoise, Feed, Op, Part, Scalar, Stage, State, Type, View

INDENT = "    "
INTS = ("live", "position", "number", "epoch", "step", "seed")  # of the step block, in order: Kernel.block


PLAIN = ("m", "last")  # numbers on whose divisibility no address depends: one compiled kernel serves all
WIDTH = 120  # of a line
MOST_PROGRAMS = 65_535  # along the second and third axis of a CUDA grid


@dataclass(frozen=True)
class Scope:
    """The names of one entry point: buffers by operation, states kept as [out, in], scalars by their place."""

    buffers: Mapping[Op, str]
    errors: Mapping[Op, str]
    transposed: frozenset[int]
    scalars: Mapping[str, int]
    tiles: Tiles
    precision: str
    batch: int
    exact: bool = False  # the same bits on any number of ranks

    def text(self, op: Op) -> str:
        """The tensor of an operand, as the entry point calls it."""
        match op:
            case View(x=x):
                return self.text(x)
            case Part(walk=walk):
                return self.errors[walk]
            case State(number=number):
                return f"s{number}"
            case Feed(slot=slot, part="rows"):
                return f"x{slot}.dense"
            case Feed(slot=slot, part=part):
                return f"x{slot}.{part}"
        return self.buffers[op]

    def is_apart(self, axis: Axis) -> bool:
        """Whether a sum over an axis is completed by kernels of its own, before anything is done with it.

        It must be where ranks have to add theirs; and where the bits are to be those of ranks.
        """
        return axis.is_split or (self.exact and leaf(axis.total) < axis.total)

    def strides(self, op: Op) -> tuple[int, ...]:
        """How far apart neighbours along each axis of an operand stand."""
        if len(op.type.axes) < 2:
            return (1,) * len(op.type.axes)
        rows, columns = (a.size or 0 for a in op.type.axes)
        return (1, rows) if self.is_transposed(op) else (columns, 1)

    def is_transposed(self, op: Op) -> bool:
        """Whether an operand is a state that is kept as [out, in]."""
        op = op.x if isinstance(op, View) else op
        return isinstance(op, State) and op.number in self.transposed


@dataclass
class Kernel:
    """One kernel: its parameters by what the launch hands in, in order of first use, and its first lines."""

    scope: Scope
    name: str
    params: dict[str, str] = field(default_factory=dict)
    prologue: dict[str, str] = field(default_factory=dict)
    swapped: bool = False  # whether programs are counted by columns first: only the first axis of a grid is unlimited
    wide: bool = False  # whether a tensor is too large for offsets of 32 bits, which take half the registers

    def pointer(self, text: str) -> str:
        """The parameter for a tensor of the entry point."""
        return self.params.setdefault(text, text.replace(".", "_").replace("block_", "") + "_ptr")

    def number(self, text: str) -> str:
        """The parameter for a number of the entry point."""
        return self.params.setdefault(text, text)

    def block(self, name: str) -> str:
        """A number of the step block: the rows of this batch, its position in the chunk, ..."""
        offset = INTS.index(name)
        self.prologue[name] = f"tl.load({self.pointer('block.ints')}{f' + {offset}' if offset else ''})"
        return name

    def base(self, slot: str) -> str:
        """Where the entries of this batch begin among those of the chunk."""
        self.prologue["base"] = f"tl.load({self.pointer(f'{slot}.starts')} + {self.block('position')})"
        return "base"

    def scalar(self, op: Op) -> str:
        """A run-time scalar of the step block."""
        assert isinstance(op, Scalar)
        name = scalar(op.name)
        self.prologue[name] = f"tl.load({self.pointer('block.scalars')} + {self.scope.scalars[op.name]})"
        return name

    def reach(self, type: Type) -> None:
        """Notes how far the elements of a type reach."""
        elements = 1
        for axis in type.axes:
            elements *= self.scope.batch if axis.size is None else axis.size
        self.wide = self.wide or elements >= 1 << 31

    def bound(self, axis: Axis) -> str:
        """How many there are along an axis: a number, or the rows of this batch."""
        return str(axis.size) if axis.size is not None else self.block("live")

    def emit(self, skeleton: str, **holes: object) -> str:
        """The text of the kernel: the skeleton with its holes filled."""
        prologue = "\n".join(f"{INDENT}{name} = {text}" for name, text in self.prologue.items())
        holes |= {"name": self.name, "params": ", ".join(self.params.values()), "prologue": prologue}
        text = skeleton.format(wide=".to(tl.int64)" if self.wide else "", **holes)
        if self.swapped:
            text = text.replace("program_id(0)", "program_id(2 - 1)").replace("program_id(1)", "program_id(0)")
            text = text.replace("program_id(2 - 1)", "program_id(1)")
        plain = [name for name in PLAIN if name in self.params]
        if plain:
            text = text.replace("@triton.jit", f"@triton.jit(do_not_specialize={plain})")
        return "\n".join(wrapped(line) for line in text.splitlines() if line.strip())

    def grid(self, counts: Sequence[str], tile: Tile, *more: str) -> str:
        """The grid of tiles over rows and columns; called before the kernel is emitted."""
        rows, cols = cdiv(counts[0], tile.BM), cdiv(counts[1], tile.BN)
        self.swapped = cols.isdigit() and int(cols) > MOST_PROGRAMS
        return ", ".join([*((cols, rows) if self.swapped else (rows, cols)), *more])

    def launch(self, grid: str, tile: Tile | None = None) -> str:
        """The line that launches it: with the tile's constants, or untuned."""
        sizes = "num_warps=4"
        if tile is not None:
            sizes = f"BM={tile.BM}, BN={tile.BN}, num_warps={tile.warps}, num_stages={tile.stages}"
        return f"{self.name}[{grid}]({', '.join(self.params)}, {sizes})"

    def launch_rows(self, block: int = 0) -> str:
        """The line that launches it with one program a row."""
        sizes = f"BLOCK={block}, num_warps=4" if block else "num_warps=4"
        return f"{self.name}[m,]({', '.join(self.params)}, {sizes})"


@dataclass(frozen=True)
class Frame:
    """A tile and the variable that counts along each of its axes; `mask` tells what of it is there."""

    kernel: Kernel
    axes: tuple[Axis, ...]
    names: tuple[str, ...]
    mask: str = "mask"

    def index(self, axis: Axis) -> str:
        """The variable of an axis in the shape of the tile."""
        at = self.axes.index(axis)
        if len(self.axes) == 1:
            return self.names[at]
        return f"{self.names[at]}[:, None]" if at == 0 else f"{self.names[at]}[None, :]"

    def here(self) -> str:
        """The mask: which elements of the tile are there."""
        tests = [f"{n} < {self.kernel.bound(a)}" for a, n in zip(self.axes, self.names, strict=True)]
        return tests[0] if len(tests) == 1 else f"({tests[0]})[:, None] & ({tests[1]})[None, :]"

    def address(self, op: Op) -> str:
        """Where the elements of an operand stand that belong to the tile (all of its axes are the tile's)."""
        self.kernel.reach(op.type)
        strides = self.kernel.scope.strides(op)
        parts = [self.kernel.pointer(self.kernel.scope.text(op))]
        for axis, stride in zip(op.type.axes, strides, strict=True):
            index = self.index(axis)
            if isinstance(op, Feed) and axis == BATCH:
                index = f"({self.kernel.block('position')} + {index})"
            parts.append(f"{index} * {stride}" if stride != 1 else index)
        return " + ".join(parts)

    def load(self, op: Op) -> str:
        """The expression that reads an operand in the shape of the tile."""
        if isinstance(op, Scalar):
            return self.kernel.scalar(op)
        if not op.type.axes:
            return f"tl.load({self.kernel.pointer(self.kernel.scope.text(op))})"
        if len(op.type.axes) == len(self.axes):
            return f"tl.load({self.address(op)}, mask={self.mask}, other=0.0)"
        axis = op.type.axes[0]
        name = self.names[self.axes.index(axis)]
        address = Frame(self.kernel, (axis,), (name,)).address(op)
        spread = "[:, None]" if self.axes.index(axis) == 0 else "[None, :]"
        return f"tl.load({address}, mask={name} < {self.kernel.bound(axis)}, other=0.0){spread}"

    def stages(self, epilogue: Sequence[Stage], value: str) -> list[str]:
        """The statements of an epilogue over the variable `value`."""
        lines: list[str] = []
        for stage in epilogue:
            names = {"x0": value}
            for i, op in enumerate(stage.args, 1):
                read, names[f"x{i}"] = self.read(op, f"x{i}")
                lines += read
            lines.append(f"{value} = {triton(stage.expr, names)}")
        return lines

    def read(self, op: Op, name: str) -> tuple[list[str], str]:
        """The statement that reads an operand into a variable, and the variable; scalars are variables already."""
        text = self.load(op)
        return ([], text) if isinstance(op, Scalar) else ([f"{name} = {text}"], name)


def cdiv(count: object, size: int) -> str:
    """How many tiles of a size a count needs, for a grid: a number where the count is one."""
    return str(-(-int(str(count)) // size)) if str(count).isdigit() else f"triton.cdiv({count}, {size})"


def scalar(name: str) -> str:
    """The name of a run-time scalar in a kernel: letters of ours and a layer's number."""
    word = name.replace(" ", "_")
    return word + "_" if word == "lambda" else word


def slot(op: Op) -> str:
    """The slot of a csr operand."""
    feed = op.feed if isinstance(op, Denoise) else op
    assert isinstance(feed, Feed)
    return f"x{feed.slot}"


def indented(lines: Sequence[str], levels: int = 1) -> str:
    """The lines at an indentation."""
    return "\n".join(INDENT * levels + line for line in lines)


def wrapped(line: str) -> str:
    """A long list of parameters on lines of their own."""
    head, bracket, rest = line.partition("](" if "](" in line else "(")
    if len(line) <= WIDTH or not (line.startswith("def ") or "num_warps=" in line):
        return line
    margin = line[: len(line) - len(line.lstrip())] + INDENT * (2 if line.startswith("def ") else 1)
    inner, _, tail = rest.rpartition(")")
    inner = inner.replace(": ", ":")  # a parameter stays with its type
    lines = textwrap.wrap(inner, WIDTH - len(margin), break_long_words=False, break_on_hyphens=False)
    body = "\n".join(margin + part.replace(":", ": ") for part in lines)
    return f"{head}{bracket}\n{body}\n{margin[: -len(INDENT)] if not line.startswith('def ') else ''}){tail}"


@dataclass
class Text:
    """What a launch becomes: kernels, and the lines of the entry point that launch them."""

    kernels: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def add(self, kernel: str, line: str) -> None:
        """Takes a kernel and its launch."""
        self.kernels.append(kernel)
        self.lines.append(line)


def part(scope: Scope, launch: Launch, suffix: str = "") -> Kernel:
    """A kernel of a launch, named after it."""
    return Kernel(scope, launch.name + (f"_{suffix}" if suffix else ""))


def across(axis: Axis, dest: str) -> list[str]:
    """The line that completes a sum over an axis, where that is split over ranks."""
    return [f"block.ranks.sum({dest})"] if axis.is_split else []
