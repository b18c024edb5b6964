"""Element by element: formulas, random masks, assignments."""

from __future__ import annotations

from nnlang.codegen.plan import Launch
from nnlang.codegen.triton.expressions import triton
from nnlang.codegen.triton.kernel import Frame, Kernel, Scope, Text, cdiv, indented, part
from nnlang.codegen.triton.tiles import Tile
from nnlang.ops import BATCH, Assign, Axis, Keep, Op, Pointwise, Type

MATRIX = '''
@triton.jit
def {name}({params}, BM: tl.constexpr, BN: tl.constexpr):
    """{doc}"""
{prologue}
    rows = {origin}tl.program_id(0){wide} * BM + tl.arange(0, BM)
    cols = tl.program_id(1) * BN + tl.arange(0, BN)
    mask = {mask}
{body}
'''

VECTOR = '''
@triton.jit
def {name}({params}, BM: tl.constexpr, BN: tl.constexpr):
    """{doc}"""
{prologue}
    cols = {origin}tl.program_id(0) * (BM * BN) + tl.arange(0, BM * BN)
    mask = {mask}
{body}
'''


class Elements:
    """A kernel over every element of a value: its frame, and how it is launched.

    windowed: over the elements from `first` to `last` along the first axis, numbers of the entry point.
    """

    def __init__(
        self, scope: Scope, launch: Launch, axes: tuple[Axis, ...], suffix: str = "", *, windowed: bool = False
    ) -> None:
        self.kernel: Kernel = part(scope, launch, suffix)
        self.axes = axes if axes else (Axis("one", 1),)
        self.windowed = windowed
        names = ("rows", "cols") if len(self.axes) == 2 else ("cols",)
        self.frame = Frame(self.kernel, self.axes, names)
        self.tile: Tile = scope.tiles["elements"].over(self.axes[-1].size or 1)

    def text(self, doc: str, body: list[str]) -> Text:
        """The kernel with this body."""
        skeleton = MATRIX if len(self.axes) == 2 else VECTOR
        mask, origin = self.frame.here(), ""
        tile, counts = self.tile, ["m" if axis == BATCH else str(axis.size) for axis in self.axes]
        if self.windowed:
            origin, name = f"{self.kernel.number('first')} + ", self.frame.names[0]
            mask = mask.replace(f"{name} < {counts[0]}", f"{name} < {self.kernel.number('last')}")
            counts[0] = "last - first"
        emitted = self.kernel.emit(skeleton, doc=doc, mask=mask, origin=origin, body=indented(body))
        grid = f"{cdiv(counts[0], tile.BM * tile.BN)},"
        if len(counts) == 2:
            grid = self.kernel.grid(counts, tile)
        found = Text()
        found.add(emitted, self.kernel.launch(grid, tile))
        return found

    def store(self, dest: str, type: Type, value: str) -> str:
        """The statement that stores a value [axes of the type]."""
        return f"tl.store({self.address(dest, type)}, {value}, mask=mask)"

    def address(self, dest: str, type: Type) -> str:
        """Where the elements of a buffer of a type stand."""
        address = [self.kernel.pointer(dest)]
        self.kernel.reach(type)
        for axis, stride in zip(
            type.axes, (type.axes[-1].size, 1)[-len(type.axes) :] if type.axes else (), strict=True
        ):
            address.append(self.frame.index(axis) + (f" * {stride}" if stride != 1 else ""))
        if not type.axes:
            address.append("cols")
        return " + ".join(address)


def pointwise(scope: Scope, launch: Launch) -> Text:
    """A formula of its arguments, spread over the axes that they lack."""
    op = launch.op
    assert isinstance(op, Pointwise)
    elements = Elements(scope, launch, op.type.axes)
    lines, names = reads(elements.frame, op.args)
    value = triton(op.expr, names)
    return elements.text(str(op.type), [*lines, elements.store(scope.buffers[op], op.type, value)])


def reads(frame: Frame, args: tuple[Op, ...]) -> tuple[list[str], dict[str, str]]:
    """The statements that read the arguments x0, x1, ... of a formula, and their variables."""
    lines: list[str] = []
    names: dict[str, str] = {}
    for i, x in enumerate(args):
        read, names[f"x{i}"] = frame.read(x, f"x{i}")
        lines += read
    return lines, names


def keep(scope: Scope, launch: Launch) -> Text:
    """A random mask keyed by (seed, layer, step, example, unit): 1 with probability 1 - rate."""
    op = launch.op
    assert isinstance(op, Keep)
    elements = Elements(scope, launch, op.type.axes)
    kernel, frame = elements.kernel, elements.frame
    ids = f"{kernel.pointer('x0.ids')} + {kernel.block('position')} + rows"
    lines = [f"example = tl.load({ids}, mask=rows < {kernel.bound(BATCH)}, other=0)[:, None].to(tl.uint32)"]
    first = op.type.axes[1].first
    unit = f"({first} + cols[None, :])" if first else "cols[None, :]"
    lines += [f"group = ({unit} // 4).to(tl.uint32) + tl.zeros_like(example)"]
    lines += ["example += tl.zeros_like(group)"]
    seed, step = kernel.block("seed"), kernel.block("step")
    lines += [f"a, b, c, d = tl.philox({seed}, group, example, {step}.to(tl.uint32), {op.seed * 16 + 2})"]
    lines += [f"lane = {unit} % 4"]
    lines += ["word = tl.where(lane == 0, a, tl.where(lane == 1, b, tl.where(lane == 2, c, d)))"]
    kept = f"tl.where(uniform(word) >= {frame.load(op.rate)}, 1.0, 0.0)"
    return elements.text(
        f"What dropout keeps of {op.type}.", [*lines, elements.store(scope.buffers[op], op.type, kept)]
    )


def assign(scope: Scope, launch: Launch) -> Text:
    """A state takes a value."""
    op = launch.op
    assert isinstance(op, Assign)
    elements = Elements(scope, launch, op.state.type.axes)
    frame = elements.frame
    lines = [f"tl.store({frame.address(op.state)}, {frame.load(op.value)}, mask=mask)"]
    return elements.text(f"{op.state.type} takes its new value.", lines)
