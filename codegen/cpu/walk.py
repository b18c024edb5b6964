"""The fused output layer: one walk over the leaves of its units (performance.md 5.3); with SoftMax, two.

Tiles are units x rows: the product of a [units, k] slice of the weights with the transposed hidden activations is the
shape that CPU GEMMs are fastest at (12 to 20% over rows x units, 27,278 x 128, batch 256, two cores of an EPYC).
"""

from __future__ import annotations

from nnlang.codegen.cpu.operands import Scope, across, body, formula, indented, ranks, sparse, stages, walked
from nnlang.codegen.expressions import Value, python
from nnlang.codegen.grid import leaf
from nnlang.codegen.plan import Launch
from nnlang.expressions import ONE, ZERO, Call, Const, Expr, Var, call, variables
from nnlang.formulas import MAX_LOG
from nnlang.ops import Axis, Leaf, Op, Pointwise, Scalar, Stage, State, Stored, Update, Walk

SKELETON = """
    {h_t} = {h}.t().contiguous()
{before}    for first in range(0, {n}, {chunk}):
        last = min(first + {chunk}, {n})
        w, a = {w}[first:last], block.tile(0, min({chunk}, {n} - first), m)
{logits}
{loss}
{back}
{updates}
{after}"""

FIRST_WALK = """
    # first walk: the normaliser of each row{mass_comment}
    normaliser = Normaliser()
    logit = []
    for first in range(0, {n}, {chunk}):
        last = min(first + {chunk}, {n})
        w, a = {w}[first:last], block.tile(0, min({chunk}, {n} - first), m)
{logits}
{gather}
        normaliser.add(a, {leaf})
    log_total = normaliser.total({ranks})
{mass}
"""


def emit(scope: Scope, launch: Launch) -> str:
    """The text of a walk."""
    op = launch.op
    assert isinstance(op, Walk)
    axis = op.w.type.axes[1]
    n, units = axis.size or 0, leaf(axis.total)
    holes = {
        "h": scope.text(op.h),
        "h_t": f"ht{launch.number}",
        "n": n,
        "chunk": min(launch.chunk, n),
        "leaf": units,
        "w": f"s{walked(op)}",
        "logits": indented(_logits(scope, op, launch.number), 2),
    }
    dest = scope.buffers.get(op, "")
    error = scope.errors.get(op, "")
    updates = [line for u in op.updates for line in _update(scope, u, scope.text(op.h))]
    text = SKELETON.format(
        **holes,
        before=(_first_walk(scope, op, holes) if op.softmax else "") + indented(_before(op, dest, error)) + "\n",
        loss=indented([*_softmax(op), *_loss(scope, op, units, error)], 2),
        back=indented(_back(axis, dest, units) if dest else [], 2),
        updates=indented(updates, 2),
        after=indented(_after(scope, op, dest, error)),
    )
    return "\n".join(line for line in text.splitlines() if line.strip())


def _back(axis: Axis, dest: str, units: int) -> list[str]:
    """The input delta's leaves; across ranks its sum is under way while the last chunk's weights are updated."""
    lines = [f"input_delta(back, a, w, {units})  # before w changes"]
    if axis.is_split:
        total = [f"{dest}.copy_(back.total())", f"arrived = block.ranks.start_sum({dest})"]
        lines += [f"if last == {axis.size}:", *(f"    {line}" for line in total)]
    return lines


def _before(op: Walk, dest: str, error: str) -> list[str]:
    found = ["back = Tree()"] if dest else []
    return [*found, *(f"{name} = Tree()" for name in _error_trees(op, error))]


def _error_trees(op: Walk, error: str) -> list[str]:
    """The sums that make up each row's error: of what stored entries add, of all units as if nothing were stored."""
    if not error:
        return []
    return ["entries"] * isinstance(op.value, Stored) + ["errors"] * (_absent(op.value) != ZERO)


def _after(scope: Scope, op: Walk, dest: str, error: str) -> list[str]:
    axis, trees = op.w.type.axes[1], _error_trees(op, error)
    lines = []
    if axis.is_split and trees:
        lines = [f"sums = block.ranks.sum(torch.stack(({', '.join(f'{t}.total()' for t in trees)},)))"]
        lines += [f"{error}.copy_(sums[0])", *(f"{error}.add_(sums[{i}])" for i in range(1, len(trees)))]
    elif trees:
        lines = [f"{error}.copy_({trees[0]}.total())", *(f"{error}.add_({t}.total())" for t in trees[1:])]
    if not dest:
        return lines
    arrival = "arrived()" if axis.is_split else f"{dest}.copy_(back.total())"
    return [*lines, arrival, *stages(scope, op.epilogue, dest, op.type)]


def _logits(scope: Scope, op: Walk, number: int) -> list[str]:
    """a = h @ w + bias and on; the bias rides on the product."""
    rest, h_t = list(op.logits), f"ht{number}"
    match rest:
        case [Stage(Call("add", (Var("x0"), Var("x1"))), (State() as bias,)), *_]:
            lines = [f"torch.addmm({scope.tile(bias).text}, w, {h_t}, out=a)"]
            rest = rest[1:]
        case _:
            lines = [f"torch.mm(w, {h_t}, out=a)"]
    for stage in rest:
        names = {"x0": Value("a", "full")} | {f"x{i + 1}": scope.tile(x) for i, x in enumerate(stage.args)}
        lines += formula(stage.expr, names, "a", "a.shape")
    return lines


def _first_walk(scope: Scope, op: Walk, holes: dict[str, object]) -> str:
    assert isinstance(op.mass, Stored)
    slot, _ = sparse(op.mass.feed)
    reads_a = any(isinstance(x, Leaf) for x in op.mass.args)
    gather = [f"logit.append({slot}.stored(a, first, last)[0])"] if reads_a else []
    mass = [f"rows = {slot}.rows"]
    if reads_a:
        mass += ["at = torch.exp(torch.cat(logit).sub_(log_total[rows]))"]
    names = {f"x{i}": scope.entry(x) for i, x in enumerate(op.mass.args)} | {"t": Value(f"{slot}.by_unit()", "full")}
    mass += ["c = torch.empty(len(rows), dtype=block.dtype)", *formula(op.mass.stored, names, "c", "c.shape")]
    axis, units = op.w.type.axes[1], holes["leaf"]
    mass += ["masses = Tree()", f"leaf_stored(masses, c, {slot}, 0, {axis.size}, {units})", "mass = masses.total()"]
    mass += across(axis, "mass")
    comment = " and the logits of the stored entries" if reads_a else ""
    more = {"ranks": ranks(axis).removeprefix(", "), "mass_comment": comment}
    text = FIRST_WALK.format(**holes, **more, gather=indented(gather, 2), mass=indented(mass))
    return text.lstrip("\n") + "\n"


def _softmax(op: Walk) -> list[str]:
    return ["a.sub_(log_total).exp_()"] if op.softmax else []


def _absent(op: Op | None) -> Expr:
    return op.absent if isinstance(op, Stored) else ONE


def _loss(scope: Scope, op: Walk, leaf_units: int, error: str) -> list[str]:
    """The error of the tile, then its delta in place of a."""
    if isinstance(op.delta, Stored):
        return _sparse_loss(scope, op, op.delta, leaf_units, error)
    assert isinstance(op.delta, Pointwise)
    lines = []
    if error:
        assert isinstance(op.value, Pointwise)
        names = {f"x{i}": scope.tile(x) for i, x in enumerate(op.value.args)}
        lines += ["e = block.tile(1, *a.shape)", *formula(op.value.expr, names, "e", "a.shape")]
        lines += [f"leaf_sums(errors, e, {leaf_units})"]
    names = {f"x{i}": scope.tile(x) for i, x in enumerate(op.delta.args)}
    return [*lines, *formula(op.delta.expr, names, "a", "a.shape")]


def _sparse_loss(scope: Scope, op: Walk, delta: Stored, leaf_units: int, error: str) -> list[str]:
    slot, _ = sparse(delta.feed)
    lines = [f"at, rows, where = {slot}.stored(a, first, last)"]
    if _needs_values(op):
        lines += [f"tt = {slot}.stored_values(first, last)"]
    if error:
        assert isinstance(op.value, Stored)
        if op.value.absent != ZERO:
            lines += _absent_error(scope, op.value, leaf_units)
        correction = call("sub", op.value.stored, op.value.absent)
        lines += ["et = torch.empty_like(at)", *formula(correction, _entries(scope, op.value), "et", "et.shape")]
        lines += [f"leaf_stored(entries, et, {slot}, first, last, {leaf_units})"]
    lines += ["dt = torch.empty_like(at)", *formula(delta.stored, _entries(scope, delta), "dt", "dt.shape")]
    names = {f"x{i}": scope.tile(x) for i, x in enumerate(delta.args)}
    lines += formula(delta.absent, names, "a", "a.shape")
    return [*lines, "a.view(-1).index_copy_(0, where, dt)"]


def _absent_error(scope: Scope, value: Stored, leaf_units: int) -> list[str]:
    """The error of every unit of the tile as if nothing were stored, by leaves."""
    match value.absent:
        case Call("mul", (factor, Call("max", (Call("log1p", (Call("neg", (Var(x),)),)), Const(low))))) if (
            low == -MAX_LOG
        ):
            names = {f"x{i}": scope.tile(v) for i, v in enumerate(value.args)}
            if names[x].text == "a" and all(names[n].shape == "scalar" for n in variables(factor)):
                return [f"leaf_log_sums(errors, a, {leaf_units}, {python(factor, names)})"]
    names = {f"x{i}": scope.tile(x) for i, x in enumerate(value.args)}
    lines = ["e = block.tile(1, *a.shape)", *formula(value.absent, names, "e", "a.shape")]
    return [*lines, f"leaf_sums(errors, e, {leaf_units})"]


def _needs_values(op: Walk) -> bool:
    formulas = [x.stored for x in (op.delta, op.value) if isinstance(x, Stored)]
    return any("t" in variables(e) for e in formulas)


def _entries(scope: Scope, op: Stored) -> dict[str, Value]:
    return {f"x{i}": scope.entry(x) for i, x in enumerate(op.args)} | {"t": Value("tt", "full")}


def _update(scope: Scope, op: Op, h: str) -> list[str]:
    assert isinstance(op, Update) and isinstance(op.gradient, Leaf)
    views, names = [], {}
    for name, state in zip(op.names, op.states, strict=True):
        assert isinstance(state, State)
        local = name if op.gradient.name == "dw" else f"b{name}"
        if local != "w":
            views.append(f"{local} = s{state.number}[first:last]")
        names[name] = Value(local, "full")
    for name, s in op.scalars:
        assert isinstance(s, Scalar)
        names[name] = Value(scope.text(s), "scalar")
    names["g"] = Value("g", "full")
    if op.gradient.name == "db":
        return [*views, "g = a.sum(1)", *replicated(op), *body(op.body, names, "g.shape")]
    start, rest = gradient_product(op, names, "a", h, "w")
    return [*views, "g = block.tile(1, *w.shape)", *start, *body(rest, names, "w.shape")]


def replicated(op: Update) -> list[str]:
    """The statement that completes a gradient, where the rows of a batch are dealt out over replicas."""
    return ["block.replicas.sum(g)"] if op.replicas > 1 else []


def gradient_product(
    op: Update, names: dict[str, Value], left: str, right: str, w: str
) -> tuple[list[str], tuple[tuple[str, Expr], ...]]:
    """g = left @ right, with the mean and L2 of the first assignment riding on the product where they stand there."""
    steps = op.body
    if op.replicas > 1:
        return [f"torch.mm({left}, {right}, out=g)", *replicated(op)], steps
    first = steps[0][1] if steps else Const(0.0)
    match first:
        case Call("add", (Call("mul", (s, Var("g"))), Call("mul", (d, Var("w"))))) if "inv" in variables(
            s
        ) and d == Var("lambda"):
            riding = f"beta={names['lambda'].text}, alpha={python(s, names)}"
            return [f"torch.addmm({w}, {left}, {right}, {riding}, out=g)"], steps[1:]
    return [f"torch.mm({left}, {right}, out=g)"], steps
