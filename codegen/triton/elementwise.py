"""Element by element: formulas, random masks, updates from a gradient that exists."""

from __future__ import annotations

from nnlang.codegen.plan import Launch
from nnlang.codegen.triton.expressions import assignments, triton
from nnlang.codegen.triton.kernel import Frame, Kernel, Scope, Text, cdiv, indented, part
from nnlang.codegen.triton.tiles import Tile
from nnlang.expressions import variables
from nnlang.ops import BATCH, Assign, Axis, Keep, Op, Pointwise, Scalar, Type, Update

MATRIX = '''
@triton.jit
def {name}({params}, BM: tl.constexpr, BN: tl.constexpr):
    """{doc}"""
{prologue}
    rows = tl.program_id(0){wide} * BM + tl.arange(0, BM)
    cols = tl.program_id(1) * BN + tl.arange(0, BN)
    mask = {mask}
{body}
'''

VECTOR = '''
@triton.jit
def {name}({params}, BM: tl.constexpr, BN: tl.constexpr):
    """{doc}"""
{prologue}
    cols = tl.program_id(0) * (BM * BN) + tl.arange(0, BM * BN)
    mask = {mask}
{body}
'''


class Elements:
    """A kernel over every element of a value: its frame, and how it is launched."""

    def __init__(self, scope: Scope, launch: Launch, axes: tuple[Axis, ...]) -> None:
        self.kernel: Kernel = part(scope, launch)
        self.axes = axes if axes else (Axis("one", 1),)
        names = ("rows", "cols") if len(self.axes) == 2 else ("cols",)
        self.frame = Frame(self.kernel, self.axes, names)
        self.tile: Tile = scope.tiles["elements"].over(self.axes[-1].size or 1)

    def text(self, doc: str, body: list[str]) -> Text:
        """The kernel with this body."""
        skeleton = MATRIX if len(self.axes) == 2 else VECTOR
        mask = self.frame.here()
        emitted = self.kernel.emit(skeleton, doc=doc, mask=mask, body=indented(body))
        tile, counts = self.tile, ["m" if axis == BATCH else str(axis.size) for axis in self.axes]
        grid = f"{cdiv(counts[0], tile.BM * tile.BN)},"
        if len(counts) == 2:
            grid = self.kernel.grid(counts, tile)
        found = Text()
        found.add(emitted, self.kernel.launch(grid, tile))
        return found

    def store(self, dest: str, type: Type, value: str) -> str:
        """The statement that stores a value [axes of the type]."""
        address = [self.kernel.pointer(dest)]
        self.kernel.reach(type)
        for axis, stride in zip(
            type.axes, (type.axes[-1].size, 1)[-len(type.axes) :] if type.axes else (), strict=True
        ):
            address.append(self.frame.index(axis) + (f" * {stride}" if stride != 1 else ""))
        if not type.axes:
            address.append("cols")
        return f"tl.store({' + '.join(address)}, {value}, mask=mask)"


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
    lines += ["group = (cols[None, :] // 4).to(tl.uint32) + tl.zeros_like(example)"]
    lines += ["example += tl.zeros_like(group)"]
    seed, step = kernel.block("seed"), kernel.block("step")
    lines += [f"a, b, c, d = tl.philox({seed}, group, example, {step}.to(tl.uint32), {op.seed * 16 + 2})"]
    lines += ["lane = cols[None, :] % 4"]
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


def update(scope: Scope, launch: Launch) -> Text:
    """An update from a gradient that exists."""
    op = launch.op
    assert isinstance(op, Update)
    state = op.states[0]
    axes = state.type.axes[::-1] if scope.is_transposed(state) else state.type.axes
    elements = Elements(scope, launch, axes)
    lines = [f"g = {elements.frame.load(op.gradient)}", *update_lines(elements.frame, op, "g")]
    return elements.text(f"The update of {state.type}.", lines)


def update_lines(frame: Frame, op: Update, gradient: str, prefix: str = "") -> list[str]:
    """The statements of an optimiser over a tile of states, its gradient in a variable, its states in others."""
    names = {"g": gradient} | {name: frame.kernel.scalar(s) for name, s in op.scalars if isinstance(s, Scalar)}
    lines, stores = [], []
    written = {name for name, _ in op.body}
    read = set().union(*(variables(e) for _, e in op.body))
    for name, state in zip(op.names, op.states, strict=True):
        names[name] = prefix + name
        if name in read:
            lines.append(f"{names[name]} = {frame.load(state)}")
        if name in written:
            stores.append(f"tl.store({frame.address(state)}, {names[name]}, mask={frame.mask})")
    return [*lines, *assignments(op.body, names), *stores]
