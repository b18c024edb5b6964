"""Updates of states: by the kernel that makes a gradient, or from one that exists, or was summed over replicas.

Where the rows of a batch are dealt out over replicas, a gradient is made in chunks of rows of its state; each chunk is
summed over the replicas before it is used.
"""

from __future__ import annotations

from nnlang.codegen.plan import Launch
from nnlang.codegen.triton.elementwise import Elements
from nnlang.codegen.triton.expressions import assignments
from nnlang.codegen.triton.kernel import Frame, Scope, Text
from nnlang.expressions import variables
from nnlang.ops import Axis, Op, Scalar, Update


def update(scope: Scope, launch: Launch) -> Text:
    """An update from a gradient that exists; others may read it, so that replicas sum a copy."""
    op = launch.op
    assert isinstance(op, Update)
    axes, text = stored_axes(scope, op.states[0]), Text()
    if op.replicas == 1:
        elements = Elements(scope, launch, axes)
        lines = [f"g = {elements.frame.load(op.gradient)}", *update_lines(elements.frame, op, "g")]
        return elements.text(f"The update of {op.states[0].type}.", lines)
    elements = Elements(scope, launch, axes, "gradient", windowed=True)
    store = store_gradient(elements.frame, elements.frame.load(op.gradient))
    made = elements.text(f"A copy of the gradient of {op.states[0].type}.", [store])
    add_replicated(text, scope, launch, made)
    return text


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


def stored_axes(scope: Scope, state: Op) -> tuple[Axis, ...]:
    """The axes of a state in the order in which it is kept."""
    return state.type.axes[::-1] if scope.is_transposed(state) else state.type.axes


def store_gradient(frame: Frame, value: str, dest: str = "g") -> str:
    """The statement that stores a tile of a gradient among the rows `first` to `last` of it."""
    return f"tl.store({_place(frame, dest)}, {value}, mask={frame.mask})"


def _place(frame: Frame, dest: str) -> str:
    kernel, row = frame.kernel, frame.names[0]
    kernel.number("first")
    if len(frame.axes) == 1:
        return f"{kernel.pointer(dest)} + {row} - first"
    return f"{kernel.pointer(dest)} + ({row} - first)[:, None] * {frame.axes[1].size} + {frame.names[1]}[None, :]"


def add_replicated(text: Text, scope: Scope, launch: Launch, gradient: Text) -> None:
    """The launches that make `g`, its rows `first` to `last`, then the sum of those over the replicas and the update.

    All of it chunk by chunk, as the plan says.
    """
    op = launch.op
    assert isinstance(op, Update)
    axes, chunk = stored_axes(scope, op.states[0]), Text()
    rows = axes[0].size or 0
    size = min(rows, launch.chunk or rows)
    text.lines.append(f"g = {_scratch('g', axes, size)}")
    chunk.kernels += gradient.kernels
    chunk.lines += gradient.lines
    add_update(chunk, scope, launch, op)
    over_chunks(text, chunk, rows, size)


def _scratch(name: str, axes: tuple[Axis, ...], rows: int) -> str:
    return f"block.scratch({', '.join([repr(name), str(rows), *(str(axis.size) for axis in axes[1:])])})"


def add_update(text: Text, scope: Scope, launch: Launch, op: Update, source: str = "g") -> None:
    """The sum over the replicas of the rows `first` to `last` of a gradient, and the update of these rows."""
    suffix = "update" if source == "g" else f"update_{source}"
    elements = Elements(scope, launch, stored_axes(scope, op.states[0]), suffix, windowed=True)
    lines = [f"g = tl.load({_place(elements.frame, source)}, mask=mask, other=0.0)"]
    lines += update_lines(elements.frame, op, "g")
    made = elements.text(f"The update of some rows of {op.states[0].type}.", lines)
    text.lines.append(f"block.replicas.sum({source}[: last - first])")
    text.kernels += made.kernels
    text.lines += made.lines


def over_chunks(text: Text, chunk: Text, units: int, size: int) -> None:
    """The launches of a chunk, from `first` to `last`, for every chunk of some units."""
    text.kernels += chunk.kernels
    count = -(-units // size)
    if count == 1:
        text.lines += [f"first, last = 0, {units}", *chunk.lines]
        return
    text.lines.append(f"for chunk in range({count}):")
    head = [f"first, last = chunk * {size}, min((chunk + 1) * {size}, {units})"]
    text.lines += [f"    {line}" for line in (*head, *chunk.lines)]
