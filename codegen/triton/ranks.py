"""What ranks do between kernels: they put their parts together, take their own, go on from a sum that is complete."""

from __future__ import annotations

from collections.abc import Sequence

from nnlang.codegen.plan import Launch
from nnlang.codegen.triton.elementwise import Elements
from nnlang.codegen.triton.kernel import Frame, Scope, Text
from nnlang.ops import Feed, Gather, Op, Own, Stage, View


def gather(scope: Scope, launch: Launch) -> Text:
    """Every rank's units side by side; what comes from a feed is first taken out of its chunk."""
    op, text = launch.op, Text()
    assert isinstance(op, Gather)
    source = op.x.x if isinstance(op.x, View) else op.x
    given = scope.text(op.x)
    if isinstance(source, Feed):
        given = "mine"
        elements = Elements(scope, launch, op.x.type.axes)
        text.lines.append(f"mine = block.scratch('mine', m, {op.x.type.axes[1].size})")
        made = elements.text(
            "This batch's rows of the feed.", [elements.store(given, op.x.type, elements.frame.load(op.x))]
        )
        text.add(made.kernels[0], made.lines[0])
    text.lines.append(f"block.ranks.gather({given}, {scope.buffers[op]})")
    return text


def own(scope: Scope, launch: Launch) -> Text:
    """This rank's units of a value that every rank has whole."""
    op = launch.op
    assert isinstance(op, Own)
    elements = Elements(scope, launch, op.type.axes)
    whole = Frame(elements.kernel, op.x.type.axes, ("rows", "units"))
    lines = [f"units = {op.type.axes[1].first} + cols"]
    return elements.text(
        f"This rank's part of {op.x.type}.",
        [*lines, elements.store(scope.buffers[op], op.type, whole.load(op.x))],
    )


def add_stages(text: Text, scope: Scope, launch: Launch, op: Op, epilogue: Sequence[Stage]) -> None:
    """What follows on a sum that is complete, in its place."""
    if not epilogue:
        return
    elements, dest = Elements(scope, launch, op.type.axes, "on"), scope.buffers[op]
    lines = [f"sums = tl.load({elements.address(dest, op.type)}, mask=mask, other=0.0)"]
    lines += elements.frame.stages(epilogue, "sums")
    made = elements.text("What follows on a sum, once it is complete.", [*lines, elements.store(dest, op.type, "sums")])
    text.add(made.kernels[0], made.lines[0])
