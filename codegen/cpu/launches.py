"""The other launches as torch statements: one small skeleton a kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from nnlang.codegen.cpu import walk
from nnlang.codegen.cpu.operands import Scope, across, body, formula, indented, ranks, scalar, sparse, stages
from nnlang.codegen.cpu.walk import gradient_product, replicated
from nnlang.codegen.expressions import Value
from nnlang.codegen.grid import gather_leaf, leaf
from nnlang.codegen.plan import Launch
from nnlang.expressions import Call, Var
from nnlang.ops import (
    BATCH,
    Assign,
    Axis,
    Clip,
    Denoise,
    Densify,
    Gather,
    GatherSum,
    Keep,
    Matmul,
    Own,
    Pointwise,
    Reduce,
    Scalar,
    SegmentSum,
    Softmax,
    Stage,
    State,
    Stored,
    Update,
)

UPDATE = """
    for first in range(0, {rows}, {chunk}):
        last = min(first + {chunk}, {rows})
{views}
{gradient}
{body}
"""


def _linear(scope: Scope, launch: Launch) -> list[str]:
    op = launch.op
    assert isinstance(op, Matmul)
    dest, rest = scope.buffers[op], op.epilogue
    a = scope.text(op.a) + (".t()" if op.transpose_a else "")
    b = scope.text(op.b) + (".t()" if op.transpose_b else "")
    a, b = a.replace(".t().t()", ""), b.replace(".t().t()", "")
    inner = op.a.type.axes[0 if op.transpose_a else 1]
    rows, columns = op.type.axes
    if scope.exact and any(_is_cut(axis) for axis in (rows, inner, columns)):
        first = [f"leaf_product({a}, {b}, {_leaves(rows, inner, columns)}, {dest})", *across(inner, dest)]
        return [*first, *stages(scope, rest, dest, op.type)]
    if inner.is_split:
        return [f"torch.mm({a}, {b}, out={dest})", *across(inner, dest), *stages(scope, rest, dest, op.type)]
    match rest:
        case (Stage(Call("add", (Var("x0"), Var("x1"))), (State() as bias,)), *_):
            product, rest = f"torch.addmm({scope.text(bias)}, {a}, {b}, out={dest})", rest[1:]
        case _:
            product = f"torch.mm({a}, {b}, out={dest})"
    return [product, *stages(scope, rest, dest, op.type)]


def _is_cut(axis: Axis) -> bool:
    """Whether an axis has several leaves."""
    return leaf(axis.total) < axis.total


def _leaves(*axes: Axis) -> str:
    return f"({', '.join('m' if axis == BATCH else str(leaf(axis.total)) for axis in axes)})"


def _gather_sum(scope: Scope, launch: Launch) -> list[str]:
    op = launch.op
    assert isinstance(op, GatherSum)
    slot, values = sparse(op.feed)
    dest = scope.buffers[op]
    axis = op.feed.type.axes[1]
    call, size = f"gather_sum({slot}, {scope.text(op.w)}, {values}, {dest})", gather_leaf(axis.total)
    first = f"{call}  # in leaves of {size} features"
    return [first, *across(axis, dest), *stages(scope, op.epilogue, dest, op.type)]


def _segment_sum(scope: Scope, launch: Launch) -> list[str]:
    op = launch.op
    assert isinstance(op, SegmentSum)
    slot, values = sparse(op.feed)
    units = op.feed.type.axes[1].size
    return [f"{scope.buffers[op]}.copy_(segment_sum({slot}, {scope.text(op.delta)}, {values}, 0, {units}))"]


def _denoise(scope: Scope, launch: Launch) -> list[str]:
    op = launch.op
    assert isinstance(op, Denoise)
    slot, _ = sparse(op.feed)
    return [f"v{slot[1:]} = denoise({slot}, block, {op.seed}, {scope.text(op.rate)})"]


def _densify(scope: Scope, launch: Launch) -> list[str]:
    op = launch.op
    assert isinstance(op, Densify)
    slot, values = sparse(op.feed)
    return [f"densify({slot}, {'None' if op.part == 'present' else values}, {scope.buffers[op]})"]


def _keep(scope: Scope, launch: Launch) -> list[str]:
    op = launch.op
    assert isinstance(op, Keep)
    first = f", {axis.first}" if (axis := op.type.axes[1]).is_split else ""
    return [f"keep_mask(block, {op.seed}, {scope.text(op.rate)}, {scope.buffers[op]}{first})"]


def _pointwise(scope: Scope, launch: Launch) -> list[str]:
    op = launch.op
    assert isinstance(op, Pointwise)
    dest = scope.buffers[op]
    names = {f"x{i}": scope.value(x, op.type) for i, x in enumerate(op.args)}
    if all(v.shape != "full" for v in names.values()):  # nothing has the result's shape yet
        return [f"{dest}.copy_({_spread(names)})"] if op.expr == Var("x0") else _broadcast(op, dest, names)
    return formula(op.expr, names, dest, f"{dest}.shape")


def _spread(names: Mapping[str, Value]) -> str:
    return names["x0"].text


def _broadcast(op: Pointwise, dest: str, names: dict[str, Value]) -> list[str]:
    """A formula of vectors whose result has both axes: its first vector spread over the result comes first."""
    first = next(n for n, v in names.items() if v.shape == "small")
    spread = {**names, first: Value(dest, "full")}
    return [f"{dest}.copy_({names[first].text})", *formula(op.expr, spread, dest, f"{dest}.shape")]


def _stored(scope: Scope, launch: Launch) -> list[str]:
    op = launch.op
    assert isinstance(op, Stored)
    slot, values = sparse(op.feed)
    dest = scope.buffers[op]
    names = {f"x{i}": scope.value(x, op.type) for i, x in enumerate(op.args)}
    columns = op.type.axes[1].size
    entry = {n: Value(_at(v, columns), "full" if v.shape != "scalar" else "scalar") for n, v in names.items()}
    lines = [f"where = {slot}.row * {columns} + {slot}.index"]
    lines += ["dt = torch.empty(len(where), dtype=block.dtype)"]
    lines += formula(op.stored, {**entry, "t": Value(values, "full")}, "dt", "dt.shape")
    lines += formula(op.absent, names, dest, f"{dest}.shape")
    return [*lines, f"{dest}.view(-1).index_copy_(0, where, dt)"]


def _at(value: Value, columns: int | None) -> str:
    """The text of an operand at the stored entries."""
    if value.shape == "full":
        return f"{value.text}.reshape(-1)[where]"
    if value.text.endswith("[:, None]"):
        return f"{value.text.removesuffix('[:, None]')}[where // {columns}]"
    return value.text if value.shape == "scalar" else f"{value.text}[where % {columns}]"


def _reduce(scope: Scope, launch: Launch) -> list[str]:
    op = launch.op
    assert isinstance(op, Reduce)
    dest, axis = scope.buffers[op], op.axis
    if axis == BATCH:
        summed = [f"block.replicas.sum({dest})"] if op.replicas > 1 else []
        return [f"torch.{op.kind}({scope.text(op.x)}, {op.x.type.axes.index(axis)}, out={dest})", *summed]
    return [f"unit_sums({scope.text(op.x)}, {leaf(axis.total)}, {dest})", *across(axis, dest)]


def _softmax(scope: Scope, launch: Launch) -> list[str]:
    op = launch.op
    assert isinstance(op, Softmax)
    axis = op.x.type.axes[1]
    if leaf(axis.total) == axis.total:
        return [f"torch.softmax({scope.text(op.x)}, 1, out={scope.buffers[op]})"]
    return [f"leaf_softmax({scope.text(op.x)}, {leaf(axis.total)}, {scope.buffers[op]}{ranks(axis)})"]


def _gather(scope: Scope, launch: Launch) -> list[str]:
    op = launch.op
    assert isinstance(op, Gather)
    return [f"block.ranks.gather({scope.text(op.x)}, {scope.buffers[op]})"]


def _own(scope: Scope, launch: Launch) -> list[str]:
    op = launch.op
    assert isinstance(op, Own)
    axis = op.type.axes[1]
    return [f"{scope.buffers[op]}.copy_({scope.text(op.x)}[:, {axis.first}:{axis.first + (axis.size or 0)}])"]


def _assign(scope: Scope, launch: Launch) -> list[str]:
    op = launch.op
    assert isinstance(op, Assign)
    return [f"{scope.text(op.state)}.copy_({scope.text(op.value)})"]


def _clip(scope: Scope, launch: Launch) -> list[str]:
    op = launch.op
    assert isinstance(op, Clip)
    axis = op.state.type.axes[0]
    return [f"clip_columns({scope.text(op.state)}, {scope.text(op.limit)}, {leaf(axis.total)}{ranks(axis)})"]


def _names(scope: Scope, op: Update, suffix: str) -> tuple[list[str], dict[str, Value]]:
    views, names = [], {"g": Value("g", "full")}
    for name, state in zip(op.names, op.states, strict=True):
        assert isinstance(state, State)
        views.append(f"{name} = s{state.number}{suffix}")
        names[name] = Value(name, "full")
    for name, s in op.scalars:
        assert isinstance(s, Scalar)
        names[name] = Value(scalar(s.name), "scalar")
    return views, names


def _update(scope: Scope, launch: Launch) -> list[str]:
    """An update from a gradient that exists: it stays as it is, others may read it."""
    op = launch.op
    assert isinstance(op, Update)
    views, names = _names(scope, op, "")
    gradient = scope.text(op.gradient) + (".t()" if _is_transposed(scope, op) else "")
    fill = ["g = block.tile(1, *w.shape)", f"g.copy_({gradient})", *replicated(op)]
    return [*views, *fill, *body(op.body, names, "w.shape")]


def _reduce_update(scope: Scope, launch: Launch) -> list[str]:
    """An update of biases from the sum of their deltas over the batch."""
    op = launch.op
    assert isinstance(op, Update) and isinstance(op.gradient, Reduce)
    views, names = _names(scope, op, "")
    total = f"torch.sum({scope.text(op.gradient.x)}, 0, out=g)"
    return [*views, "g = block.tile(1, *w.shape)", total, *replicated(op), *body(op.body, names, "w.shape")]


def _is_transposed(scope: Scope, op: Update) -> bool:
    state = op.states[0]
    assert isinstance(state, State)
    return state.number in scope.transposed


def _fused_update(scope: Scope, launch: Launch) -> list[str]:
    op = launch.op
    assert isinstance(op, Update)
    views, names = _names(scope, op, "[first:last]")
    gradient, rest, chunk = op.gradient, op.body, launch.chunk
    axes = op.states[0].type.axes
    rows, columns = reversed(axes) if _is_transposed(scope, op) else axes
    if isinstance(gradient, SegmentSum):
        slot, values = sparse(gradient.feed)
        lines = [f"g = segment_sum({slot}, {scope.text(gradient.delta)}, {values}, first, last)", *replicated(op)]
    else:
        assert isinstance(gradient, Matmul)
        left, right = scope.text(gradient.a), scope.text(gradient.b)
        left, right = (right, left) if _is_transposed(scope, op) else (left, right)
        left = f"{left}[:, first:last].t()"
        if scope.exact and any(_is_cut(axis) for axis in axes):
            chunk = leaf(rows.total)
            start = [f"leaf_product({left}, {right}, {_leaves(rows, BATCH, columns)}, g)"]
        else:
            start, rest = gradient_product(op, names, left, right, "w")
        lines = ["g = block.tile(1, *w.shape)", *start]
    text = UPDATE.format(
        rows=rows.size,
        chunk=min(rows.size or 0, chunk),
        views=indented(views, 2),
        gradient=indented(lines, 2),
        body=indented(body(rest, names, "w.shape"), 2),
    )
    return [line[4:] for line in text.splitlines() if line.strip()]


LAUNCHES: Mapping[str, Callable[[Scope, Launch], list[str]]] = {
    "linear": _linear,
    "gather_sum": _gather_sum,
    "segment_sum": _segment_sum,
    "denoise": _denoise,
    "densify": _densify,
    "keep": _keep,
    "pointwise": _pointwise,
    "stored": _stored,
    "reduce": _reduce,
    "softmax": _softmax,
    "gather": _gather,
    "own": _own,
    "assign": _assign,
    "clip": _clip,
    "update": _update,
    "linear_update": _fused_update,
    "reduce_update": _reduce_update,
    "segment_sum_update": _fused_update,
    "walk": lambda scope, launch: [line[4:] for line in walk.emit(scope, launch).splitlines()],
}
